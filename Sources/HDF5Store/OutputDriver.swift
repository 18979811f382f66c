// OutputDriver - the virtual file driver through which HDF5 writes to an OutputFile.

internal import CHDF5
internal import Glibc

/// The driver of files that are written. All functions are called with the library's lock held.
///
/// Files that are read use HDF5's own driver, because closing them writes nothing.
enum OutputDriver {
    /// Chooses this driver in `access`, a list of file access properties.
    static func choose(in access: hid_t, _ path: String) throws(HDF5Error) {
        try Library.check(H5Pset_driver(access, registered.get(), nil), "H5Pset_driver", path)
    }

    /// The file behind `file`, which was created with this driver.
    static func output(of file: hid_t, _ path: String) throws(HDF5Error) -> OutputFile {
        var handle: UnsafeMutableRawPointer?
        try Library.check(
            unsafe H5Fget_vfd_handle(file, chdf5_properties_default(), &handle), "H5Fget_vfd_handle", path)
        guard let handle = unsafe handle else {
            throw HDF5Error(function: "H5Fget_vfd_handle", file: path, message: "HDF5 has lost the file's driver")
        }
        return unsafe Unmanaged<OutputFile>.fromOpaque(handle).takeUnretainedValue()
    }

    /// The driver's identifier. HDF5 keeps it until the process ends.
    private static let registered = Result { () throws(HDF5Error) -> hid_t in
        try Library.check(
            unsafe chdf5_register_driver(
                { path, _, _, _ in unsafe open(path) },
                { file in unsafe close(file) },
                { file, _ in unsafe output(file).allocatedEnd },
                { file, _, end in
                    unsafe output(file).allocatedEnd = end
                    return 0
                },
                { file, _ in unsafe output(file).end },
                { file, _, handle in
                    unsafe handle?.pointee = Unmanaged.passUnretained(output(file)).toOpaque()
                    return 0
                },
                { file, _, _, address, size, buffer in unsafe read(file, address, size, buffer) },
                { file, type, _, address, size, buffer in
                    unsafe output(file).write(
                        UnsafeRawBufferPointer(start: buffer, count: size), at: address,
                        isMetadata: type != H5FD_MEM_DRAW)
                    return 0
                },
                { file, _, _ in
                    unsafe output(file).truncate()
                    return 0
                },
                { file, _ in unsafe lock(file) },
                { file in
                    attempt("unable to unlock file") { () throws(SystemCallError) in
                        try unsafe output(file).unlock()
                    }
                },
                { _, flags in
                    unsafe flags?.pointee = chdf5_driver_abilities()
                    return 0
                }),
            "H5FDregister", "the library")
    }

    // MARK: What HDF5 calls

    private static func open(_ name: UnsafePointer<CChar>?) -> UnsafeMutablePointer<H5FD_t>? {
        guard let name = unsafe name else { return nil }
        let path = unsafe String(cString: name)
        var made: OutputFile?
        let status = attempt("unable to open file: name = '\(path)'") { () throws(SystemCallError) in
            made = try OutputFile(path: path)
        }
        guard status == 0, let output = made else { return nil }
        let file = UnsafeMutablePointer<chdf5_output>.allocate(capacity: 1)
        unsafe file.initialize(to: chdf5_output())
        unsafe file.pointee.output = Unmanaged.passRetained(output).toOpaque()
        return unsafe UnsafeMutableRawPointer(file).assumingMemoryBound(to: H5FD_t.self)
    }

    private static func close(_ file: UnsafeMutablePointer<H5FD_t>?) -> herr_t {
        guard let file = unsafe file else { return -1 }
        let own = unsafe UnsafeMutableRawPointer(file).assumingMemoryBound(to: chdf5_output.self)
        unsafe output(file).close()
        if let object = unsafe own.pointee.output { unsafe Unmanaged<OutputFile>.fromOpaque(object).release() }
        unsafe own.deinitialize(count: 1)
        unsafe own.deallocate()
        return 0
    }

    private static func read(
        _ file: UnsafeMutablePointer<H5FD_t>?, _ address: haddr_t, _ size: Int, _ buffer: UnsafeMutableRawPointer?
    ) -> herr_t {
        attempt("file read failed") { () throws(SystemCallError) in
            try unsafe output(file).read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size), at: address)
        }
    }

    private static func lock(_ file: UnsafeMutablePointer<H5FD_t>?) -> herr_t {
        attempt("unable to lock file") { () throws(SystemCallError) in
            do throws(SystemCallError) {
                try unsafe output(file).lock()
            } catch {
                // A file system without locks is used without, as HDF5's own driver does unless this variable demands
                // them.
                let variable = unsafe getenv("HDF5_USE_FILE_LOCKING").map { unsafe String(cString: $0) }
                guard error.code == ENOSYS, variable != "TRUE", variable != "1" else { throw error }
            }
        }
    }

    /// Runs `body`, and puts its failure on HDF5's error stack.
    private static func attempt(_ action: String, _ body: () throws(SystemCallError) -> Void) -> herr_t {
        do throws(SystemCallError) {
            try body()
            return 0
        } catch {
            // A stack that cannot take the line has others.
            _ = unsafe chdf5_push_error("OutputDriver", "\(action), \(error.text)")
            return -1
        }
    }

    /// The Swift object of a file of this driver.
    private static func output(_ file: UnsafePointer<H5FD_t>?) -> OutputFile {
        let own = unsafe UnsafeRawPointer(file)?.assumingMemoryBound(to: chdf5_output.self)
        guard let object = unsafe own?.pointee.output else { preconditionFailure("HDF5 passed no file of this driver") }
        return unsafe Unmanaged<OutputFile>.fromOpaque(object).takeUnretainedValue()
    }

    private static func output(_ file: UnsafeMutablePointer<H5FD_t>?) -> OutputFile {
        unsafe output(UnsafePointer(file))
    }
}
