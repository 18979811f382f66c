// BLASBackends - the list of BLAS backends, and the properties that all of them share.

/// Every BLAS backend of this program.
public enum BLASBackends {
    /// Every backend, in the order of messages and columns.
    public static let all: [any BLASBackend] = [.openBLAS, .oneDNN]

    /// The backend that multiplies bf16 operands which are not upcast.
    ///
    /// It is the first backend that can do so on this processor, or on any processor where none can here.
    public static let bfloat16: any BFloat16BLASBackend = {
        let backends = all.compactMap { $0 as? any BFloat16BLASBackend }
        let backend = backends.first { $0.hasBFloat16GEMM } ?? backends.first
        guard let backend else { preconditionFailure("no BLAS backend has a bf16 GEMM") }
        return backend
    }()

    /// Whether a backend multiplies bf16 operands on this processor.
    public static let hasBFloat16GEMM = bfloat16.hasBFloat16GEMM

    /// The backend with the value `name` of `training.blas`; nil for another text.
    public static func named(_ name: String) -> (any BLASBackend)? { all.first { $0.name == name } }

    /// Makes each call of the calling thread compute on that thread alone.
    ///
    /// Every thread that computes calls it once, before its first GEMM.
    public static func useCallingThreadOnly() {
        for backend in all { backend.useThreads(1) }
    }

    /// Lets the backends compute on `count` threads of their own while `body` runs on the calling thread.
    ///
    /// Why: a peak rate is the faster one of the pool's panels and the backend's own threads.
    public static func withOwnThreads(_ count: Int, _ body: () -> Void) {
        for backend in all { backend.useThreads(count) }
        body()
        useCallingThreadOnly()
    }
}
