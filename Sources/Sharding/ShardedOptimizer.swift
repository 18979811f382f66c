// ShardedOptimizer - optimizer state of one rank's shard, its update, and the all-gather of parameters (ZeRO-1).

public import Kernels
public import MessagePassing
public import Optimization
public import Tensors

/// The optimizer of a data parallel run whose state is sharded among the ranks (ZeRO-1).
///
/// A step goes through two states that cannot be used twice: ``beginStep()`` gives an ``AccumulatingGradient``, whose
/// `finish` gives a ``ReducedGradient``, whose `update` or `discard` ends the step. The gathers of an update run beside the
/// next forward pass, which waits for parameters by ``waitForParameters(before:)``.
public final class ShardedOptimizer {
    public let partition: Partition
    /// The update rule's state tensors of the owned elements, in ascending flat order (``Partition/runs(rank:)``).
    public let state: [StateTensor]
    package let reduction: GradientReduction

    let stepGradient: StepGradient
    private let communicator: Communicator
    private let layout: ShardLayout
    private let table: TensorTable
    private let decays: @Sendable (TensorTable.Entry) -> Bool
    private let replica: ParameterReplica
    /// Master weights: where the replica is bf16, the owned parameters in fp32, in the state's order.
    private let master: FloatSlice
    private let pool: ThreadPool
    private let inFlight: ExchangeInFlight

    /// - Parameters:
    ///   - stateTensors: names of the state tensors that the update rule keeps.
    ///   - table: the flat space.
    ///   - decays: whether weight decay applies to a tensor.
    ///   - isSparse: whether most of a tensor's gradient is zeros on every rank: they are not sent. In a bucket with others a
    ///     tensor counts as full.
    ///   - replica: parameters of this rank; filled by ``load(_:)`` or, in fp32, by its owner.
    ///   - gradient: the flat buffer that backward writes; its owner lends it.
    ///   - accumulationSteps: sums of a step that are scaled one by one (`normalization: reference`); otherwise 1.
    ///   - fixedPoint: the format in which micro-batches and ranks are added; nil: fp32.
    public init(
        communicator: Communicator, partition: Partition, reduction: GradientReduction, stateTensors: [String],
        table: TensorTable, decays: @escaping @Sendable (TensorTable.Entry) -> Bool,
        isSparse: (TensorTable.Entry) -> Bool = { _ in false }, replica: ParameterReplica, gradient: FloatSlice,
        accumulationSteps: Int = 1, fixedPoint: FixedPoint? = nil, pool: ThreadPool
    ) {
        precondition(partition.rankCount == communicator.size, "the partition is for \(partition.rankCount) ranks")
        precondition(replica.count == table.count && gradient.count == table.count, "buffers do not fit the table")
        self.communicator = communicator
        self.partition = partition
        self.reduction = reduction
        self.table = table
        self.decays = decays
        self.replica = replica
        self.pool = pool
        let layout = ShardLayout(partition, rank: communicator.rank)
        self.layout = layout
        state = stateTensors.map { StateTensor(name: $0, values: Arena(count: layout.count).all) }
        if case .bf16 = replica { master = Arena(count: layout.count).all } else { master = Arena(count: 0).all }
        let exchange: any ShardExchange =
            communicator.size > 1
            ? CommunicatorExchange(
                communicator: communicator, layout: layout, reduction: reduction,
                isSparse: partition.bucketsOf(isSparse, in: table), pool: pool)
            : NoExchange()
        inFlight = ExchangeInFlight(exchange, pool: pool)
        let accumulator: any GradientAccumulator =
            fixedPoint.map {
                FixedPointAccumulator($0, layout, reduction: reduction, gradient: gradient, pool: pool)
            } ?? FP32Accumulator(layout, reduction: reduction, gradient: gradient, pool: pool)
        stepGradient = StepGradient(
            accumulator, layout, gradient: gradient, accumulationSteps: accumulationSteps, inFlight: inFlight,
            pool: pool)
    }

    /// Bytes of `stateTensors` state tensors, of fp32 parameters beside a bf16 replica, and of the reduced gradient where
    /// it has a buffer of its own or is added in fixed point.
    public static func stateBytes(
        partition: Partition, rank: Int, reduction: GradientReduction, stateTensors: Int, hasMaster: Bool = false,
        hasFixedPoint: Bool = false
    ) -> Int {
        let hasShard = reduction.scatters(over: partition.rankCount) && !hasFixedPoint
        let floats = partition.count(rank: rank) * (stateTensors + (hasShard ? 1 : 0) + (hasMaster ? 1 : 0))
        let sums =
            hasFixedPoint ? FixedPointAccumulator.byteCount(partition: partition, rank: rank, reduction: reduction) : 0
        return 4 * floats + sums
    }

    /// Begins a step, whether the one before was finished or given up.
    ///
    /// Traps if the step before was given up after its reduction had begun.
    public func beginStep() -> AccumulatingGradient { AccumulatingGradient(self) }

    // MARK: Parameters

    /// The owned parameters in fp32, in pieces in the state's order.
    public var ownedParameters: [FloatSlice] {
        switch replica {
        case .fp32(let flat): partition.runs(rank: layout.rank).map { flat[$0] }
        case .bf16: [master]
        }
    }

    /// All parameters, once every one of them is the last update's; collective while an all-gather is in flight.
    public func gatheredParameters() throws(MPIError) -> ParameterReplica {
        try finishGather()
        return replica
    }

