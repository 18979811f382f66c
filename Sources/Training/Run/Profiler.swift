// Profiler - `logging.profile`: the phases of every rank, gathered on rank 0 after each step.

internal import JobRuntime
internal import Kernels
internal import MessagePassing
internal import Reporting

/// Records the phases of steps. Every rank makes one and calls it alike.
final class Profiler {
    /// Steps of this process whose events go into the trace; the phases' sums go into every metrics row.
    static let tracedSteps = 100

    private let communicator: Communicator
    private let phases: PhaseRecorder
    private let trace: TraceFile?
    /// The recorder's clock when all ranks had met: their common zero, nanoseconds.
    private let origin: UInt64
    private var remaining = Profiler.tracedSteps

    /// - Parameter directory: the run directory, in which rank 0 writes `trace.json`; an earlier one becomes `trace.N.json`.
    init(_ communicator: Communicator, _ console: Console, _ phases: PhaseRecorder, directory: String) throws {
        self.communicator = communicator
        self.phases = phases
        trace = try communicator.agreed {
            guard communicator.rank == 0 else { return nil }
            let path = directory + "/trace.json"
            if let moved = try RunDirectory.setAside(path) { console.line("earlier trace moved to \(moved)") }
            return try TraceFile(path: path)
        }
        let hosts = try communicator.allGather(Array(communicator.host.utf8))
        try communicator.barrier()
        origin = PhaseRecorder.monotonicNanoseconds()
        try communicator.agreed {
            for (rank, host) in hosts.enumerated() {
                try trace?.name(rank: rank, "rank \(rank) on \(String(decoding: host, as: UTF8.self))")
            }
        }
    }

    func stepBegins() { phases.begin(keepingEvents: remaining > 0) }

    /// Gathers the step's events; returns this rank's phases in seconds.
    func stepEnds(_ step: Int) throws -> [(phase: Phase, seconds: Double)] {
        phases.end()
        if remaining > 0 {
            remaining -= 1
            let all = try communicator.allGather(Self.encode(phases.events, origin))
            try communicator.agreed {
                guard let trace else { return }
                for (rank, bytes) in all.enumerated() { try trace.append(Self.decode(bytes), rank: rank, step: step) }
                if remaining == 0 { try trace.close() }
            }
        }
        return Phase.allCases.map { ($0, phases.seconds(of: $0)) }
    }

    /// Ends the trace of a run that was shorter.
    func close() throws {
        try communicator.agreed { if remaining > 0 { try trace?.close() } }
    }

    private static func encode(_ events: [PhaseEvent], _ origin: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32 * events.count)
        for event in events {
            let numbers = [Int64(event.phase.rawValue), Int64(event.detail)]
            let times = [Int64(event.start) - Int64(origin), Int64(event.duration)]
            for number in numbers + times {
                for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
            }
        }
        return bytes
    }

    private static func decode(_ bytes: [UInt8]) -> [PhaseEvent] {
        let numbers = stride(from: 0, to: bytes.count, by: 8).map { (start: Int) -> Int64 in
            (0..<8).reduce(Int64(0)) { (number: Int64, place: Int) -> Int64 in
                number | Int64(bytes[start + place]) << Int64(8 * place)
            }
        }
        return stride(from: 0, to: numbers.count, by: 4).map { index in
            PhaseEvent(
                phase: Phase(rawValue: Int(numbers[index])) ?? .other, detail: Int(numbers[index + 1]),
                start: UInt64(max(numbers[index + 2], 0)), duration: UInt64(numbers[index + 3]))
        }
    }
}
