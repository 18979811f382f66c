// FoundFiles - advice about a directory whose weights or configuration are missing.

internal import Checkpointing

/// The kinds of model files in a directory that an import cannot read.
struct FoundFiles {
    /// A kind of file.
    private struct Kind {
        /// Name of the files in messages.
        let words: String
        let remedy: String
        let matches: @Sendable (String) -> Bool
    }

    /// Most names of one kind in a message.
    private static let mostNamed = 3

    /// The advice. It starts with a semicolon, because it follows the name of the missing file.
    let advice: String

    /// - Throws: ``CheckpointError`` for a directory that cannot be listed.
    init(_ directory: String) throws {
        let names = try Files.list(directory).sorted()
        var rest = names
        var sentences: [String] = []
        for kind in Self.kinds {
            let found = rest.filter(kind.matches)
            guard !found.isEmpty else { continue }
            rest.removeAll { found.contains($0) }
            let verb = found.count == 1 ? "is" : "are"
            sentences.append("\(Self.list(found)) \(verb) \(kind.words): \(kind.remedy)")
        }
        if sentences.isEmpty, !names.isEmpty { sentences = ["the directory holds \(Self.list(names))"] }
        if names.isEmpty { sentences = ["the directory is empty"] }
        advice = sentences.map { "; " + $0 }.joined()
    }

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(mostNamed).map { $0.unicodeScalars.count > 80 ? String($0.prefix(80)) + "..." : $0 }
        return shown.joined(separator: ", ")
            + (names.count > shown.count ? " and \(names.count - shown.count) more" : "")
    }

    private static let save = "load it with transformers' from_pretrained and write it with save_pretrained"

    /// The kinds in the order of messages. A file counts for the first kind that it matches.
    private static let kinds: [Kind] = [
        Kind(words: "an unfinished download", remedy: "finish it, then rename or fetch the file") { name in
            ModelFiles.unfinishedEndings.contains(where: name.hasSuffix)
        },
        Kind(words: "adapters (LoRA)", remedy: "merge them into their base model first, with peft's merge_and_unload") {
            $0.hasPrefix("adapter_model") || $0 == "adapter_config.json"
        },
        Kind(
            words: "a variant of the weights",
            remedy: "rename to \(ModelFiles.single), or \(ModelFiles.index) for the index of shards, or \(save)"
        ) { name in
            let parts = name.split(separator: ".")
            let isVariant = ["fp16", "fp32", "bf16", "float16", "bfloat16", "ema", "non_ema"].contains { variant in
                parts.contains { $0 == variant || $0.hasPrefix(variant + "-") }
            }
            return isVariant && (name.hasSuffix(".safetensors") || name.hasPrefix("\(ModelFiles.single).index"))
        },
        Kind(
            words: "weights in Meta's own layout",
            remedy: "convert them with transformers' convert_llama_weights_to_hf.py, or fetch the repository whose name"
                + " ends in -hf"
        ) { $0.hasPrefix("consolidated.") || $0 == "params.json" || $0 == "checklist.chk" },
        Kind(
            words: "of llama.cpp (GGUF)",
            remedy: "fetch the original model, or write it with transformers: from_pretrained(DIRECTORY, gguf_file=...)"
                + " and save_pretrained"
        ) { $0.lowercased().hasSuffix(".gguf") || $0.hasPrefix("ggml-") || $0.lowercased().contains(".ggml") },
        Kind(words: "a shard without its index", remedy: "fetch \(ModelFiles.index) too") {
            $0.hasPrefix("model-0") && $0.hasSuffix(".safetensors")
        },
        Kind(words: "not known here by this name", remedy: "rename to \(ModelFiles.single) if it is the whole model") {
            $0.hasSuffix(".safetensors")
        },
        Kind(words: "pickled weights, which are not read", remedy: "save the model as safetensors first: \(save)") {
            name in
            let isOfTraining = ["training_args", "optimizer", "scheduler", "rng_state"].contains { name.hasPrefix($0) }
            return name.hasPrefix("pytorch_model")
                || !isOfTraining && [".bin", ".pt", ".pth", ".ckpt"].contains { name.hasSuffix($0) }
        },
        Kind(words: "checkpoints of this program", remedy: "no import is needed: --resume, eval and generate take them")
        {
            $0 == "COMPLETE" || StepName($0) != nil || $0 == "checkpoint.h5"
        },
        Kind(words: "weights of another framework, which are not read", remedy: save) { name in
            ["tf_model", "flax_model", "rust_model"].contains { name.hasPrefix($0) }
                || [".msgpack", ".onnx", ".ot", ".npz", ".h5", ".tflite", ".mlmodel"].contains { name.hasSuffix($0) }
        },
        Kind(words: "a checkpoint of a training", remedy: "write the model with the program that trained it") { name in
            ["global_step", "pytorch_model_fsdp", "mp_rank_", "iter_", "zero_to_fp32", "latest_checkpointed"].contains {
                name.hasPrefix($0)
            } || name.hasSuffix(".distcp")
        },
        Kind(words: "the cache of a download", remedy: "give the directory in snapshots that has config.json") {
            $0 == "snapshots" || $0 == "blobs"
        },
    ]
}
