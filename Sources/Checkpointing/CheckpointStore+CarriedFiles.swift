// CheckpointStore+CarriedFiles - writes the carried files of a checkpoint.

extension CheckpointStore {
    /// Writes carried files into the temporary directory of a save, makes them durable and reads them back.
    static func write(_ files: [CarriedFile], in temporary: String) throws(CheckpointError) {
        for file in files {
            let record = file.record
            let path = temporary + "/" + record.storedName
            try Files.write(file.bytes, to: path)
            guard try Hash.file(path) == record.sha256 else { throw .readBackDiffers(path) }
        }
    }
}
