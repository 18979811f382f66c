// Group - the ranks that one collective operation runs between: all of the job, or some of them.

internal import CMPI

/// One of the library's communicators. Safe: the handle is only given back to the library, and freed by its owner.
@safe struct Group {
    let handle: MPI_Comm
    /// This process among the group's, from 0.
    let rank: Int
    /// Processes of the group.
    let size: Int

    /// Sets the handle's errors to be returned: the library's default would end the process inside a call, without a word
    /// about rank and cause.
    init(_ handle: MPI_Comm, at site: CallSite) throws(MPIError) {
        try site.check(unsafe MPI_Comm_set_errhandler(handle, cmpi_errors_return()), "MPI_Comm_set_errhandler")
        var rank: Int32 = 0
        var size: Int32 = 0
        try site.check(unsafe MPI_Comm_rank(handle, &rank), "MPI_Comm_rank")
        try site.check(unsafe MPI_Comm_size(handle, &size), "MPI_Comm_size")
        unsafe self.handle = handle
        self.rank = Int(rank)
        self.size = Int(size)
    }

    /// This process alone. Safe without the library: nobody gives the handle back to it.
    static var alone: Group { unsafe Group(alone: cmpi_comm_world()) }

    private init(alone handle: MPI_Comm) {
        unsafe self.handle = handle
        rank = 0
        size = 1
    }

    /// The processes of the group on this node, in their order. The corresponding C function is `MPI_Comm_split_type`.
    func nodeGroup(at site: CallSite) throws(MPIError) -> Group {
        var part: MPI_Comm?
        try site.check(
            unsafe MPI_Comm_split_type(
                handle, Int32(MPI_COMM_TYPE_SHARED), Int32(rank), cmpi_info_null(), &part),
            "MPI_Comm_split_type")
        guard let part = unsafe part else {
            throw site.error(.internal, "MPI_Comm_split_type", "the library returned no communicator for this node")
        }
        return try unsafe Group(part, at: site)
    }

    /// The processes of the group that give the same `color`, in the order of their `key`. The corresponding C function is
    /// `MPI_Comm_split`.
    func split(color: Int, key: Int, at site: CallSite) throws(MPIError) -> Group {
        var part: MPI_Comm?
        try site.check(unsafe MPI_Comm_split(handle, Int32(color), Int32(key), &part), "MPI_Comm_split")
        guard let part = unsafe part else {
            throw site.error(.internal, "MPI_Comm_split", "the library returned no communicator")
        }
        return try unsafe Group(part, at: site)
    }

    /// The same processes, whose messages never meet those of this group. The corresponding C function is
    /// `MPI_Comm_dup`.
    func duplicate(at site: CallSite) throws(MPIError) -> Group {
        var copy: MPI_Comm?
        try site.check(unsafe MPI_Comm_dup(handle, &copy), "MPI_Comm_dup")
        guard let copy = unsafe copy else {
            throw site.error(.internal, "MPI_Comm_dup", "the library returned no communicator")
        }
        return try unsafe Group(copy, at: site)
    }

    /// Gives the handle back; all ranks of the group call it. The corresponding C function is `MPI_Comm_free`.
    func free(at site: CallSite) throws(MPIError) {
        var handle: MPI_Comm? = unsafe handle
        try site.check(unsafe MPI_Comm_free(&handle), "MPI_Comm_free")
    }
}
