// ParameterReplica - the parameters that one rank computes with, in the compute dtype of matmuls.

/// One rank's copy of all parameters, in the order of the tensor table.
public enum ParameterReplica: Sendable {
    case fp32(FloatSlice)
    /// Rounded, with a few tensors (gains and biases) in fp32 beside. Why: ``TensorTable/Kind/staysFP32``.
    case bf16(BFloat16Slice, fp32Tensors: FP32Tensors)

    /// Number of parameters.
    public var count: Int {
        switch self {
        case .fp32(let flat): flat.count
        case .bf16(let flat, _): flat.count
        }
    }

    /// Zeros in fp32.
    public static func fp32(_ table: TensorTable) -> ParameterReplica { .fp32(Arena(count: table.count).all) }

    /// Zeros in bf16, and in fp32 for the tensors that `staysFP32` chooses.
    public static func bf16(_ table: TensorTable, staysFP32: (TensorTable.Entry) -> Bool) -> ParameterReplica {
        .bf16(
            BFloat16Slice(count: table.count),
            fp32Tensors: FP32Tensors(ranges: table.entries.filter(staysFP32).map(\.range)))
    }
}

/// Tensors that stay in fp32 in a bf16 replica.
public struct FP32Tensors: Sendable {
    /// Their flat ranges, ascending.
    public let ranges: [Range<Int>]
    /// Their values, one tensor after another.
    public let values: FloatSlice

    init(ranges: [Range<Int>]) {
        self.ranges = ranges
        values = Arena(count: ranges.reduce(0) { $0 + $1.count }).all
    }

    /// The tensor at a flat range, or several tensors that follow one another.
    ///
    /// Traps when the replica does not hold the range in fp32.
    public func tensor(at range: Range<Int>) -> FloatSlice {
        var offset = 0
        var start: Int?
        var end = range.lowerBound
        for part in ranges {
            if part.lowerBound == range.lowerBound { start = offset }
            if start != nil, part.lowerBound == end, end < range.upperBound { end = part.upperBound }
            offset += part.count
        }
        guard let start, end == range.upperBound else {
            preconditionFailure("the tensors at \(range) are not kept in fp32")
        }
        return values[start..<(start + range.count)]
    }

    /// Each tensor's flat range and values.
    public var parts: [(flat: Range<Int>, values: FloatSlice)] {
        var offset = 0
        return ranges.map { range in
            defer { offset += range.count }
            return (range, values[offset..<(offset + range.count)])
        }
    }
}
