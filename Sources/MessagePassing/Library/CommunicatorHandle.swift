// CommunicatorHandle - the ranks that one collective operation runs between: all ranks of the job, or some of them.

internal import CMPI

/// One of MPI's communicators (`MPI_Comm`).
///
/// Safe: the raw handle is only given back to the library, and freed by its owner.
@safe struct CommunicatorHandle {
    let raw: MPI_Comm
    /// Number of this process in the communicator, from 0.
    let rank: Int
    /// Number of processes of the communicator.
    let size: Int

    /// Makes the library return errors of calls on `raw`.
    ///
    /// Why: by default it would end the process inside a call, without a word about rank and cause.
    init(_ raw: MPI_Comm, at site: CallSite) throws(MPIError) {
        try site.check(unsafe MPI_Comm_set_errhandler(raw, cmpi_errors_return()), "MPI_Comm_set_errhandler")
        var rank: Int32 = 0
        var size: Int32 = 0
        try site.check(unsafe MPI_Comm_rank(raw, &rank), "MPI_Comm_rank")
        try site.check(unsafe MPI_Comm_size(raw, &size), "MPI_Comm_size")
        unsafe self.raw = raw
        self.rank = Int(rank)
        self.size = Int(size)
    }

    /// This process alone. Safe without the library, which never gets the handle back.
    static var alone: CommunicatorHandle { unsafe CommunicatorHandle(alone: cmpi_comm_world()) }

    private init(alone raw: MPI_Comm) {
        unsafe self.raw = raw
        rank = 0
        size = 1
    }

    /// The communicator's processes on this node, in their order. The corresponding C function is
    /// `MPI_Comm_split_type`.
    func nodeGroup(at site: CallSite) throws(MPIError) -> CommunicatorHandle {
        var part: MPI_Comm?
        try site.check(
            unsafe MPI_Comm_split_type(
                raw, Int32(MPI_COMM_TYPE_SHARED), Int32(rank), cmpi_info_null(), &part),
            "MPI_Comm_split_type")
        guard let part = unsafe part else {
            throw site.error(.internal, "MPI_Comm_split_type", "the library returned no communicator for this node")
        }
        return try unsafe CommunicatorHandle(part, at: site)
    }

    /// The communicator's processes that give the same `color`, in the order of their `key`. The corresponding C
    /// function is `MPI_Comm_split`.
    func split(color: Int, key: Int, at site: CallSite) throws(MPIError) -> CommunicatorHandle {
        var part: MPI_Comm?
        try site.check(unsafe MPI_Comm_split(raw, Int32(color), Int32(key), &part), "MPI_Comm_split")
        guard let part = unsafe part else {
            throw site.error(.internal, "MPI_Comm_split", "the library returned no communicator")
        }
        return try unsafe CommunicatorHandle(part, at: site)
    }

    /// A communicator of the same processes, whose messages never meet the messages of this one. The corresponding C
    /// function is `MPI_Comm_dup`.
    func duplicate(at site: CallSite) throws(MPIError) -> CommunicatorHandle {
        var copy: MPI_Comm?
        try site.check(unsafe MPI_Comm_dup(raw, &copy), "MPI_Comm_dup")
        guard let copy = unsafe copy else {
            throw site.error(.internal, "MPI_Comm_dup", "the library returned no communicator")
        }
        return try unsafe CommunicatorHandle(copy, at: site)
    }

    /// Frees the communicator; all its ranks call it. The corresponding C function is `MPI_Comm_free`.
    func free(at site: CallSite) throws(MPIError) {
        var raw: MPI_Comm? = unsafe raw
        try site.check(unsafe MPI_Comm_free(&raw), "MPI_Comm_free")
    }
}
