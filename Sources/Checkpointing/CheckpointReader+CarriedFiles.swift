// CheckpointReader+CarriedFiles - reads and verifies the carried files of a checkpoint.

extension CheckpointReader {
    /// The carried files, verified, in the order of the index.
    ///
    /// - Parameter isWanted: by name; nil: all of them.
    /// - Throws: ``CheckpointError``: `missing` or `corrupt` naming the file.
    public func carriedFiles(where isWanted: ((String) -> Bool)? = nil) throws -> [CarriedFile] {
        try index.carriedFiles.filter { isWanted?($0.name) ?? true }.map(carriedFile)
    }

    /// Checks the SHA-256 of every carried file.
    ///
    /// - Throws: ``CheckpointError``: `missing` or `corrupt` naming the file.
    public func verifyCarriedFiles() throws {
        for record in index.carriedFiles { _ = try carriedFile(record) }
    }

    private func carriedFile(_ record: CarriedFileRecord) throws(CheckpointError) -> CarriedFile {
        let path = directory + "/" + record.storedName
        try Self.checkSize(of: record, in: directory)
        let bytes = try Files.read(path, limit: record.byteCount)
        let file = CarriedFile(name: record.name, bytes: bytes)
        guard file.record.sha256 == record.sha256 else {
            throw CheckpointError(
                .corrupt, file: path,
                "its SHA-256 is \(file.record.sha256) instead of \(record.sha256): the file was altered")
        }
        return file
    }

    /// Checks the size of a carried file, without reading it.
    static func checkSize(of record: CarriedFileRecord, in directory: String) throws(CheckpointError) {
        let path = directory + "/" + record.storedName
        guard case .file(let byteCount) = try Files.status(path) else {
            throw CheckpointError(.missing, file: path, "the carried file is missing")
        }
        guard byteCount == record.byteCount else {
            throw CheckpointError(.corrupt, file: path, "it has \(byteCount) bytes instead of \(record.byteCount)")
        }
    }
}
