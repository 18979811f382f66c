// HDF5File+Values - small datasets that are written and read whole: integers, bytes, text.

internal import CHDF5

extension HDF5File {
    /// Writes `values` as 64-bit little-endian integers. The corresponding C function is `H5Dwrite`.
    public borrowing func writeIntegers(_ values: [Int64], to name: String) throws(HDF5Error) {
        try write(values, to: name, stored: chdf5_type_i64le, inMemory: chdf5_type_native_int64)
    }

    /// Reads what ``writeIntegers(_:to:)`` wrote. The corresponding C function is `H5Dread`.
    ///
    /// - Parameter limit: largest count that is accepted, so that a damaged size cannot exhaust the memory.
    public borrowing func readIntegers(_ name: String, limit: Int) throws(HDF5Error) -> [Int64] {
        try read(
            name, limit: limit, padding: 0, stored: chdf5_type_i64le, called: "64-bit little-endian integers",
            inMemory: chdf5_type_native_int64)
    }

    /// Writes `values` as unsigned bytes. The corresponding C function is `H5Dwrite`.
    public borrowing func writeBytes(_ values: [UInt8], to name: String) throws(HDF5Error) {
        try write(values, to: name, stored: chdf5_type_u8le, inMemory: chdf5_type_native_uint8)
    }

    /// Reads what ``writeBytes(_:to:)`` wrote. The corresponding C function is `H5Dread`.
    ///
    /// - Parameter limit: largest count that is accepted, so that a damaged size cannot exhaust the memory.
    public borrowing func readBytes(_ name: String, limit: Int) throws(HDF5Error) -> [UInt8] {
        try read(
            name, limit: limit, padding: 0, stored: chdf5_type_u8le, called: "unsigned bytes",
            inMemory: chdf5_type_native_uint8)
    }

    /// Writes `text` as one fixed-length UTF-8 string. The corresponding C function is `H5Dwrite`.
    ///
    /// - Throws: also when `text` holds a NUL character, which HDF5's strings cannot hold.
    public borrowing func writeText(_ text: String, to name: String) throws(HDF5Error) {
        let (file, path, output) = (handle.identifier, path, output)
        // HDF5 has no string type of length zero: an empty text is one byte of padding.
        let bytes = text.isEmpty ? [0] : Array(text.utf8)
        guard text.isEmpty || !bytes.contains(0) else {
            throw HDF5Error(
                function: "H5Dwrite", file: path, message: "the text for dataset \(name) holds a NUL character")
        }
        try Library.locked { () throws(HDF5Error) in
            let type = try Self.textType(byteCount: bytes.count, path: path)
            let dataset = try Handle(
                Dataset.create(name, in: file, path: path, type: type.identifier, elementBytes: bytes.count, count: 1),
                .dataset, from: "H5Dcreate2", file: path)
            try Library.check(
                unsafe H5Dwrite(
                    dataset.identifier, type.identifier, chdf5_select_all(), chdf5_select_all(),
                    chdf5_properties_default(), bytes),
                "H5Dwrite", path)
            try dataset.close(file: path)
            try type.close(file: path)
            try output?.requireWritten("H5Dwrite", path)
        }
    }