    /// Takes over `values`, all parameters in fp32: into the replica and, where that is bf16, the owned ones unrounded.
    public func load(_ values: FloatSlice) {
        precondition(values.count == table.count, "\(values.count) values for \(table.count) parameters")
        pool.load(values, into: replica)
        guard case .bf16 = replica else { return }
        var offset = 0
        for run in partition.runs(rank: layout.rank) {
            pool.copy(values[run], into: master[offset..<(offset + run.count)])
            offset += run.count
        }
    }

    // MARK: Exchange

    /// Moves gradients and parameters between ranks. Measurements replace it while nothing is in flight.
    package var exchange: any ShardExchange {
        get { inFlight.exchange }
        set { inFlight.exchange = newValue }
    }

    /// Whether every reduction and gather that was started is known to be done.
    package var isExchangeComplete: Bool { inFlight.isComplete }

    /// Starts to gather everybody's parameters, as they are, those first that forward reads first.
    package func startGathers() throws(MPIError) {
        for bucket in partition.buckets.indices.reversed() { try startGather(bucket) }
    }

    private func startGather(_ bucket: Int) throws(MPIError) {
        let range = partition.buckets[bucket]
        switch replica {
        case .fp32(let flat):
            try inFlight.add(gather: inFlight.exchange.startGather(bucket: bucket, of: flat), of: range)
        case .bf16(let flat, _):
            try inFlight.add(gather: inFlight.exchange.startGather(bucket: bucket, of: flat), of: range)
        }
    }

    /// Waits until every parameter before the flat `index` is this step's.
    public func waitForParameters(before index: Int) throws(MPIError) {
        try inFlight.waitForParameters(before: index)
    }

    /// Waits until every parameter is this step's.
    public func finishGather() throws(MPIError) { try waitForParameters(before: table.count) }

    /// Gives all ranks the tensors that a bf16 replica holds in fp32: each element is its owner's value plus zeros.
    private func gatherFP32Tensors() throws(MPIError) {
        guard case .bf16(_, let fp32Tensors) = replica else { return }
        if exchange.connectsRanks { fp32Tensors.values.fill(0) }
        var offset = 0
        for run in partition.runs(rank: layout.rank) {
            for part in fp32Tensors.parts where part.flat.overlaps(run) {
                let owned = part.flat.clamped(to: run)
                let target = (owned.lowerBound - part.flat.lowerBound)..<(owned.upperBound - part.flat.lowerBound)
                let start = offset + owned.lowerBound - run.lowerBound
                part.values[target].copy(from: master[start..<(start + owned.count)])
            }
            offset += run.count
        }
        try exchange.sum(fp32Tensors.values)
    }
}

// MARK: - The update of a shard by its reduced gradient

extension ShardedOptimizer {
    func normSquared() throws(MPIError) -> Double {
        var own: [Double] = []
        for bucket in partition.buckets.indices {
            own += GradientNorm.blockSquares(
                pool, stepGradient.accumulator.owned(bucket), blockSize: Partition.blockSize)
        }
        precondition(own.count == blockTotal(layout.rank), "blocks of rank \(layout.rank)")
        let counts = (0..<communicator.size).map(blockTotal)
        let all = try communicator.allGather(own, counts: counts)
        var next = [Int](repeating: 0, count: communicator.size)
        for rank in 1..<max(communicator.size, 1) { next[rank] = next[rank - 1] + counts[rank - 1] }
        var total = 0.0
        for bucket in partition.buckets.indices {
            for rank in 0..<communicator.size {
                for _ in 0..<partition.blockCount(bucket: bucket, rank: rank) {
                    total += all[next[rank]]
                    next[rank] += 1
                }
            }
        }
        return total
    }

    private func blockTotal(_ rank: Int) -> Int {
        partition.buckets.indices.reduce(0) { $0 + partition.blockCount(bucket: $1, rank: rank) }
    }

    func update(_ rule: any UpdateRule) throws(MPIError) {
        // Parameters on their way may not change. A rank that has computed forward has waited for them.
        try finishGather()
        let buckets = partition.buckets.indices.reversed()
        // The few fp32 tensors are exchanged first, lest they stand in a queue behind all others.
        if case .bf16 = replica {
            for bucket in buckets { updateOwned(bucket, rule) }
            try gatherFP32Tensors()
            try startGathers()
        } else {
            for bucket in buckets {
                updateOwned(bucket, rule)
                try startGather(bucket)
            }
        }
    }

    private func updateOwned(_ bucket: Int, _ rule: any UpdateRule) {
        let owned = layout.owned(bucket)
        let gradient = stepGradient.accumulator.owned(bucket)
        let shard = layout.shardRange(bucket)
        for entry in table.entries(overlapping: owned) {
            let part = owned.clamped(to: entry.range)
            let local = (part.lowerBound - owned.lowerBound)..<(part.upperBound - owned.lowerBound)
            let inShard = (shard.lowerBound + local.lowerBound)..<(shard.lowerBound + local.upperBound)
            var parameters: FloatSlice
            var rounded: BFloat16Slice?
            switch replica {
            case .fp32(let flat): parameters = flat[part]
            case .bf16(let flat, _): (parameters, rounded) = (master[inShard], flat[part])
            }
            rule.apply(
                pool, parameters: parameters, gradient: gradient[local], state: state.map { $0.values[inShard] },
                rounded: rounded, decays: decays(entry))
        }
    }
}
