// TensorTable - the one (name, shape) list that drives layout, initialisation, checkpoints, import and export.

/// An ordered list of named tensors laid out one after another in a flat index space.
///
/// The flat space is what is reduced, sharded, optimised and stored: position `i` means the same parameter in the
/// parameter, gradient and moment buffers of every rank, and in every checkpoint.
public struct TensorTable: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        /// Hugging Face's name, for example `model.layers.0.self_attn.q_proj.weight`.
        public let name: String
        /// Sizes, slowest first (row-major).
        public let shape: [Int]
        /// Positions in the flat space.
        public let range: Range<Int>

        public var count: Int { range.count }
    }

    public let entries: [Entry]
    private let indexByName: [String: Int]

    /// Lays out `tensors` in the given order; traps on a repeated name or a size below one, which are program errors.
    public init(_ tensors: [(name: String, shape: [Int])]) {
        var entries: [Entry] = []
        var indexByName: [String: Int] = [:]
        var start = 0
        for (name, shape) in tensors {
            precondition(!shape.isEmpty && shape.allSatisfy { $0 > 0 }, "tensor \(name) has an empty shape \(shape)")
            precondition(indexByName[name] == nil, "tensor \(name) is listed twice")
            let count = shape.reduce(1, *)
            indexByName[name] = entries.count
            entries.append(Entry(name: name, shape: shape, range: start..<(start + count)))
            start += count
        }
        self.entries = entries
        self.indexByName = indexByName
    }

    /// Total number of elements of the flat space.
    public var count: Int { entries.last?.range.upperBound ?? 0 }

    /// The entry called `name`, if there is one.
    public subscript(name: String) -> Entry? { indexByName[name].map { entries[$0] } }
}
