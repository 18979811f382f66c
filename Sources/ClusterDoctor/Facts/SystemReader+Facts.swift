// SystemReader+Facts - cores, processor and limits of this process, read from /proc, /sys and the libraries.

internal import Foundation
internal import JobRuntime
internal import LinearAlgebra
internal import MessagePassing
internal import Reporting

extension SystemReader {
    // MARK: Cores

    /// The cores of this process and of its launcher.
    ///
    /// - Parameters:
    ///   - allowed: core numbers in the affinity mask of this process.
    ///   - threads: compute threads of this rank.
    ///   - isRequested: whether the configuration sets `threads`.
    ///   - parent: id of the parent process.
    func cores(allowed: [Int], threads: Int, isRequested: Bool, parent: Int) -> CoreFacts {
        // mpirun, or its daemon on another node, is the parent of the ranks and stays bound to all cores of the job.
        let isOfMpirun = launcherVariables.isOfMpirun
        return CoreFacts(
            allowed: allowed, ofLauncher: isOfMpirun ? Cores.allowed(statusFile: "\(proc)/\(parent)/status") : nil,
            threads: threads, isRequested: isRequested, quota: ControlGroup(proc: proc, sys: sys).cores)
    }

    // MARK: Processor

    var processor: ProcessorFacts {
        ProcessorFacts(
            model: MachineIdentity.processor,
            units: VectorUnits(flags: processorFlags),
            backends: BLASBackends.all.map { backend in
                .init(
                    name: backend.name, identity: backend.identity, units: backend.vectorUnits,
                    variable: variable(backend.kernelVariables))
            },
            hasBFloat16GEMM: BLASBackends.hasBFloat16GEMM, tiles: tiles,
            builtFor: VersionText.instructionSet)
    }

    private var tiles: ProcessorFacts.Tiles? {
        guard TileGEMM.exist else { return nil }
        if TileGEMM.isAvailable { return .used }
        return TileGEMM.hasTiles ? .limited : .refused
    }

    /// The words behind `flags` of the first processor in /proc/cpuinfo.
    var processorFlags: [String] {
        let line = text("\(proc)/cpuinfo")?.split(separator: "\n").first { $0.hasPrefix("flags") }
        return line?.split(separator: ":").last?.split(separator: " ").map(String.init) ?? []
    }

    /// `NAME=value` of the first environment variable in `names` that is set.
    private func variable(_ names: [String]) -> String? {
        names.lazy.compactMap { name in environment[name].map { "\(name)=\($0)" } }.first
    }

    // MARK: Limits

    var limits: LimitFacts {
        let rows = text("\(proc)/self/limits") ?? ""
        let files = Self.limit("Max open files", in: rows)
        return LimitFacts(
            openFiles: files.soft, openFilesHard: files.hard,
            fileSize: Self.limit("Max file size", in: rows).soft,
            addressSpace: Self.limit("Max address space", in: rows).soft,
            coreTime: Self.limit("Max cpu time", in: rows).soft,
            lockedMemory: Self.limit("Max locked memory", in: rows).soft,
            virtualBytes: kibibytes("VmSize:", in: text("\(proc)/self/status")) ?? 0,
            availableMemory: text("\(proc)/meminfo").flatMap(MachineMemory.parse),
            groupMemory: ControlGroup(proc: proc, sys: sys).memory, commitMemory: commitMemory,
            infiniband: names(in: "\(sys)/class/infiniband"))
    }

    /// Soft and hard limit of the row `name` of `/proc/self/limits`. Nil: unlimited, or no such row.
    static func limit(_ name: String, in rows: String) -> (soft: Int?, hard: Int?) {
        guard let row = rows.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return (nil, nil) }
        let fields = row.dropFirst(name.count).split(separator: " ")
        return (fields.first.flatMap { Int($0) }, fields.dropFirst().first.flatMap { Int($0) })
    }

    /// Bytes that the kernel may still commit; nil unless `vm.overcommit_memory` is 2.
    private var commitMemory: Int? {
        guard text("\(proc)/sys/vm/overcommit_memory")?.hasPrefix("2") == true, let memory = text("\(proc)/meminfo"),
            let limit = kibibytes("CommitLimit:", in: memory), let used = kibibytes("Committed_AS:", in: memory)
        else { return nil }
        return max(limit - used, 0)
    }

    /// Bytes in a row such as `VmSize:  123 kB`.
    private func kibibytes(_ name: String, in text: String?) -> Int? {
        let row = text?.split(separator: "\n").first { $0.hasPrefix(name) }
        return row?.dropFirst(name.count).split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }.map {
            $0 << 10
        }
    }

    private func names(in folder: String) -> [String] {
        // Without the folder there is no device of this kind.
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }
}
