// HDF5FloatDataset - large fp32 arrays, written and read range by range.

internal import CHDF5
public import Tensors

/// An open one-dimensional dataset of 32-bit little-endian floats.
///
/// Close it before its file. Content moves between the file and a ``FloatSlice`` without a copy in between.
public struct HDF5FloatDataset: ~Copyable, Sendable {
    /// Name in the file's root group.
    public let name: String
    /// Path of the file.
    public let path: String
    /// Number of elements.
    public let count: Int
    private let handle: Handle
    /// The file that HDF5 writes to; nil for a file that is read.
    private let output: OutputFile?

    /// Elements that one call writes, a whole number of chunks. Why: a full disk then ends a large write early.
    private static let blockCount = 64 * Dataset.chunkBytes / MemoryLayout<Float>.stride

    fileprivate init(
        name: String, path: String, count: Int, adopting identifier: hid_t, _ output: OutputFile?
    ) throws(HDF5Error) {
        self.handle = try Handle(identifier, .dataset, isShared: true, from: "H5Dopen2", file: path)
        self.name = name
        self.path = path
        self.count = count
        self.output = output
    }

    /// Writes `source` to the elements in `range`. The corresponding C function is `H5Dwrite`.
    ///
    /// Traps unless `range` lies inside the dataset and is as long as `source`.
    public borrowing func write(_ source: FloatSlice, to range: Range<Int>) throws(HDF5Error) {
        requireFit(range, source)
        let (dataset, path) = (handle.identifier, path)
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(range.upperBound, (start / Self.blockCount + 1) * Self.blockCount)
            let block = source[(start - range.lowerBound)..<(end - range.lowerBound)]
            let view = block.view
            try transfer(start..<end, block, "H5Dwrite") { memory, file in
                unsafe H5Dwrite(
                    dataset, chdf5_type_native_float(), memory, file, chdf5_properties_default(), view.pointer)
            }
            try output?.requireWritten("H5Dwrite", path)
            start = end
        }
    }

    /// Reads the elements in `range` into `target`, checking the Fletcher32 checksum of every chunk that is touched.
    /// The corresponding C function is `H5Dread`.
    ///
    /// Traps unless `range` lies inside the dataset and is as long as `target`.
    public borrowing func read(_ range: Range<Int>, into target: FloatSlice) throws(HDF5Error) {
        let (dataset, view) = (handle.identifier, target.view)
        try transfer(range, target, "H5Dread") { memory, file in
            unsafe H5Dread(
                dataset, chdf5_type_native_float(), memory, file, chdf5_properties_default(), view.pointer)
        }
    }

    /// Runs `call` with the selections of memory and file that move `range`, keeping the memory of `slice` alive.
    private borrowing func transfer(
        _ range: Range<Int>, _ slice: FloatSlice, _ function: String, call: (hid_t, hid_t) -> herr_t
    ) throws(HDF5Error) {
        requireFit(range, slice)
        if range.isEmpty { return }
        let (dataset, path) = (handle.identifier, path)
        try Library.locked { () throws(HDF5Error) in
            var start = hsize_t(range.lowerBound)
            var size = hsize_t(range.count)
            let memory = try Handle(
                unsafe H5Screate_simple(1, &size, nil), .dataspace, from: "H5Screate_simple", file: path)
            let file = try Handle(H5Dget_space(dataset), .dataspace, from: "H5Dget_space", file: path)
            try Library.check(
                unsafe H5Sselect_hyperslab(file.identifier, H5S_SELECT_SET, &start, nil, &size, nil),
                "H5Sselect_hyperslab", path)
            try withExtendedLifetime(slice) { () throws(HDF5Error) in
                _ = try Library.check(call(memory.identifier, file.identifier), function, path)
            }
            try file.close(file: path)
            try memory.close(file: path)
        }
    }

    private borrowing func requireFit(_ range: Range<Int>, _ slice: FloatSlice) {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= count && range.count == slice.count,
            "\(range) of \(count) elements of \(name) cannot hold a slice of \(slice.count)")
    }

    /// Closes the dataset. The corresponding C function is `H5Dclose`.
    public consuming func close() throws(HDF5Error) {
        let (path, output) = (path, output)
        try handle.close(file: path)
        try output?.requireWritten("H5Dclose", path)
    }
}

extension HDF5File {
    /// Creates a dataset of `count` floats. The corresponding C function is `H5Dcreate2`.
    public borrowing func createFloats(_ name: String, count: Int) throws(HDF5Error) -> HDF5FloatDataset {
        let (file, path, output) = (handle.identifier, path, output)
        let identifier = try Library.locked { () throws(HDF5Error) -> hid_t in
            try Dataset.create(
                name, in: file, path: path, type: chdf5_type_f32le(), elementBytes: MemoryLayout<Float>.stride,
                count: count)
        }
        return try HDF5FloatDataset(name: name, path: path, count: count, adopting: identifier, output)
    }

    /// Opens a dataset of floats. The corresponding C function is `H5Dopen2`.
    ///
    /// - Throws: also when the dataset is no one-dimensional, checksummed array of 32-bit little-endian floats.
    public borrowing func openFloats(_ name: String) throws(HDF5Error) -> HDF5FloatDataset {
        let (file, path) = (handle.identifier, path)
        let (identifier, count) = try Library.locked { () throws(HDF5Error) -> (hid_t, Int) in
            let (identifier, count) = try Dataset.open(name, in: file, path: path)
            let dataset = try Handle(identifier, .dataset, from: "H5Dopen2", file: path)
            try Dataset.checkType(
                of: identifier, is: chdf5_type_f32le(), called: "32-bit little-endian floats", name: name, path: path)
            return (dataset.release(), count)
        }
        return try HDF5FloatDataset(name: name, path: path, count: count, adopting: identifier, nil)
    }
}
