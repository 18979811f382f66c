// Dataset - the only kind of dataset: one-dimensional, chunked, protected by Fletcher32 checksums.

internal import CHDF5

/// Creating and opening datasets. All functions are called with the lock held.
enum Dataset {
    /// Bytes per chunk: large enough that a chunk's overhead vanishes, small enough for HDF5's chunk cache (1 MiB).
    static let chunkBytes = 1 << 20

    /// Creates a dataset of `count` elements of `type`, each of `elementBytes`.
    ///
    /// An empty dataset has no bytes to protect, and HDF5 cannot chunk it: it is contiguous.
    static func create(
        _ name: String, in file: hid_t, path: String, type: hid_t, elementBytes: Int, count: Int
    ) throws(HDF5Error) -> hid_t {
        precondition(count >= 0 && elementBytes > 0, "\(name) cannot have \(count) elements of \(elementBytes) bytes")
        var size = hsize_t(count)
        let space = try Handle(
            unsafe H5Screate_simple(1, &size, nil), .dataspace, from: "H5Screate_simple", file: path)
        let properties = try Handle(
            H5Pcreate(chdf5_class_dataset_create()), .propertyList, from: "H5Pcreate", file: path)
        // Without times, equal contents are equal bytes.
        try Library.check(H5Pset_obj_track_times(properties.identifier, false), "H5Pset_obj_track_times", path)
        if count > 0 {
            var chunk = hsize_t(min(count, max(1, chunkBytes / elementBytes)))
            try Library.check(unsafe H5Pset_chunk(properties.identifier, 1, &chunk), "H5Pset_chunk", path)
            try Library.check(H5Pset_fletcher32(properties.identifier), "H5Pset_fletcher32", path)
        }
        let dataset = try Handle(
            unsafe H5Dcreate2(
                file, name, type, space.identifier, chdf5_properties_default(), properties.identifier,
                chdf5_properties_default()),
            .dataset, from: "H5Dcreate2", file: path)
        try properties.close(file: path)
        try space.close(file: path)
        return dataset.release()
    }

    /// Opens a dataset, checks that it has the layout of ``create``, and returns it with its element count.
    ///
    /// Why the check: HDF5 reads a missing source of a virtual dataset, and a missing external file, as fill values
    /// without an error.
    static func open(
        _ name: String, in file: hid_t, path: String
    ) throws(HDF5Error) -> (identifier: hid_t, count: Int) {
        let dataset = try Handle(
            unsafe H5Dopen2(file, name, chdf5_properties_default()), .dataset, from: "H5Dopen2", file: path)
        let space = try Handle(H5Dget_space(dataset.identifier), .dataspace, from: "H5Dget_space", file: path)
        let rank = try Library.check(
            H5Sget_simple_extent_ndims(space.identifier), "H5Sget_simple_extent_ndims", path)
        guard rank == 1 else {
            throw HDF5Error(
                function: "H5Sget_simple_extent_ndims", file: path,
                message: "dataset \(name) has \(rank) dimensions instead of 1")
        }
        var size: hsize_t = 0
        try Library.check(
            unsafe H5Sget_simple_extent_dims(space.identifier, &size, nil), "H5Sget_simple_extent_dims", path)
        guard let count = Int(exactly: size) else {
            throw HDF5Error(
                function: "H5Sget_simple_extent_dims", file: path,
                message: "dataset \(name) claims an impossible size of \(size) elements")
        }
        try space.close(file: path)
        if count > 0 { try checkProtection(of: dataset.identifier, name: name, path: path) }
        return (dataset.release(), count)
    }

    private static func checkProtection(of dataset: hid_t, name: String, path: String) throws(HDF5Error) {
        let properties = try Handle(
            H5Dget_create_plist(dataset), .propertyList, from: "H5Dget_create_plist", file: path)
        let layout = H5Pget_layout(properties.identifier)
        try Library.check(layout.rawValue, "H5Pget_layout", path)
        guard layout == H5D_CHUNKED else {
            throw HDF5Error(
                function: "H5Pget_layout", file: path,
                message: "dataset \(name) is not chunked, so its contents carry no checksum")
        }
        // The only filter must be the checksum: anything else was not written by this program.
        let filters = try Library.check(H5Pget_nfilters(properties.identifier), "H5Pget_nfilters", path)
        var flags: UInt32 = 0
        var parameters = 0
        var settings: UInt32 = 0
        let filter =
            filters == 1
            ? unsafe H5Pget_filter2(properties.identifier, 0, &flags, &parameters, nil, 0, nil, &settings) : 0
        guard filter == chdf5_filter_fletcher32() else {
            throw HDF5Error(
                function: "H5Pget_filter2", file: path,
                message: "dataset \(name) is not protected by a Fletcher32 checksum")
        }
        try properties.close(file: path)
    }

    /// Throws unless the elements of `dataset` are of exactly `expected`, a little-endian type.
    static func checkType(
        of dataset: hid_t, is expected: hid_t, called typeName: String, name: String, path: String
    ) throws(HDF5Error) {
        let type = try Handle(H5Dget_type(dataset), .datatype, from: "H5Dget_type", file: path)
        let isEqual = try Library.check(H5Tequal(type.identifier, expected), "H5Tequal", path)
        guard isEqual > 0 else {
            throw HDF5Error(
                function: "H5Tequal", file: path, message: "the elements of dataset \(name) are not \(typeName)")
        }
        try type.close(file: path)
    }
}
