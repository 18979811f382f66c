// AddressSpaceTests - the errors of a limit on address space that is too low.

import Glibc
import Testing

@testable import Kernels

struct AddressSpaceTests {
    private let space = AddressSpace(limitBytes: 100 << 20, usedBytes: 90 << 20)

    @Test func theErrorNamesTheNeedTheLimitAndTheRemedy() throws {
        try space.require(10 << 20, for: "MPI")
        let error = #expect(throws: AddressSpaceError.self) { try space.require((10 << 20) + 1, for: "MPI") }
        #expect(
            error?.description
                == "MPI needs 101 MiB of address space, and a process may have 100 MiB here. Raise the limit on address space "
                + "(ulimit -v; h_vmem in SGE), or use fewer threads (training.threads, --threads).")
        try AddressSpace(limitBytes: nil, usedBytes: 90 << 20).require(1 << 40, for: "MPI")
    }

    /// The error of refused threads has the remedy of the limit on address space, and names one limit more.
    @Test func threadsNameTheSameLimit() {
        let error = ThreadPoolError(threadCount: 2, startedCount: 1, code: ENOMEM)
        #expect(
            error.description
                == "only 1 of 2 compute threads could be started: Cannot allocate memory. 2 threads need up to 328 MiB of "
                + "address space. Raise the limit on address space (ulimit -v; h_vmem in SGE) or on processes (ulimit -u), or "
                + "use fewer threads (training.threads, --threads).")
    }
}
