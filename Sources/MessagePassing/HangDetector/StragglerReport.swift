// StragglerReport - the outcome of an inquiry in words: which ranks are late, and where the others wait for them.

internal import Primitives

/// The ranks that are late and the waits of the others, as the inquirer knows them after the period of grace.
struct StragglerReport: Equatable {
    /// The longest that a wait should take, in seconds.
    let limit: Double
    /// Names of the nodes of all ranks.
    let hosts: [String]
    /// Reports of the ranks that wait, in the order of ranks.
    let reports: [RankReport]

    /// Nodes or places that a message lists before it only counts the rest.
    private static let longestList = 20

    init(limit: Double, hosts: [String], reports: some Sequence<RankReport>) {
        self.limit = limit
        self.hosts = hosts
        self.reports = reports.sorted { $0.rank < $1.rank }
    }

    /// The ranks that did not answer, ascending: they wait for nobody, whatever else they do.
    var missing: [Int] {
        let present = Set(reports.map(\.rank))
        return hosts.indices.filter { !present.contains($0) }
    }

    /// Whether waiting on is hopeless: a rank is missing, or all have waited for longer than the limit.
    var isStall: Bool { !missing.isEmpty || reports.allSatisfy { $0.seconds >= limit } }

    /// The report for people, in several lines.
    var message: String {
        let places = groups(reports) { Place(operation: $0.operation, activity: $0.activity) }
        let head = "waited longer than \(Self.number(limit)) s"
        let cause: String
        if !missing.isEmpty {
            let nodes = groups(missing) { hosts[$0] }.map { "\(Self.ranks($0.members)) on \($0.key)" }
            let verb = missing.count == 1 ? "has" : "have"
            cause =
                " for \(Self.list(nodes, separator: ", ")), which \(verb) not arrived: stopped, still computing, in "
                + "file I/O, or gone"
        } else if places.count == 1 {
            cause = ", although every rank has arrived in the same place: messages do not get through"
        } else {
            cause = ", although every rank waits: they wait in different places"
        }
        let waits = places.map { place in
            let verb = place.members.count == 1 ? "waits" : "wait"
            return "\(Self.ranks(place.members.map(\.rank))) \(verb) in \(place.key.activity) "
                + "(\(place.key.operation)), for \(Self.span(place.members.map(\.seconds))) s"
        }
        return head + cause + "\n  " + Self.list(waits, separator: "\n  ")
    }

    private struct Place: Hashable {
        let operation: String
        let activity: String
    }

    /// The elements grouped by key. The groups are in the order of their first elements.
    private func groups<Element, Key: Hashable>(
        _ elements: [Element], by key: (Element) -> Key
    ) -> [(key: Key, members: [Element])] {
        var groups: [(key: Key, members: [Element])] = []
        var indices: [Key: Int] = [:]
        for element in elements {
            let key = key(element)
            if let index = indices[key] {
                groups[index].members.append(element)
            } else {
                indices[key] = groups.count
                groups.append((key, [element]))
            }
        }
        return groups
    }

    /// The parts as one text. A list of more than ``longestList`` parts is cut and counts the rest.
    private static func list(_ parts: [String], separator: String) -> String {
        let rest = parts.count - longestList
        return (parts.prefix(longestList) + (rest > 0 ? ["and \(rest) more"] : [])).joined(separator: separator)
    }

    /// Ascending ranks, as in "rank 3" and "ranks 0, 1, 4-7".
    static func ranks(_ ranks: [Int]) -> String {
        let texts = consecutiveRuns(ranks).flatMap { run in
            run.count < 3 ? run.map { "\($0)" } : ["\(run.lowerBound)-\(run.upperBound)"]
        }
        return (ranks.count == 1 ? "rank " : "ranks ") + texts.joined(separator: ", ")
    }

    /// The shortest and the longest of `seconds`, rounded to whole seconds: "61 to 64".
    private static func span(_ seconds: [Double]) -> String {
        let least = number((seconds.min() ?? 0).rounded())
        let most = number((seconds.max() ?? 0).rounded())
        return least == most ? most : "\(least) to \(most)"
    }

    private static func number(_ value: Double) -> String {
        Int(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}