    /// Reads what ``writeText(_:to:)`` wrote. The corresponding C function is `H5Dread`.
    ///
    /// - Parameter limit: largest number of UTF-8 bytes that is accepted.
    public borrowing func readText(_ name: String, limit: Int) throws(HDF5Error) -> String {
        let (file, path) = (handle.identifier, path)
        let bytes = try Library.locked { () throws(HDF5Error) -> [UInt8] in
            let (identifier, count) = try Dataset.open(name, in: file, path: path)
            let dataset = try Handle(identifier, .dataset, from: "H5Dopen2", file: path)
            let stored = try Handle(H5Dget_type(identifier), .datatype, from: "H5Dget_type", file: path)
            let isText = H5Tget_class(stored.identifier) == H5T_STRING
            let isVariable = try Library.check(H5Tis_variable_str(stored.identifier), "H5Tis_variable_str", path) > 0
            guard count == 1, isText, !isVariable else {
                throw HDF5Error(
                    function: "H5Dget_type", file: path, message: "dataset \(name) is not one fixed-length string")
            }
            let byteCount = H5Tget_size(stored.identifier)
            try Self.check(byteCount, of: name, isWithin: limit, path: path)
            let type = try Self.textType(byteCount: byteCount, path: path)
            var bytes = [UInt8](repeating: 0, count: byteCount)
            try Library.check(
                unsafe H5Dread(
                    identifier, type.identifier, chdf5_select_all(), chdf5_select_all(),
                    chdf5_properties_default(), &bytes),
                "H5Dread", path)
            try type.close(file: path)
            try stored.close(file: path)
            try dataset.close(file: path)
            return bytes
        }
        let text = bytes.prefix { $0 != 0 }
        guard let text = String(validating: text, as: UTF8.self) else {
            throw HDF5Error(function: "H5Dread", file: path, message: "dataset \(name) is not valid UTF-8")
        }
        return text
    }

    private static func textType(byteCount: Int, path: String) throws(HDF5Error) -> Handle {
        let type = try Handle(H5Tcopy(chdf5_type_c_string()), .datatype, from: "H5Tcopy", file: path)
        try Library.check(H5Tset_size(type.identifier, byteCount), "H5Tset_size", path)
        try Library.check(H5Tset_cset(type.identifier, H5T_CSET_UTF8), "H5Tset_cset", path)
        // Padded rather than terminated, so that every byte can be text.
        try Library.check(H5Tset_strpad(type.identifier, H5T_STR_NULLPAD), "H5Tset_strpad", path)
        return type
    }

    private borrowing func write<Element: BitwiseCopyable & Sendable>(
        _ values: [Element], to name: String, stored: () -> hid_t, inMemory: () -> hid_t
    ) throws(HDF5Error) {
        let (file, path, output) = (handle.identifier, path, output)
        try Library.locked { () throws(HDF5Error) in
            let dataset = try Handle(
                Dataset.create(
                    name, in: file, path: path, type: stored(), elementBytes: MemoryLayout<Element>.stride,
                    count: values.count),
                .dataset, from: "H5Dcreate2", file: path)
            if !values.isEmpty {
                try Library.check(
                    unsafe H5Dwrite(
                        dataset.identifier, inMemory(), chdf5_select_all(), chdf5_select_all(),
                        chdf5_properties_default(), values),
                    "H5Dwrite", path)
            }
            try dataset.close(file: path)
            try output?.requireWritten("H5Dwrite", path)
        }
    }

    private borrowing func read<Element: BitwiseCopyable & Sendable>(
        _ name: String, limit: Int, padding: Element, stored: () -> hid_t, called typeName: String,
        inMemory: () -> hid_t
    ) throws(HDF5Error) -> [Element] {
        let (file, path) = (handle.identifier, path)
        return try Library.locked { () throws(HDF5Error) -> [Element] in
            let (identifier, count) = try Dataset.open(name, in: file, path: path)
            let dataset = try Handle(identifier, .dataset, from: "H5Dopen2", file: path)
            try Dataset.checkType(of: identifier, is: stored(), called: typeName, name: name, path: path)
            try Self.check(count, of: name, isWithin: limit, path: path)
            var values = [Element](repeating: padding, count: count)
            if count > 0 {
                try Library.check(
                    unsafe H5Dread(
                        identifier, inMemory(), chdf5_select_all(), chdf5_select_all(), chdf5_properties_default(),
                        &values),
                    "H5Dread", path)
            }
            try dataset.close(file: path)
            return values
        }
    }

    private static func check(_ count: Int, of name: String, isWithin limit: Int, path: String) throws(HDF5Error) {
        guard count <= limit else {
            throw HDF5Error(
                function: "H5Dread", file: path,
                message: "dataset \(name) has a size of \(count), more than the \(limit) that are plausible")
        }
    }
}
