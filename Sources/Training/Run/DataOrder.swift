// DataOrder - `train --print-order`: which sequence of which domain stands at each position of a run.

internal import MessagePassing
package import Reporting
internal import TokenData

extension Trainer {
    /// Prints the first `count` places of the stream, a JSON line each, and ends; for those who audit the order of data.
    ///
    /// The order follows from the seed, the weights and the sizes of the domains only, so it is that of every run of this
    /// configuration, on any number of ranks and after any resume.
    package func printOrder(_ count: Int) throws -> ExitStatus {
        let stream = try loadData().training
        guard communicator.rank == 0 else { return .done }
        for start in stride(from: 0, to: count, by: 1024) {
            if console.hasLostOutput { break }
            let lines = (start..<min(start + 1024, count)).map { position in
                let place = stream.location(of: position)
                return JSONValue.object([
                    ("position", .integer(position)), ("domain", .string(stream.domains[place.domain].name)),
                    ("epoch", .integer(place.epoch)), ("sequence", .integer(place.sequence)),
                ]).text + "\n"
            }
            console.raw(lines.joined())
        }
        return .done
    }
}
