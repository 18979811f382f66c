// HDF5File - creating, opening and closing one HDF5 file.

internal import CHDF5
internal import Glibc

/// An open HDF5 file: either new and writable, or existing and read-only.
///
/// Everything in it is a one-dimensional dataset in the root group. End a file with ``close()``, which reports what
/// could not be written; a file that is dropped while an error unwinds is closed silently.
public struct HDF5File: ~Copyable, Sendable {
    /// Path of the file.
    public let path: String
    let handle: Handle
    /// The file that HDF5 writes to; nil for a file that is read.
    let output: OutputFile?

    /// Creates a file, replacing an existing one. The corresponding C function is `H5Fcreate`.
    ///
    /// - Throws: when the file cannot be created, for example because its directory does not exist.
    public static func create(_ path: String) throws(HDF5Error) -> HDF5File {
        let (identifier, output) = try Library.locked { () throws(HDF5Error) -> (hid_t, OutputFile) in
            let access = try outputAccess(path)
            let file = try Handle(
                unsafe H5Fcreate(path, chdf5_access_truncate(), chdf5_properties_default(), access.identifier),
                .file, from: "H5Fcreate", file: path)
            try access.close(file: path)
            let output = try OutputDriver.output(of: file.identifier, path)
            try output.requireWritten("H5Fcreate", path)
            return (file.release(), output)
        }
        return try HDF5File(path: path, adopting: identifier, output)
    }

    /// Opens a file for reading. The corresponding C function is `H5Fopen`.
    ///
    /// The file stays open until its last dataset is dropped too.
    ///
    /// A locked file is tried again for two seconds. Why: a process that this one starts shares its descriptors, with
    /// the locks of files that are closed here meanwhile, until it runs its own program.
    ///
    /// - Throws: when there is no such file, when it is not an HDF5 file or is truncated, or when it cannot be locked;
    ///   in the last case the message names the remedy.
    public static func open(_ path: String) throws(HDF5Error) -> HDF5File {
        for _ in 0..<100 {
            do { return try openOnce(path) } catch  where error.isLockingFailure { usleep(20_000) }
        }
        return try openOnce(path)
    }

    private static func openOnce(_ path: String) throws(HDF5Error) -> HDF5File {
        let identifier = try Library.locked { () throws(HDF5Error) -> hid_t in
            try Library.check(
                unsafe H5Fopen(path, chdf5_access_read_only(), chdf5_properties_default()), "H5Fopen", path)
        }
        return try HDF5File(path: path, adopting: identifier, nil)
    }

    private init(path: String, adopting identifier: hid_t, _ output: OutputFile?) throws(HDF5Error) {
        self.handle = try Handle(identifier, .file, isShared: true, from: "H5Fopen", file: path)
        self.path = path
        self.output = output
    }

    /// Whether the file has a dataset `name`. The corresponding C function is `H5Lexists`.
    public borrowing func contains(_ name: String) throws(HDF5Error) -> Bool {
        let (identifier, path) = (handle.identifier, path)
        return try Library.locked { () throws(HDF5Error) in
            try Library.check(unsafe H5Lexists(identifier, name, chdf5_properties_default()), "H5Lexists", path) > 0
        }
    }

    /// Writes out what is buffered and closes the file. The corresponding C function is `H5Fclose`.
    ///
    /// Traps when a dataset of the file is still open, which is a program error.
    ///
    /// - Throws: when the file could not be written completely.
    public consuming func close() throws(HDF5Error) {
        let path = self.path
        let output = self.output
        let handle = self.handle
        let identifier = handle.identifier
        try Library.locked { () throws(HDF5Error) in
            let open = try Library.check(
                H5Fget_obj_count(identifier, chdf5_objects_all_local()), "H5Fget_obj_count", path)
            precondition(open == 1, "\(path) is closed while \(open - 1) of its datasets are open")
        }
        try handle.close(file: path)
        try output?.requireWritten("H5Fclose", path)
    }

    /// File access for writing: by ``OutputDriver``, and datasets close with their file, so that a failed save cannot
    /// leave the file open and locked.
    private static func outputAccess(_ path: String) throws(HDF5Error) -> Handle {
        let access = try Handle(
            H5Pcreate(chdf5_class_file_access()), .propertyList, from: "H5Pcreate", file: path)
        try OutputDriver.choose(in: access.identifier, path)
        try Library.check(
            H5Pset_fclose_degree(access.identifier, H5F_CLOSE_STRONG), "H5Pset_fclose_degree", path)
        return access
    }
}

extension HDF5File {
    /// Version of the library in use, for example `1.10.8`. The corresponding C function is `H5get_libversion`.
    public static func libraryVersion() throws(HDF5Error) -> String {
        try Library.locked { () throws(HDF5Error) in
            var (major, minor, release): (UInt32, UInt32, UInt32) = (0, 0, 0)
            try Library.check(unsafe H5get_libversion(&major, &minor, &release), "H5get_libversion", "the library")
            return "\(major).\(minor).\(release)"
        }
    }
}
