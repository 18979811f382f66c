// NodeWindow - memory that all ranks of a node see: a staging buffer of each rank, and counters of its rounds.

internal import CMPI
internal import Glibc

/// A shared window of the library. Every rank writes to its own region only: pieces that others read, and two counters.
///
/// A region is a page of counters, each on a cache line of its own, and ``slotCount`` slots behind it. Round t, counted
/// over all operations, lies in slot t modulo ``slotCount``. `staged` counts the rounds that a rank has written,
/// `consumed` the rounds of which it has read all it needs. Storing a counter releases the writes before it; loading it
/// acquires them.
///
/// Safe: the addresses are valid from `init` to `close`, and only ``NodeExchange`` uses them, which ends before.
@safe final class NodeWindow {
    /// Slots of each rank. Why several: while some are read, others are written.
    static let slotCount = 4
    private static let pageBytes = 4096
    private static let consumedOffset = 128

    /// Ranks that share the window.
    let rankCount: Int
    /// Number of this process among them, from 0.
    let rank: Int
    /// Bytes of a slot, whole lines of 64.
    let slotBytes: Int
    private var handle: MPI_Win?
    private let regions: [UnsafeMutableRawPointer]

    /// Bytes that `rankCount` ranks with `stagingBytes` each take of the backing file system.
    static func byteCount(rankCount: Int, stagingBytes: Int) -> Int { rankCount * regionBytes(stagingBytes) }

    /// The least `stagingBytes`: a line of each slot for each other rank.
    static func leastStagingBytes(rankCount: Int) -> Int { slotCount * lineBytes * max(rankCount - 1, 1) }

    private static func regionBytes(_ stagingBytes: Int) -> Int {
        (pageBytes + stagingBytes + pageBytes - 1) / pageBytes * pageBytes
    }

    /// Opens the window; all ranks of `node` call it. The corresponding C function is `MPI_Win_allocate_shared`.
    ///
    /// - Parameter stagingBytes: of each rank, the same on all, at least ``leastStagingBytes(rankCount:)``.
    init(_ node: CommunicatorHandle, stagingBytes: Int, at site: CallSite) throws(MPIError) {
        var base: UnsafeMutableRawPointer?
        var handle: MPI_Win?
        let status = unsafe MPI_Win_allocate_shared(
            MPI_Aint(Self.regionBytes(stagingBytes)), 1, cmpi_info_null(), node.raw, &base, &handle)
        try site.check(status, "MPI_Win_allocate_shared")
        guard let opened = unsafe handle else {
            throw site.error(.internal, "MPI_Win_allocate_shared", "the library returned no window")
        }
        try site.check(unsafe MPI_Win_set_errhandler(opened, cmpi_errors_return()), "MPI_Win_set_errhandler")
        // The standard allows loads and stores only inside an epoch; this one lasts as long as the window.
        try site.check(unsafe MPI_Win_lock_all(Int32(MPI_MODE_NOCHECK), opened), "MPI_Win_lock_all")
        var regions: [UnsafeMutableRawPointer] = unsafe []
        for rank in 0..<node.size {
            var size: MPI_Aint = 0
            var unit: Int32 = 0
            var region: UnsafeMutableRawPointer?
            try site.check(
                unsafe MPI_Win_shared_query(opened, Int32(rank), &size, &unit, &region), "MPI_Win_shared_query")
            guard let region = unsafe region else {
                throw site.error(.internal, "MPI_Win_shared_query", "the library returned no address")
            }
            unsafe regions.append(region)
        }
        unsafe self.handle = handle
        unsafe self.regions = regions
        rankCount = node.size
        rank = node.rank
        slotBytes = stagingBytes / Self.slotCount / lineBytes * lineBytes
        // Touched by its owner first, so that the pages are near its core, and now, so that none is missing later.
        unsafe memset(regions[node.rank], 0, Self.regionBytes(stagingBytes))
    }

    /// Frees the memory; all ranks of the node call it, when none uses it any more.
    /// The corresponding C function is `MPI_Win_free`.
    func close(at site: CallSite) throws(MPIError) {
        guard let opened = unsafe handle else { return }
        try site.check(unsafe MPI_Win_unlock_all(opened), "MPI_Win_unlock_all")
        try site.check(unsafe MPI_Win_free(&handle), "MPI_Win_free")
    }

    /// Address of the slot of `rank` for `round`.
    func slot(of rank: Int, round: UInt64) -> UnsafeMutableRawPointer {
        unsafe regions[rank] + (Self.pageBytes + Int(round % UInt64(Self.slotCount)) * slotBytes)
    }

    /// Rounds that `rank` has written.
    func staged(by rank: Int) -> UInt64 { unsafe cmpi_load_acquire(counter(of: rank, at: 0)) }

    /// Rounds of which `rank` has read everything it needs.
    func consumed(by rank: Int) -> UInt64 { unsafe cmpi_load_acquire(counter(of: rank, at: Self.consumedOffset)) }

    /// Lets the others read what this rank has written in all rounds before `rounds`.
    func publishStaged(_ rounds: UInt64) { unsafe cmpi_store_release(counter(of: rank, at: 0), rounds) }

    /// Lets the others write over what this rank has read in all rounds before `rounds`.
    func publishConsumed(_ rounds: UInt64) {
        unsafe cmpi_store_release(counter(of: rank, at: Self.consumedOffset), rounds)
    }

    private func counter(of rank: Int, at offset: Int) -> UnsafeMutablePointer<UInt64> {
        unsafe (regions[rank] + offset).assumingMemoryBound(to: UInt64.self)
    }
}

/// Bytes of a cache line; pieces are whole lines, so that no element is ever cut.
let lineBytes = 64

extension NodeWindow {
    /// Free bytes of the file system in which the library makes windows; 0 if unknown.
    static func freeBytes() -> Int {
        var information = statvfs()
        guard unsafe statvfs(backingDirectory(), &information) == 0 else { return 0 }
        return Int(information.f_bavail) * Int(information.f_frsize)
    }

    /// The directory of Open MPI's windows: that of its setting, else /dev/shm if writable, else its session's folder.
    static func backingDirectory() -> String {
        for name in ["OMPI_MCA_osc_sm_backing_directory", "TMPDIR"] {
            if name == "TMPDIR", unsafe access("/dev/shm", W_OK) == 0 { return "/dev/shm" }
            if let value = unsafe getenv(name) { return unsafe String(cString: value) }
        }
        return "/tmp"
    }
}
