// TensorTable - the one (name, shape) list that drives layout, initialisation, checkpoints, import and export.

/// An ordered list of named tensors laid out one after another in a flat index space.
///
/// Reduction, sharding, optimizer and checkpoints work on the flat space. Index `i` means the same parameter in the
/// parameter, gradient and optimizer state buffers of every rank, and in every checkpoint.
public struct TensorTable: Sendable, Equatable {
    /// The role of a tensor in the model. It decides initial values, weight decay and storage.
    public enum Kind: Sendable, Equatable {
        /// A weight matrix `[out, in]`.
        case matrix
        /// A row per token id, `[V, D]`.
        case embedding
        /// The gain of a normalization, `[D]`.
        case gain
        /// An addend of a linear layer, `[out]`.
        case bias

        /// Whether weight decay applies: to matrices and embeddings, as usual for transformers.
        public var decays: Bool {
            switch self {
            case .matrix, .embedding: true
            case .gain, .bias: false
            }
        }

        /// Whether a bf16 replica holds the tensor in fp32: the vectors.
        ///
        /// Why: gains start at 1, where a step of bf16 is 1/128, larger than an update. Biases of trained models are
        /// large too.
        public var staysFP32: Bool {
            switch self {
            case .gain, .bias: true
            case .matrix, .embedding: false
            }
        }
    }

    /// One tensor of the table.
    public struct Entry: Sendable, Equatable {
        /// Hugging Face's name, for example `model.layers.0.self_attn.q_proj.weight`.
        public let name: String
        /// Sizes, slowest first (row-major).
        public let shape: [Int]
        public let kind: Kind
        /// Indices in the flat space.
        public let range: Range<Int>

        public var count: Int { range.count }
    }

    public let entries: [Entry]
    private let indexByName: [String: Int]

    /// Lays out `tensors` in the given order; traps on a repeated name or a size below one, which are program errors.
    public init(_ tensors: [(name: String, shape: [Int], kind: Kind)]) {
        var entries: [Entry] = []
        var indexByName: [String: Int] = [:]
        var start = 0
        for (name, shape, kind) in tensors {
            precondition(!shape.isEmpty && shape.allSatisfy { $0 > 0 }, "tensor \(name) has an empty shape \(shape)")
            precondition(indexByName[name] == nil, "tensor \(name) is listed twice")
            let count = shape.reduce(1, *)
            indexByName[name] = entries.count
            entries.append(Entry(name: name, shape: shape, kind: kind, range: start..<(start + count)))
            start += count
        }
        self.entries = entries
        self.indexByName = indexByName
    }

    /// Lays out tensors of the kind `matrix`, whatever their shape.
    public init(_ tensors: [(name: String, shape: [Int])]) {
        self.init(tensors.map { ($0.name, $0.shape, .matrix) })
    }

    /// Total number of elements of the flat space.
    public var count: Int { entries.last?.range.upperBound ?? 0 }

    /// The entry called `name`, if there is one.
    public subscript(name: String) -> Entry? { indexByName[name].map { entries[$0] } }
}
