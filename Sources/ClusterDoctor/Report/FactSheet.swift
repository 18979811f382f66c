// FactSheet - the rows of `doctor --verbose`: names and values of facts as text.

internal import Foundation
internal import LinearAlgebra
internal import MessagePassing
internal import Reporting

/// The rows of `doctor --verbose`. A row without a value is left out.
enum FactSheet {
    static let names =
        ["program", "built for", "MPI", "shared memory", "processor"] + BLASBackends.all.map(\.title) + [
            "bf16 products", "cores", "threads", "memory", "limits", "directory", "HDF5", "plan", "interfaces", "clock",
            "network",
        ]

    /// Facts of a node. Its first rank gives the value for all its ranks.
    static let ofNodes: Set<String> = ["shared memory", "memory", "directory", "interfaces"]

    static func value(_ name: String, _ facts: NodeFacts) -> String? {
        let (launch, storage, network) = (facts.launch, facts.storage, facts.network)
        switch name {
        case "program": return "mile-dist \(launch.version), SHA-256 \(launch.programHash.prefix(16))"
        case "built for": return facts.processor.builtFor
        case "MPI": return "\(launch.library), threads \(levels[launch.threadLevel] ?? "\(launch.threadLevel)")"
        case "shared memory":
            return
                "\(launch.sharedMemory.directory), \(ByteText.of(launch.sharedMemory.freeBytes)) free, "
                + (launch.usesSharedMemory ? "used" : "not used")
        case "processor": return facts.processor.model + (facts.processor.units.map { ", \($0.name)" } ?? "")
        case "bf16 products":
            return (facts.processor.hasBFloat16GEMM ? "yes" : "no")
                + (facts.processor.tiles.map { ", AMX \($0.rawValue)" } ?? "")
        case "cores":
            return NumberRanges.text(facts.cores.allowed)
                + (facts.cores.quota.map { ", at most \($0) at a time" } ?? "")
        case "threads": return "\(facts.cores.threads)" + (facts.cores.isRequested ? " (training.threads)" : "")
        case "memory":
            let parts = [
                facts.limits.availableMemory.map { "\(ByteText.of($0)) free" },
                facts.limits.groupMemory.map { "\(ByteText.of($0)) left to the control group" },
                facts.limits.commitMemory.map { "\(ByteText.of($0)) may be promised" },
            ].compactMap(\.self)
            return parts.isEmpty ? nil : parts.joined(separator: ", ")
        case "limits": return limits(facts.limits)
        case "directory":
            return "\(storage.directory), \(ByteText.of(storage.freeBytes)) free, locks "
                + (storage.lockProblem.map { "refused (\($0))" } ?? "work")
        case "HDF5":
            return storage.hdf5Version + (storage.lockVariable.map { ", HDF5_USE_FILE_LOCKING=\($0)" } ?? "")
        case "plan":
            return facts.plan.map {
                "\($0.name): \(ByteText.of($0.memoryBytes)) per rank, checkpoints of "
                    + "\(ByteText.of($0.checkpointBytes))"
            }
        case "interfaces":
            let list = network.interfaces.map { "\($0.name) \($0.address)" }.joined(separator: ", ")
            return (list.isEmpty ? "none but the loopback" : list) + (network.included.map { ", included \($0)" } ?? "")
                + (network.excluded.map { ", excluded \($0)" } ?? "")
        case "clock":
            return network.clockOffset.map {
                String(
                    format: "%+.6f s from rank 0's, known to %.6f", $0, network.clockUncertainty ?? 0)
            }
        case "network":
            guard let latency = network.latency, let bandwidth = network.bandwidth else { return nil }
            return String(format: "%.1f us, %.0f MB/s to rank 0", latency * 1e6, bandwidth / 1e6)
        default:
            guard let backend = BLASBackends.all.first(where: { $0.title == name }) else {
                preconditionFailure("no fact is called \(name)")
            }
            return facts.processor[backend].map(text)
        }
    }

    private static let levels = [1: "FUNNELED", 2: "SERIALIZED", 3: "MULTIPLE"]

    private static func text(_ backend: ProcessorFacts.Backend) -> String {
        backend.identity + (backend.variable.map { ", \($0)" } ?? "")
    }

    private static func limits(_ limits: LimitFacts) -> String {
        func number(_ value: Int?) -> String { value.map(String.init) ?? "unlimited" }
        func size(_ value: Int?) -> String { value.map(ByteText.of) ?? "unlimited" }
        return "open files \(number(limits.openFiles)), file size \(size(limits.fileSize)), address space "
            + "\(size(limits.addressSpace)), locked memory \(size(limits.lockedMemory)), processor time "
            + (limits.coreTime.map { "\($0) s" } ?? "unlimited")
    }
}
