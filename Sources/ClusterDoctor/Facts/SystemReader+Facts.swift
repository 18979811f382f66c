// SystemReader+Facts - cores, processor and limits of this process, as the system states them.

internal import Foundation
internal import JobRuntime
internal import LinearAlgebra
internal import MessagePassing
internal import Reporting

extension SystemReader {
    // MARK: Cores

    /// - Parameters:
    ///   - allowed: of this process.
    ///   - parent: id of the process that has started this one.
    package func cores(allowed: [Int], threads: Int, isRequested: Bool, parent: Int) -> CoreFacts {
        // mpirun, or its daemon on another node, starts the ranks itself and keeps all cores that it was given.
        let isOfMpirun = launcherVariables.isOfMpirun
        return CoreFacts(
            allowed: allowed, ofLauncher: isOfMpirun ? Cores.allowed(statusFile: "\(proc)/\(parent)/status") : nil,
            threads: threads, isRequested: isRequested, quota: ControlGroup(proc: proc, sys: sys).cores)
    }

    // MARK: Processor

    package var processor: ProcessorFacts {
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

    /// `flags` of the first processor.
    var processorFlags: [String] {
        let line = text("\(proc)/cpuinfo")?.split(separator: "\n").first { $0.hasPrefix("flags") }
        return line?.split(separator: ":").last?.split(separator: " ").map(String.init) ?? []
    }

    /// `NAME=value` of the first of `names` that is set.
    private func variable(_ names: [String]) -> String? {
        names.lazy.compactMap { name in environment[name].map { "\(name)=\($0)" } }.first
    }

    // MARK: Limits

    package var limits: LimitFacts {
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

    /// A row of `/proc/self/limits`: name, soft and hard limit, unit. Nil: unlimited, or not said.
    package static func limit(_ name: String, in rows: String) -> (soft: Int?, hard: Int?) {
        guard let row = rows.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return (nil, nil) }
        let fields = row.dropFirst(name.count).split(separator: " ")
        return (fields.first.flatMap { Int($0) }, fields.dropFirst().first.flatMap { Int($0) })
    }

    /// What the kernel may still promise, where it is told to promise no more than it has.
    private var commitMemory: Int? {
        guard text("\(proc)/sys/vm/overcommit_memory")?.hasPrefix("2") == true, let memory = text("\(proc)/meminfo"),
            let limit = kibibytes("CommitLimit:", in: memory), let used = kibibytes("Committed_AS:", in: memory)
        else { return nil }
        return max(limit - used, 0)
    }

    /// The bytes of a row `name  123 kB`.
    private func kibibytes(_ name: String, in text: String?) -> Int? {
        let row = text?.split(separator: "\n").first { $0.hasPrefix(name) }
        return row?.dropFirst(name.count).split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }.map {
            $0 << 10
        }
    }

    private func names(in folder: String) -> [String] {
        // No such folder: no such device.
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }
}
