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
        try Self.checkSize(path, record.byteCount, of: "carried file")
        let bytes = try Files.read(path, limit: record.byteCount)
        let file = CarriedFile(name: record.name, bytes: bytes)
        guard file.record.sha256 == record.sha256 else {
            throw .altered(path, found: file.record.sha256, expected: record.sha256)
        }
        return file
    }
}
