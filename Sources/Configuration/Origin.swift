// Origin - the place where a value of a configuration was written.

/// The place where a node was written. Origins sort by place: the file first, then the overrides in their order.
struct Origin: Equatable, Sendable, Comparable {
    /// The file's name, or `--set KEY=VALUE` for an override.
    var file: String
    /// Line of the file, from 1; nil for an override.
    var line: Int?
    /// Column of the line, from 1.
    var column = 1
    /// 0 for the file, n for the n-th override.
    var source = 0

    static func < (left: Origin, right: Origin) -> Bool {
        (left.source, left.line ?? 0, left.column) < (right.source, right.line ?? 0, right.column)
    }
}
