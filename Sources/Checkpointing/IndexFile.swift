// IndexFile - writes and reads the index, checkpoint.h5.

internal import HDF5Store
internal import LlamaModel

/// Reading and writing `checkpoint.h5`.
///
/// The file has a dataset for each value, named as in `inspect --json`; structures are JSON text. A reader first
/// compares the file's hash with `COMPLETE`, and then checks every value.
enum IndexFile {
    static let name = "checkpoint.h5"
    private static let lossesName = "recent_losses"
    private static let skippedName = "skipped_in_a_row"
    private static let countsName = "token_counts"
    private static let withheldName = "withheld_tokens"
    private static let stateName = "state_tensors"
    private static let carriedName = "carried_files"
    private static let endTokenName = "tokenizer_end_token"

    /// Largest text or tokenizer that is read, in bytes: far above any real one, far below the memory of a node.
    private static let limit = 1 << 30

    static func write(_ index: CheckpointIndex, to path: String) throws(CheckpointError) {
        let model = try JSONText.text(ModelRecord(index.model))
        let tensors = try JSONText.text(TensorRecord.table(of: index.model))
        let shards = try JSONText.text(index.shards)
        let carried = try index.carriedFiles.isEmpty ? nil : JSONText.text(index.carriedFiles)
        try writing { () throws(HDF5Error) in
            let file = try HDF5File.create(path)
            try file.writeIntegers([Int64(CheckpointIndex.formatVersion)], to: "format")
            try file.writeIntegers([Int64(index.step)], to: "step")
            try file.writeIntegers([Int64(index.position)], to: "position")
            try file.writeIntegers([Int64(index.tokens)], to: "tokens")
            try file.writeIntegers([Int64(index.optimizerSteps)], to: "optimizer_steps")
            try file.writeIntegers([Int64(index.ranksWritten)], to: "ranks_written")
            // As text, because readers in other languages would take the upper half of the range for negative.
            try file.writeText(String(index.seed), to: "seed")
            try file.writeText(index.configuration, to: "configuration")
            try file.writeText(model, to: "model")
            try file.writeText(tensors, to: "tensors")
            try file.writeText(index.tokenizer.name, to: "tokenizer_name")
            try file.writeBytes(index.tokenizer.bytes, to: "tokenizer")
            if let endToken = index.tokenizer.endToken { try file.writeIntegers([Int64(endToken)], to: endTokenName) }
            try file.writeText(index.dataFingerprint, to: "data_fingerprint")
            try file.writeText(index.processor, to: "processor")
            try file.writeText(index.blas, to: "blas")
            try file.writeText(shards, to: "shards")
            // Bit patterns, because decimal texts do not read back exactly everywhere.
            try file.writeIntegers(index.recentLosses.map { Int64(bitPattern: $0.bitPattern) }, to: lossesName)
            try file.writeIntegers([Int64(index.skippedInARow)], to: skippedName)
            if !index.tokenCounts.isEmpty {
                try file.writeIntegers(index.tokenCounts.map(Int64.init), to: countsName)
            }
            if !index.withheldTokens.isEmpty {
                let roles = TokenRole.allCases.filter(index.withheldTokens.contains).map(\.rawValue)
                try file.writeText(roles.joined(separator: ","), to: withheldName)
            }
            if index.stateTensors != CheckpointIndex.unnamedStateTensors {
                try file.writeText(index.stateTensors.joined(separator: ","), to: stateName)
            }
            if let carried { try file.writeText(carried, to: carriedName) }
            try file.close()
        }
    }

