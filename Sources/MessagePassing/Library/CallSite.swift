// CallSite - the one path on which return codes of the C library become errors.

internal import CMPI
internal import Glibc

/// Who makes a call: what every error must name.
struct CallSite {
    let rank: Int
    let host: String

    /// Before `MPI_Init_thread` there is neither rank nor host to name.
    static let beforeStart = CallSite(rank: -1, host: "")

    /// The kernel's name of this node.
    static var hostName: String {
        var system = utsname()
        // It fails for a bad address only.
        guard unsafe uname(&system) == 0 else { return "this node" }
        return unsafe withUnsafePointer(to: &system.nodename) { name in
            unsafe String(cString: UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))
        }
    }

    /// Throws unless `status`, which the C function `function` returned, is `MPI_SUCCESS`.
    func check(_ status: Int32, _ function: String) throws(MPIError) {
        guard status != MPI_SUCCESS else { return }
        var code = status
        var text: String?
        if Self.canExplainErrors {
            // Codes may be more specific than classes; callers compare classes.
            var errorClass: Int32 = 0
            if unsafe MPI_Error_class(status, &errorClass) == MPI_SUCCESS { code = errorClass }
            text = unsafe Self.string(capacity: cmpi_max_error_string()) { unsafe MPI_Error_string(status, $0, $1) }
        }
        throw error(MPIError.Code(rawValue: code), function, text ?? "the library's error code \(status)")
    }

    /// Whether the library may be asked about error codes: Open MPI 4.1 ends a process that does so before
    /// `MPI_Init_thread` or after `MPI_Finalize`.
    private static var canExplainErrors: Bool {
        var hasStarted: Int32 = 0
        var hasFinished: Int32 = 0
        return unsafe MPI_Initialized(&hasStarted) == MPI_SUCCESS && MPI_Finalized(&hasFinished) == MPI_SUCCESS
            && hasStarted != 0 && hasFinished == 0
    }

    /// An error at this site.
    func error(_ code: MPIError.Code, _ function: String, _ message: String) -> MPIError {
        MPIError(code: code, function: function, message: message, rank: rank, host: host)
    }

    /// The text that `fill` writes into a buffer of `capacity` characters; nil when it does not return `MPI_SUCCESS`.
    static func string(
        capacity: Int32, fill: (UnsafeMutablePointer<CChar>, UnsafeMutablePointer<Int32>) -> Int32
    ) -> String? {
        let bytes = PinnedArray<CChar>(repeating: 0, count: Int(capacity) + 1)
        var length: Int32 = 0
        guard unsafe fill(bytes.pointer, &length) == MPI_SUCCESS else { return nil }
        return String(decoding: bytes.array.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
