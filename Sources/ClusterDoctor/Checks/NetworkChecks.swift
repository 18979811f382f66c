// NetworkChecks - checks of clocks, latency, bandwidth and network interfaces.

internal import Foundation

enum NetworkChecks {
    /// Largest clock offset in seconds. Why 1: time services keep clocks a hundred times closer.
    static let largestSkew = 1.0
    /// Largest latency in seconds one way: ten times that of Gigabit Ethernet.
    static let largestLatency = 500e-6
    /// Least bandwidth in bytes per second. Gigabit Ethernet has 117e6.
    static let leastBandwidth = 100e6
    /// Least bandwidth relative to the median of all nodes.
    static let leastShare = 0.5

    static func results(_ all: [NodeFacts]) -> [CheckResult] {
        let bandwidths = all.compactMap(\.network.bandwidth).sorted()
        let median = bandwidths.isEmpty ? 0 : bandwidths[bandwidths.count / 2]
        return CheckResult.grouped(.clocks, all, skewed) + CheckResult.grouped(.latency, all, highLatency)
            + CheckResult.grouped(.bandwidth, all) { lowBandwidth($0, median: bandwidths.count > 1 ? median : 0) }
            + interfaces(all)
    }

    private static func skewed(_ facts: NodeFacts) -> Diagnosis? {
        guard let offset = facts.network.clockOffset, let uncertainty = facts.network.clockUncertainty,
            abs(offset) - uncertainty > largestSkew
        else { return nil }
        let seconds = String(format: abs(offset) < 10 ? "%.1f" : "%.0f", abs(offset))
        return .warning(
            "the clock is \(seconds) s \(offset > 0 ? "ahead of" : "behind") rank 0's: time limits, file times and logs disagree",
            remedy: "start a time service on every node (chronyd or ntpd; chronyc tracking, timedatectl)")
    }

    private static func highLatency(_ facts: NodeFacts) -> Diagnosis? {
        guard let latency = facts.network.latency, latency > largestLatency else { return nil }
        return .warning(
            String(
                format: "a message from rank 0's node takes %.0f us, more than %.0f", latency * 1e6,
                largestLatency * 1e6),
            remedy:
                "look whether MPI uses the right network (mpirun --mca btl_tcp_if_include NAME, --mca pml ucx), and whether "
                + "the node is busy")
    }

    private static func lowBandwidth(_ facts: NodeFacts, median: Double) -> Diagnosis? {
        guard let bandwidth = facts.network.bandwidth else { return nil }
        let isSlow = bandwidth < leastBandwidth
        guard isSlow || bandwidth < leastShare * median else { return nil }
        return .warning(
            String(format: "%.0f MB/s from rank 0's node", bandwidth / 1e6)
                + (isSlow
                    ? String(format: ", less than %.0f", leastBandwidth / 1e6)
                    : String(format: "; the median of all nodes is %.0f", median / 1e6)),
            remedy:
                "look at the node's cable and port (ethtool NAME: speed, duplex), and whether MPI uses the right network "
                + "(mpirun --mca btl_tcp_if_include NAME)")
    }

    /// Interfaces with one address on several nodes, as bridges of containers and virtual machines have.
    ///
    /// Why: Open MPI takes equal addresses for a common network and waits for ever.
    private static func interfaces(_ all: [NodeFacts]) -> [CheckResult] {
        let nodes = all.filter { $0.nodeRank == 0 }
        guard nodes.count > 1 else { return [] }
        var counts: [NetworkFacts.Interface: Int] = [:]
        for facts in nodes { for interface in Set(facts.network.interfaces) { counts[interface, default: 0] += 1 } }
        return CheckResult.grouped(.interfaces, all) { facts in
            guard facts.network.included == nil else { return nil }
            let excluded = (facts.network.excluded ?? "").split(separator: ",").map(String.init)
            let shared = Set(facts.network.interfaces.filter { (counts[$0] ?? 0) > 1 })
                .filter { interface in !excluded.contains { matches($0, interface) } }.sorted { $0.name < $1.name }
            guard !shared.isEmpty else { return nil }
            let others = facts.network.interfaces.first { (counts[$0] ?? 0) == 1 }?.name ?? "NAME"
            let names = shared.map { "\($0.name) (\($0.address))" }.joined(separator: ", ")
            return .warning(
                "\(names) has the same address on several nodes, as bridges of containers have: Open MPI may try to reach other "
                    + "nodes through it and hang",
                remedy: "mpirun --mca btl_tcp_if_include \(others) --mca oob_tcp_if_include \(others)")
        }
    }

    /// Whether `entry`, a name or a network such as `172.17.0.0/16`, includes `interface`.
    static func matches(_ entry: String, _ interface: NetworkFacts.Interface) -> Bool {
        func number(_ address: Substring) -> UInt32? {
            let parts = address.split(separator: ".").map { UInt32($0) }
            guard parts.count == 4 else { return nil }
            return parts.reduce(0) { sum, part in sum.flatMap { sum in part.map { sum << 8 | $0 } } }
        }
        let parts = entry.split(separator: "/")
        guard parts.count == 2, let network = number(parts[0]), let length = UInt32(parts[1]), length <= 32,
            let address = number(interface.address[...])
        else { return entry == interface.name }
        // An empty prefix includes every address: a shift by 32 gives 0.
        return (network ^ address) >> (32 - length) == 0
    }
}
