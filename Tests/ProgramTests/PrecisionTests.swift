// PrecisionTests - bf16, the libraries and activation checkpointing through the program, and what bench and profile say.

import Foundation
import LinearAlgebra
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct PrecisionTests {
        /// A bf16 run keeps fp32 parameters in its checkpoints: stopped and resumed on other ranks it goes on as if nothing
        /// had happened. Tolerance: sums in another order, as for fp32.
        @Test func bfloat16RunsResumeOnAnyNumberOfRanks() throws {
            func run(_ legs: [(stop: Int, ranks: Int)]) throws -> [Double] {
                let place = try Workplace(.sharded)
                for leg in legs {
                    let result = try place.train(
                        [
                            "training.precision=bf16", "training.bucket_mib=1", "schedule.total_steps=9",
                            "training.stop_at_step=\(leg.stop)",
                        ], ranks: leg.ranks)
                    #expect(result.status == 0, "\(result)")
                }
                return try place.metrics().losses(1...9)
            }
            let straight = try run([(9, 1)])
            #expect(straight[8] < straight[0])
            #expect(difference(try run([(3, 4), (6, 3), (9, 1)]), straight, within: 1e-4) == nil)
            // What the masters protect from: resuming from rounded parameters is another run.
            let place = try Workplace(.sharded)
            _ = try place.train(["schedule.total_steps=9"])
            #expect(difference(try place.metrics().losses(1...9), straight, within: 1e-6) != nil)
        }

        @Test(arguments: ["training.blas=onednn", "training.activation_checkpointing=layer", "training.precision=bf16"])
        func variantsTrainAlike(override: String) throws {
            let (plain, other) = (try Workplace(), try Workplace())
            #expect(try plain.train().status == 0)
            let result = try other.train([override])
            #expect(result.status == 0, "\(result)")
            let (a, b) = (try plain.metrics().losses(1...6), try other.metrics().losses(1...6))
            // Six steps: fp32 variants differ by the order of sums, bf16 by its eight bits.
            #expect(difference(b, a, within: override.contains("bf16") ? 1e-2 : 1e-5) == nil)
        }

        /// One of two ranks has no bf16 matmuls and upcasts: both wait for the choice of a library, or neither. (Where no rank
        /// has any, the test says less.)
        @Test(arguments: [0, 1]) func ranksOfTwoProcessorsChooseTheLibraryTogether(lacking: Int) throws {
            let place = try Workplace()
            let arguments = place.arguments(["training.precision=bf16", "training.blas=auto"])
            let program = [RunningProgram.executable] + arguments
            func rank(_ number: Int) -> [String] {
                ["-n", "1"] + (number == lacking ? ["-x", "ONEDNN_MAX_CPU_ISA=AVX512_CORE"] : []) + program
            }
            let launch = ["mpirun", "--oversubscribe", "--bind-to", "none"] + rank(0) + [":"] + rank(1)
            let result = try RunningProgram(tool: "/usr/bin/env", launch, in: place.folder.path).wait(limit: 60)
            #expect(result.status == 0, "\(result)")
            if BLASBackends.hasBFloat16GEMM {
                #expect(result.errors.contains("the processors of 1 of 2 ranks have no bf16 products"), "\(result)")
            }
            let (plain, losses) = (try Workplace(), try place.metrics().losses(1...6))
            #expect(try plain.train().status == 0)
            #expect(difference(losses, try plain.metrics().losses(1...6), within: 1e-2) == nil)
        }

        @Test(arguments: ["fp32", "bf16"]) func benchStepStatesTheContractsKeys(precision: String) throws {
            let place = try Workplace()
            let result = try place.run(
                ["bench", "step", "run.yaml", "--json", "--steps", "3", "--set", "training.precision=\(precision)"],
                ranks: 2, limit: 180)
            #expect(result.status == 0, "\(result)")
            let json = try JSONObject(String(result.output.split(separator: "\n").last ?? ""))
            func number(_ key: String) -> Double { json.number(key) ?? .nan }
            for key in [
                "tokens_per_second", "gflops", "gflops_model", "gflops_compute", "ceiling_gflops", "share",
                "fastest_product_gflops", "share_of_fastest", "peak_rss_mib", "step_seconds", "fma_peak_gflops",
            ] {
                #expect(number(key) > 0, "\(key)")
            }
            // The libraries' matmuls are the fastest, but on tiles the program's own are, by far.
            let ownIsFaster = precision == "bf16" && TileGEMM.isAvailable
            #expect((number("fastest_product_gflops") > number("ceiling_gflops")) == ownIsFaster, "\(result)")
            for (share, ceiling) in [("share", "ceiling_gflops"), ("share_of_fastest", "fastest_product_gflops")] {
                let expected = number("gflops_model") / number(ceiling)
                // Digits of a number in JSON.
                #expect(abs(number(share) - expected) <= 1e-12 * expected, "\(share)")
            }
            #expect(json.string("precision") == precision)
            #expect(json.number("ranks") == 2 && json.number("threads") == 1)
            let phases = try json.object("phases")
            let names = ["data", "forward", "head", "backward", "reduction", "optimizer", "gather", "other"]
            let total = names.reduce(0) { $0 + (phases.number($1) ?? .nan) }
            let step = number("step_seconds")
            #expect(total > 0.97 * step && total < 1.03 * step, "\(total) of \(step)")
            // Nothing is written.
            #expect(!place.folder.exists("runs"))
        }

        /// Every matmul of the model in every way that this processor has, beside the ceilings; and the same in words.
        @Test func benchGemmNamesEveryGEMM() throws {
            let place = try Workplace()
            let arguments = ["--tokens", "64", "--threads", "1"]
            // Gradients of gate and up lie 4 KiB apart, those of nothing else.
            try place.folder.write(
                Workplace.configuration().replacing("intermediate_size: 64", with: "intermediate_size: 512"),
                to: "wide.yaml")
            let result = try place.run(["bench", "gemm", "wide.yaml", "--json"] + arguments, limit: 180)
            #expect(result.status == 0, "\(result)")
            let json = try JSONObject(result.output)
            let ceilings = try json.object("ceilings")
            #expect((ceilings.number("fma_peak_gflops") ?? 0) > 0)
            #expect(((ceilings.number("products_bf16") ?? 0) > 0) == BLASBackends.hasBFloat16GEMM)
            #expect(try ceilings.object("products_fp32").keys == ["openblas", "onednn"])
            #expect(json.number("threads") == 1)
            let gemms = try json.object("gflops")
            let layers = ["qkv", "output", "gate_up", "down", "head"]
            #expect(gemms.keys == Set(layers.flatMap { ["\($0) forward", "\($0) dx", "\($0) dweight"] }))
            let ways = ["openblas", "onednn"] + (BLASBackends.hasBFloat16GEMM ? ["bf16", "widened"] : [])
            for name in gemms.keys {
                let rates = try gemms.object(name)
                #expect(rates.keys == Set(ways + (name == "gate_up dweight" ? ["copied"] : [])), "\(name)")
                for way in rates.keys { #expect((rates.number(way) ?? 0) > 0, "\(name) \(way)") }
            }
            let words = try place.run(["bench", "gemm", "run.yaml"] + arguments, limit: 180)
            #expect(words.status == 0, "\(words)")
            // Hidden 32, intermediate 64: gate and up side by side, and the gradient of down's weights.
            for row in ["gate_up forward", "64 x 128 x 32", "down dweight", "32 x 64 x 64", "onednn", "2048-cube"] {
                #expect(words.output.contains(row), "\(row): \(words)")
            }
        }

        /// Biases and norms of heads have passes where the architecture has them.
        @Test(arguments: ["llama", "qwen3"])
        func benchKernelsNamesEveryPass(architecture: String) throws {
            let place = try Workplace()
            let keys = architecture == "llama" ? "" : ", architecture: \(architecture), attention_bias: true"
            let text = Workplace.configuration()
                .replacing("initializer_range: 0.02", with: "initializer_range: 0.02\(keys)")
            #expect(text.contains("0.02\(keys)}"))
            try place.folder.write(text, to: "run.yaml")
            let result = try place.run(
                ["bench", "kernels", "run.yaml", "--json", "--tokens", "64", "--threads", "1"], limit: 180)
            #expect(result.status == 0, "\(result)")
            let json = try JSONObject(result.output)
            #expect((try json.object("ceilings").number("bandwidth_gb_per_second") ?? 0) > 0)
            let kernels = try json.object("kernels")
            var names: Set = [
                "RMSNorm forward", "RMSNorm backward", "rotary", "SwiGLU forward", "SwiGLU backward",
                "embedding forward", "attention forward", "attention backward", "loss of logits", "AdamW",
                "gradient norm",
            ]
            if !keys.isEmpty {
                names.formUnion(["bias", "bias gradient", "head norm forward", "head norm backward"])
            }
            #expect(kernels.keys == names)
            for name in kernels.keys {
                let row = try kernels.object(name)
                for key in ["seconds", "elements_per_second", "share"] {
                    #expect((row.number(key) ?? 0) > 0, "\(name) \(key)")
                }
            }
        }

        @Test(arguments: [
            (["gemm", "--threads=-1"], ["--threads", "-1"]), (["kernels", "--threads=-1"], ["--threads", "-1"]),
            (["gemm", "run.yaml", "--tokens", "24"], ["--tokens", "24", "16"]),
            (["step", "run.yaml", "--exposed"], ["--exposed", "mpirun -n 2"]),
            (["step", "run.yaml", "--steps", "0"], ["--steps", "0"]),
        ])
        func mistakesInBenchAreNamed(arguments: [String], names: [String]) throws {
            expectOneMessage(try Workplace().run(["bench"] + arguments), status: 2, names: names)
        }

        @Test func benchStepTellsWhatCommunicationIsExposed() throws {
            let place = try Workplace()
            let result = try place.run(
                ["bench", "step", "run.yaml", "--json", "--steps", "3", "--exposed", "--skip-peak-rates"], ranks: 2)
            #expect(result.status == 0, "\(result)")
            let json = try JSONObject(String(result.output.split(separator: "\n").last ?? ""))
            let number = { json.number($0) ?? .nan }
            for key in ["step_seconds_without_exchange", "reduction_seconds", "gather_seconds"] {
                #expect(number(key) > 0, "\(key)")
            }
            let exposed = number("exposed_seconds")
            // On one node nothing goes by messages.
            #expect(number("sent_reduction_bytes") == 0)
            for key in ["ceiling_gflops", "share", "fma_peak_gflops"] { #expect(!json.keys.contains(key), "\(key)") }
            let alone = number("reduction_seconds") + number("gather_seconds")
            #expect(abs(number("exposed_share") - exposed / alone) <= 1e-6 * abs(exposed / alone))
        }

        /// 4096 x 64 parameters are a bucket of their own; in fp32 four rows of the embedding are a block of what is sent.
        @Test(arguments: ["float", "fixed point"]) func onlyRowsOfAnEmbeddingThatOccurredAreSent(sum: String) throws {
            let place = try Workplace()
            let bytes = sum == "float" ? 4.0 : 8
            func sent(_ overrides: [String]) throws -> (bytes: Double, parameters: Double) {
                let model = ["model.vocab_size=4096", "model.hidden_size=64", "training.bucket_mib=1"]
                let sets = (model + overrides + ["training.reproducible=\(bytes == 8)"]).flatMap { ["--set", $0] }
                let result = try place.start(
                    ["bench", "step", "run.yaml", "--json", "--steps", "1", "--exposed", "--skip-peak-rates"] + sets,
                    ranks: 2,
                    variables: ["OMPI_MCA_osc_sm_backing_directory": "/nowhere"]
                ).wait(limit: 60)
                #expect(result.status == 0, "\(result)")
                let json = try JSONObject(String(result.output.split(separator: "\n").last ?? ""))
                return (json.number("sent_reduction_bytes") ?? .nan, json.number("parameters") ?? .nan)
            }
            let own = 4096.0 * 64
            let sparse = try sent([])
            // Each rank sends the other's half, together once everything. Rows of the 256 bytes and the end of a document are
            // in the lower half, which the other rank sends: 257 at most, and of each half a map of a few words.
            let embedding = sparse.bytes - bytes * (sparse.parameters - own)
            #expect(embedding >= 1024 && embedding <= 257 * 64 * bytes + 1024 + 1024, "\(embedding) bytes")
            // The head's gradient is full, and with it the embedding's that is the same tensor.
            let tied = try sent(["model.tie_word_embeddings=true"])
            #expect(tied.bytes == bytes * tied.parameters)
        }

        /// What the library sends is not known.
        @Test func theLibrarysReductionTellsNoBytes() throws {
            let library = try Workplace().run(
                ["bench", "step", "run.yaml", "--json", "--steps", "1", "--exposed", "--skip-peak-rates", "--set"]
                    + ["training.gradient_reduction=all_reduce"], ranks: 2)
            #expect(library.status == 0 && !library.output.contains("sent_reduction_bytes"), "\(library)")
        }

        @Test func profileWritesATraceOfAllRanks() throws {
            let place = try Workplace()
            let result = try place.train(["logging.profile=true"], ranks: 2)
            #expect(result.status == 0, "\(result)")
            let data = Data(try place.folder.text("runs/run/trace.json").utf8)
            let events = try #require(JSONSerialization.jsonObject(with: data) as? [[String: Any]])
            for rank in [0, 1] {
                let own = events.filter { $0["pid"] as? Int == rank && $0["ph"] as? String == "X" }
                let spans = own.compactMap { event -> (start: Double, end: Double)? in
                    guard let start = event["ts"] as? Double, let length = event["dur"] as? Double else { return nil }
                    return (start, start + length)
                }
                #expect(spans.count == own.count && spans.count > 6 * 5)
                // In order and without overlaps (to a nanosecond, in microseconds).
                #expect(zip(spans, spans.dropFirst()).allSatisfy { $0.end <= $1.start + 2e-3 })
                #expect(Set(own.compactMap { $0["name"] as? String }).isSuperset(of: ["forward", "head", "backward"]))
            }
            for step in 1...6 {
                let row = try #require(place.metrics().steps[step])
                let seconds = try #require(row.number("step_seconds"))
                let phases = try row.object("phases")
                let total = phases.keys.reduce(0) { $0 + (phases.number($1) ?? .nan) }
                #expect(total > 0.97 * seconds && total <= 1.03 * seconds)
            }
        }
    }
}
