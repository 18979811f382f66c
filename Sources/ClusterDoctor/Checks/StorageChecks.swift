// StorageChecks - checks of the directory of checkpoints: permission, sharing, locks, HDF5, space, files.

enum StorageChecks {
    static func results(_ all: [NodeFacts]) -> [CheckResult] {
        CheckResult.grouped(.directory, all, notWritable) + CheckResult.grouped(.sharedDirectory, all, notShared)
            + CheckResult.grouped(.fileLocks, all, withoutLocks) + CheckResult.grouped(.hdf5, all, notReadBack)
            + CheckResult.grouped(.lockVariable, all, misspelt) + CheckResult.grouped(.freeSpace, all, tooLittleSpace)
            + CheckResult.grouped(.freeFiles, all, tooFewFiles)
    }

    private static func notWritable(_ facts: NodeFacts) -> Diagnosis? {
        guard let problem = facts.storage.problem else { return nil }
        let place =
            facts.storage.probed == facts.storage.directory
            ? facts.storage.directory
            : "\(facts.storage.directory) does not exist, and nothing can be made in \(facts.storage.probed)"
        let text = "\(place): \(problem)"
        guard !facts.storage.isFull else { return .fault(text, remedy: wantOfSpaceRemedy) }
        return .fault(
            text,
            remedy:
                "choose a directory that this user may write (checkpoint.directory, logging.directory, --directory), or have "
                + "it made")
    }

    private static let wantOfSpaceRemedy =
        "make room (space, inodes or quota), or choose another file system (checkpoint.directory, logging.directory, "
        + "--directory)"

    private static func notShared(_ facts: NodeFacts) -> Diagnosis? {
        guard facts.storage.seesRankZero == false else { return nil }
        return .fault(
            "\(facts.storage.directory) does not show what rank 0 has written there: it is not one directory for all ranks",
            remedy:
                "choose a directory on a file system that all nodes mount; start all ranks in the same working directory "
                + "(mpirun --wdir) or give an absolute path")
    }

    private static func withoutLocks(_ facts: NodeFacts) -> Diagnosis? {
        let storage = facts.storage
        // With HDF5_USE_FILE_LOCKING=FALSE, HDF5 needs no locks.
        guard storage.hdf5WantsLocks else { return nil }
        return .fault(
            "\(storage.probed) refuses file locks (\(storage.lockProblem ?? "HDF5 could not lock a file")), which HDF5 asks for",
            remedy:
                "set HDF5_USE_FILE_LOCKING=FALSE for all ranks (mpirun -x HDF5_USE_FILE_LOCKING=FALSE), or have the file system "
                + "mounted with locks (Lustre: -o flock; NFS: lockd)")
    }

    private static func notReadBack(_ facts: NodeFacts) -> Diagnosis? {
        guard let problem = facts.storage.hdf5Problem, !facts.storage.hdf5WantsLocks else { return nil }
        let text = "an HDF5 file could not be written and read back: \(problem)"
        guard !facts.storage.hdf5WantsSpace else { return .fault(text, remedy: wantOfSpaceRemedy) }
        return .fault(
            text,
            remedy:
                "choose another checkpoint.directory; where that fails too, look at HDF5 \(facts.storage.hdf5Version)'s "
                + "installation")
    }

    private static func misspelt(_ facts: NodeFacts) -> Diagnosis? {
        guard let value = facts.storage.lockVariable, !["TRUE", "FALSE", "1", "0", "BEST_EFFORT"].contains(value) else {
            return nil
        }
        return .warning(
            "HDF5_USE_FILE_LOCKING=\(value) means nothing to HDF5, which goes on locking",
            remedy: "set it to FALSE to do without locks, or unset it; capital letters count")
    }

    private static func tooLittleSpace(_ facts: NodeFacts) -> Diagnosis? {
        guard let plan = facts.plan, facts.storage.problem == nil else { return nil }
        let free = facts.storage.freeBytes
        // The oldest checkpoint is removed after the new one is complete, so `keep` + 1 exist for a while.
        let missing = max(plan.keeps + 1 - facts.storage.checkpoints, 1)
        let (each, all) = (plan.checkpointBytes, missing * plan.checkpointBytes)
        guard free < all else { return nil }
        let what =
            "\(facts.storage.probed) has \(ByteText.of(free)) free; a checkpoint takes "
            + ByteText.of(each)
        let remedy = "make room, or choose another checkpoint.directory"
        return free < each
            ? .fault(what, remedy: remedy)
            : .warning(
                "\(what), and checkpoint.keep=\(plan.keeps) needs room for \(missing) more at a time",
                remedy: "\(remedy), or a smaller checkpoint.keep")
    }

    private static func tooFewFiles(_ facts: NodeFacts) -> Diagnosis? {
        guard facts.plan != nil, facts.storage.problem == nil, let free = facts.storage.freeFiles else { return nil }
        // A checkpoint has shards, index, COMPLETE and its directory. Twice: a save that replaces one needs both.
        let needed = 2 * (facts.size + 3)
        guard free < needed else { return nil }
        return .fault(
            "\(facts.storage.probed) can take \(free) more files; a checkpoint of \(facts.size) rank\(facts.size == 1 ? "" : "s") needs \(needed)",
            remedy: "remove files or ask for a larger quota of files (inodes)")
    }
}
