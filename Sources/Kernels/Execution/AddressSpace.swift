// AddressSpace - the limit on this process's address space (`ulimit -v`, SGE's h_vmem), and the bytes left below it.

internal import Glibc

/// A limit on address space and the bytes in use.
///
/// Why: libraries do not expect a limit. OpenBLAS asks for its buffers forever, libdispatch for its threads, and other
/// libraries crash. The program therefore checks first.
public struct AddressSpace: Sendable, Equatable {
    /// Bytes that `threads` compute threads take. Each has a buffer of OpenBLAS. Each thread that the pool starts also
    /// has a stack and an arena of malloc.
    public static func bytes(threads: Int) -> Int { (128 * threads + (8 + 64) * max(threads - 1, 0)) << 20 }
    /// Bytes that libraries take besides: stacks of their own threads, buffers of HDF5 and MPI.
    public static let reserveBytes = 64 << 20
    /// Bytes that MPI takes at its start.
    public static let startBytes = 96 << 20

    /// Names by which people set the limit.
    public static let limitNames = "ulimit -v; h_vmem in SGE"

    /// The remedy of every error about too little address space for threads.
    ///
    /// - Parameter others: names of other limits that may be the cause, for example `ulimit -u`.
    static func remedy(others: String? = nil) -> String {
        "Raise the limit on address space (\(limitNames))" + (others.map { " or on \($0)" } ?? "")
            + ", or use fewer threads (training.threads, --threads)."
    }

    /// Bytes; nil: no limit.
    let limitBytes: Int?
    /// Bytes that are mapped, used or not.
    let usedBytes: Int

    public init(limitBytes: Int?, usedBytes: Int) {
        self.limitBytes = limitBytes
        self.usedBytes = usedBytes
    }

    /// Limit and use of this process, now. The corresponding C function is `getrlimit`.
    public static var current: AddressSpace {
        var limit = rlimit()
        let status = unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        // RLIM_INFINITY is the largest number.
        guard status == 0, let bytes = Int(exactly: limit.rlim_cur) else {
            return AddressSpace(limitBytes: nil, usedBytes: 0)
        }
        return AddressSpace(limitBytes: bytes, usedBytes: mappedPages() * Int(sysconf(Int32(_SC_PAGESIZE))))
    }

    /// Bytes that are left; nil: no limit.
    public var availableBytes: Int? { limitBytes.map { max($0 - usedBytes, 0) } }

    /// Checks that `bytes` are left.
    ///
    /// - Parameter purpose: user of the bytes in the message, for example `MPI`.
    /// - Throws: ``AddressSpaceError`` where fewer bytes are left.
    public func require(_ bytes: Int, for purpose: String) throws(AddressSpaceError) {
        guard let availableBytes, let limitBytes, availableBytes < bytes else { return }
        throw AddressSpaceError(
            purpose: purpose, neededBytes: usedBytes + bytes, limitBytes: limitBytes)
    }

    /// Pages that are mapped: the first number of `/proc/self/statm`; 0 where there is no such file.
    private static func mappedPages() -> Int {
        let file = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 128)
        let count = unsafe read(file, &text, text.count)
        return Int(String(decoding: text.prefix(max(count, 0)).prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)) ?? 0
    }
}

/// The error of a limit on address space that is too low.
public struct AddressSpaceError: Error, Sendable, CustomStringConvertible {
    public let purpose: String
    /// Bytes in use and bytes asked for together.
    public let neededBytes: Int
    public let limitBytes: Int

    public var description: String {
        "\(purpose) needs \((neededBytes + (1 << 20) - 1) >> 20) MiB of address space, and a process may have "
            + "\(limitBytes >> 20) MiB here. \(AddressSpace.remedy())"
    }
}
