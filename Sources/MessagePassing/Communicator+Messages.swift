// Communicator+Messages - numbers from one rank to another, for measuring the link between the two.

internal import CMPI
package import Tensors

extension Communicator {
    /// Sends `slice` to rank `receiver`, which calls ``startReceive(_:from:)`` with as many elements; messages between two
    /// ranks arrive in the order in which they were sent. The corresponding C function is `MPI_Isend`.
    ///
    /// - Parameter slice: not to be written to until the request is complete.
    package func startSend(_ slice: FloatSlice, to receiver: Int) throws(MPIError) -> Request {
        try check(peer: receiver, "MPI_Isend")
        let windows = Chunking(counts: [slice.count], limit: chunkLimit).windows
        let operation = try unsafe start("MPI_Isend", windows, keeping: [slice.arena], in: nil) {
            window, group, request in
            unsafe MPI_Isend(
                slice.address + window.lowerBound * ElementType.float.stride, Int32(window.count),
                ElementType.float.datatype, Int32(receiver), Self.messageTag, group.handle, request)
        }
        return Request(operation, of: self)
    }

    /// Receives into `slice` what rank `sender` sends. The corresponding C function is `MPI_Irecv`.
    ///
    /// - Parameter slice: not to be touched until the request is complete.
    package func startReceive(_ slice: FloatSlice, from sender: Int) throws(MPIError) -> Request {
        try check(peer: sender, "MPI_Irecv")
        let windows = Chunking(counts: [slice.count], limit: chunkLimit).windows
        let operation = try unsafe start("MPI_Irecv", windows, keeping: [slice.arena], in: nil) {
            window, group, request in
            unsafe MPI_Irecv(
                slice.address + window.lowerBound * ElementType.float.stride, Int32(window.count),
                ElementType.float.datatype, Int32(sender), Self.messageTag, group.handle, request)
        }
        return Request(operation, of: self)
    }

    /// Nothing else sends messages between single ranks in the group of all.
    private static let messageTag: Int32 = 1

    private func check(peer: Int, _ function: String) throws(MPIError) {
        try enter(function)
        guard (0..<size).contains(peer), peer != rank else {
            throw site.error(
                .argument, function, "rank \(peer) is no other rank: the ranks are 0 to \(size - 1), this is \(rank)")
        }
    }
}
