// LaunchChecks - checks of the launch: lone ranks, shared memory, equal programs, equal machines.

internal import JobRuntime
internal import LinearAlgebra
internal import MessagePassing
internal import Reporting

enum LaunchChecks {
    static func results(_ all: [NodeFacts]) -> [CheckResult] {
        CheckResult.grouped(.ranksAlone, all, alone)
            + CheckResult.grouped(.sharedMemory, nodesOf: all) { withoutWindow($0, all) }
            + samePrograms(all) + sameMachines(all)
    }

    // MARK: Ranks that do not find each other
    static func alone(_ facts: NodeFacts) -> Diagnosis? {
        facts.launch.announced.flatMap { alone($0, ranks: facts.size, library: facts.launch.library) }
    }

    /// A fault if MPI sees fewer `ranks` than the launcher announced; nil otherwise.
    static func alone(_ announced: LauncherVariables.Announcement, ranks: Int, library: String) -> Diagnosis? {
        guard announced.ranks > ranks else { return nil }
        let seen =
            ranks == 1
            ? "every rank thinks that it is alone, rank 0 of 1, and would train the whole run by itself"
            : "MPI sees only \(ranks)"
        return .fault(
            "the launcher has started \(announced.ranks) ranks (\(announced.variable)=\(announced.ranks)), but \(seen)",
            remedy: remedy(announced.launcher, library: library))
    }

    private static func remedy(_ launcher: LauncherVariables.Launcher, library: String) -> String {
        switch launcher {
        case .slurm:
            "start with srun --mpi=pmix (srun --mpi=list says what this Slurm has), or with mpirun inside the allocation"
        case .pmi:
            "PMI_SIZE is set by the mpiexec of another MPI (MPICH, Intel MPI) or by srun --mpi=pmi2, and this program uses "
                + "\(library): start it with that library's mpirun, or with srun --mpi=pmix"
        case .openMPI:
            "mpirun belongs to another Open MPI than this program's library, \(library): put that one's mpirun first in PATH, "
                + "on all nodes and inside containers too"
        }
    }

    /// The fault of several ranks under srun without PMI or PMIx: MPI cannot start.
    static func stranded(_ announced: LauncherVariables.Announcement) -> Diagnosis {
        .fault(
            "srun has started \(announced.ranks) ranks (\(announced.variable)=\(announced.ranks)) without PMIx, by which they "
                + "would find each other: every rank thinks that it is alone, or Open MPI ends it at the start",
            remedy: remedy(.slurm, library: ""))
    }

    // MARK: Shared memory

    private static func withoutWindow(_ node: [NodeFacts], _ all: [NodeFacts]) -> Diagnosis? {
        let facts = node[0]
        guard facts.nodeSize > 1, !facts.launch.usesSharedMemory else { return nil }
        let slow = "the ranks of a node exchange gradients by messages, which is slower than through shared memory"
        let room = facts.launch.sharedMemory
        if room.freeBytes < room.neededBytes {
            return .warning(
                "\(slow): \(room.directory) has \(ByteText.of(room.freeBytes)) free, and "
                    + "\(ByteText.of(room.neededBytes)) are needed",
                remedy:
                    "make \(room.directory) larger (mount -o remount,size=..., docker run --shm-size=1g) or remove what old "
                    + "jobs have left there; OMPI_MCA_osc_sm_backing_directory names another directory")
        }
        let sizes = all.filter { $0.nodeRank == 0 }.map(\.nodeSize)
        guard let least = sizes.min(), let most = sizes.max(), least < most else {
            return .warning(
                "\(slow): another node has no room for it", remedy: "look at the finding for that node")
        }
        return .warning(
            "\(slow): nodes have \(least) to \(most) ranks", remedy: "start the same number of ranks on every node")
    }

    // MARK: Ranks that differ

    private static func samePrograms(_ all: [NodeFacts]) -> [CheckResult] {
        guard let first = all.first else { return [] }
        return CheckResult.grouped(.sameProgram, all) { facts in
            guard facts.launch.programHash == first.launch.programHash else {
                return .fault(
                    "another build of the program than on rank 0 (\(first.host))",
                    remedy: "install one build on all nodes, or run it from a shared directory")
            }
            guard facts.launch.library == first.launch.library, facts.storage.hdf5Version == first.storage.hdf5Version
            else {
                return .fault(
                    "\(facts.launch.library), HDF5 \(facts.storage.hdf5Version) instead of rank 0's "
                        + "\(first.launch.library), HDF5 \(first.storage.hdf5Version)",
                    remedy: "install the same libraries on all nodes, or load the same modules")
            }
            return nil
        }
    }

    private static func sameMachines(_ all: [NodeFacts]) -> [CheckResult] {
        guard let first = all.first else { return [] }
        func identity(_ facts: NodeFacts) -> String {
            ([facts.processor.model] + facts.processor.backends.map(\.identity)).joined(separator: ", ")
        }
        let variables = BLASBackends.all.compactMap { $0.kernelVariables.first }.joined(separator: ", ")
        return CheckResult.grouped(.sameMachine, all) { facts in
            guard identity(facts) != identity(first) else { return nil }
            let isReproducible = facts.plan?.isReproducible ?? false
            return Diagnosis(
                severity: isReproducible ? .fault : .warning,
                what:
                    "another processor or other kernels than on rank 0: \(identity(facts)) instead of \(identity(first))"
                    + (isReproducible ? "; training.reproducible refuses that" : ""),
                remedy:
                    "run on nodes of one kind, with the same environment on all (\(variables)): all wait for "
                    + "the slowest rank, and results are not the same bits as elsewhere")
        }
    }
}