    /// Reads an index and checks every value in it.
    static func read(_ path: String) throws(CheckpointError) -> (index: CheckpointIndex, runs: [StoredRun]) {
        let file = try reading { () throws(HDF5Error) in try HDF5File.open(path) }
        // First: a file of another version may have any other content.
        let format = try integer("format", file, path)
        guard format == CheckpointIndex.formatVersion else {
            throw CheckpointError(
                .incompatible, file: path,
                "the checkpoint has format version \(format), and this program reads"
                    + " \(CheckpointIndex.formatVersion): use the version of mile-dist that wrote it")
        }
        let seedText = try text("seed", file)
        guard let seed = UInt64(seedText) else {
            throw CheckpointError(.corrupt, file: path, "seed is '\(seedText)', not an unsigned number")
        }
        let model = try JSONText.decode(ModelRecord.self, from: Array(text("model", file).utf8), of: path).model
        let tensors = try JSONText.decode([TensorRecord].self, from: Array(text("tensors", file).utf8), of: path)
        let shards = try JSONText.decode([ShardRecord].self, from: Array(text("shards", file).utf8), of: path)
        var tokenizer = CheckpointIndex.Tokenizer(
            name: try text("tokenizer_name", file),
            bytes: try bytes("tokenizer", file))
        // Earlier versions did not write these, and an import has no counts.
        let losses: [Int64]
        let counts: [Int64]
        let hasSkipped: Bool
        let hasEndToken: Bool
        let withheld: String
        let states: [String]
        let carried: String?
        do {
            losses = try file.contains(lossesName) ? file.readIntegers(lossesName, limit: 1 << 20) : []
            counts =
                try file.contains(countsName) ? file.readIntegers(countsName, limit: max(model.vocabularySize, 0)) : []
            hasSkipped = try file.contains(skippedName)
            hasEndToken = try file.contains(endTokenName)
            withheld = try file.contains(withheldName) ? file.readText(withheldName, limit: 1 << 10) : ""
            states =
                try file.contains(stateName)
                ? file.readText(stateName, limit: 1 << 10).split(separator: ",").map(String.init)
                : CheckpointIndex.unnamedStateTensors
            carried = try file.contains(carriedName) ? file.readText(carriedName, limit: limit) : nil
        } catch {
            throw .reading(error)
        }
        if hasEndToken { tokenizer.endToken = try integer(endTokenName, file, path) }
        var index = CheckpointIndex(
            step: try integer("step", file, path), position: try integer("position", file, path),
            tokens: try integer("tokens", file, path), optimizerSteps: try integer("optimizer_steps", file, path),
            configuration: try text("configuration", file), seed: seed, model: model, tokenizer: tokenizer,
            dataFingerprint: try text("data_fingerprint", file), processor: try text("processor", file),
            blas: try text("blas", file), ranksWritten: try integer("ranks_written", file, path), shards: shards,
            recentLosses: losses.map { Double(bitPattern: UInt64(bitPattern: $0)) },
            skippedInARow: hasSkipped ? try integer(skippedName, file, path) : 0,
            tokenCounts: counts.map { Int($0) },
            withheldTokens: try roles(withheld, path), stateTensors: states)
        if let carried {
            index.carriedFiles = try JSONText.decode([CarriedFileRecord].self, from: Array(carried.utf8), of: path)
        }
        do { try file.close() } catch { throw .reading(error) }
        let runs = try index.validated(file: path)
        guard tensors == TensorRecord.table(of: model) else {
            throw CheckpointError(
                .incompatible, file: path,
                "its tensor table is not the one that this program lays out for its model: use the version of mile-dist"
                    + " that wrote it")
        }
        return (index, runs)
    }

    private static func roles(_ text: String, _ path: String) throws(CheckpointError) -> Set<TokenRole> {
        var roles: Set<TokenRole> = []
        for name in text.split(separator: ",") {
            guard let role = TokenRole(rawValue: String(name)) else {
                throw CheckpointError(.corrupt, file: path, "\(withheldName) is '\(text)'")
            }
            roles.insert(role)
        }
        return roles
    }

    private static func integer(
        _ name: String, _ file: borrowing HDF5File, _ path: String
    ) throws(CheckpointError) -> Int {
        let values: [Int64]
        do { values = try file.readIntegers(name, limit: 1) } catch { throw .reading(error) }
        guard values.count == 1, let value = Int(exactly: values[0]) else {
            throw CheckpointError(.corrupt, file: path, "\(name) is not one integer")
        }
        return value
    }

    private static func bytes(_ name: String, _ file: borrowing HDF5File) throws(CheckpointError) -> [UInt8] {
        do { return try file.readBytes(name, limit: limit) } catch { throw .reading(error) }
    }

    private static func text(_ name: String, _ file: borrowing HDF5File) throws(CheckpointError) -> String {
        do { return try file.readText(name, limit: limit) } catch { throw .reading(error) }
    }
}
