// ShardedOptimizer - gradients reduced to their owners, the owner's shard updated, parameters gathered (ZeRO stage 1).

public import Kernels
public import MessagePassing
public import Optimization
public import Tensors

/// The optimizer state of one rank: state tensors of what it owns, and the exchange around its update.
///
/// A step is `gradientIsFinal` (falling positions, while backward still runs), `finishReduction`, `normSquared`, then
/// `update` or, for a skipped step, nothing. `beginStep` comes first; a step may be given up while no reduction runs. All
/// ranks make the same calls in the same order.
///
/// Reductions run beside backward, and the gathers of ``startUpdate(_:)`` beside the update and the next forward pass: the
/// pool's calling thread lets them move between its tasks.
public final class ShardedOptimizer {
    public let partition: Partition
    /// The update rule's state tensors of the owned elements, in ascending flat order (``Partition/runs(rank:)``).
    public let state: [StateTensor]

    private let communicator: Communicator
    package let reduction: GradientReduction
    private let table: TensorTable
    private let decays: @Sendable (TensorTable.Entry) -> Bool
    /// Per bucket: whether most of its gradient is zeros.
    private let isSparse: [Bool]
    private let replica: ParameterReplica
    /// Where the replica is bf16: the owned parameters in fp32, in the state's order.
    private let master: FloatSlice
    private let gradient: FloatSlice
    private let pool: ThreadPool
    /// Reduced gradient of the owned elements, in the state's order; empty where `gradient` itself holds it.
    private let shardGradient: FloatSlice
    /// With `training.reproducible`: where the gradients of all units are added.
    private let fixed: FixedPointGradient?
    /// Per bucket: where the owned run starts in the shard's buffers.
    private let shardOffsets: [Int]
    private var pending = RequestSet()
    private var startedBuckets = 0
    /// Buckets whose parameters are on their way, in the order in which forward needs them.
    private var gathers: [Gather] = []
    /// Whether the pool looks after what is in flight.
    private var isMoving = false
    /// What went wrong between two tasks of the pool, where nothing can be thrown.
    private var failure: MPIError?
    /// Off for measurements only: nothing is sent, and ranks drift apart.
    package var exchanges = true

    /// - Parameters:
    ///   - stateTensors: names of the state tensors that the update rule keeps.
    ///   - table: the flat space.
    ///   - decays: whether weight decay applies to a tensor.
    ///   - isSparse: whether most of a tensor's gradient is zeros on every rank: they are not sent. In a bucket with others a
    ///     tensor counts as full.
    ///   - replica: parameters of this rank; filled by ``load(_:)`` or, in fp32, by whoever holds it.
    ///   - gradient: this rank's accumulated gradient, flat; with `fixedPoint`, that of the unit being computed.
    ///   - fixedPoint: the format in which units and ranks are added; nil: in fp32, units already by the caller.
    public init(
        communicator: Communicator, partition: Partition, reduction: GradientReduction, stateTensors: [String],
        table: TensorTable, decays: @escaping @Sendable (TensorTable.Entry) -> Bool,
        isSparse: (TensorTable.Entry) -> Bool = { _ in false }, replica: ParameterReplica, gradient: FloatSlice,
        fixedPoint: FixedPoint? = nil, pool: ThreadPool
    ) {
        precondition(partition.rankCount == communicator.size, "the partition is for \(partition.rankCount) ranks")
        precondition(replica.count == table.count && gradient.count == table.count, "buffers do not fit the table")
        self.communicator = communicator
        self.partition = partition
        self.reduction = reduction
        self.table = table
        self.decays = decays
        self.isSparse = partition.bucketsOf(isSparse, in: table)
        self.replica = replica
        self.gradient = gradient
        self.pool = pool
        let count = partition.count(rank: communicator.rank)
        state = stateTensors.map { StateTensor(name: $0, values: Arena(count: count).all) }
        if case .bf16 = replica { master = Arena(count: count).all } else { master = Arena(count: 0).all }
        fixed = fixedPoint.map {
            FixedPointGradient($0, partition: partition, rank: communicator.rank, reduction: reduction, pool: pool)
        }
        // What is owned of a fixed-point sum returns to its place in the gradient, which no unit needs any more.
        let needsShard = communicator.size > 1 && reduction == .reduceScatter && fixedPoint == nil
        shardGradient = Arena(count: needsShard ? count : 0).all
        var offsets = [Int](repeating: 0, count: partition.buckets.count)
        var offset = 0
        for bucket in partition.buckets.indices.reversed() {
            offsets[bucket] = offset
            offset += partition.owned(bucket: bucket, rank: communicator.rank).count
        }
        shardOffsets = offsets
    }

    /// An error that unwinds past a running reduction ends the program through `MPI_Abort`; its requests end there.
    deinit {
        if isMoving { pool.setProgressHook(nil) }
        pending.abandon()
        for gather in gathers { gather.requests.abandon() }
    }

    /// Bytes of `stateTensors` state tensors, of fp32 parameters beside a bf16 replica, and of the reduced gradient where it has a buffer of its
    /// own or is added in fixed point.
    public static func stateBytes(
        partition: Partition, rank: Int, reduction: GradientReduction, stateTensors: Int, hasMaster: Bool = false,
        hasFixedPoint: Bool = false
    ) -> Int {
        let hasShard = partition.rankCount > 1 && reduction == .reduceScatter && !hasFixedPoint
        let floats = partition.count(rank: rank) * (stateTensors + (hasShard ? 1 : 0) + (hasMaster ? 1 : 0))
        let sums =
            hasFixedPoint ? FixedPointGradient.byteCount(partition: partition, rank: rank, reduction: reduction) : 0
        return 4 * floats + sums
    }

    /// The owned parameters in fp32, in pieces in the state's order.
    public var ownedParameters: [FloatSlice] {
        switch replica {
        case .fp32(let flat): partition.runs(rank: communicator.rank).map { flat[$0] }
        case .bf16: [master]
        }
    }

    /// Takes over `values`, all parameters in fp32: into the replica and, where that is bf16, the owned ones unrounded.
    public func load(_ values: FloatSlice) {
        precondition(values.count == table.count, "\(values.count) values for \(table.count) parameters")
        pool.load(values, into: replica)
        guard case .bf16 = replica else { return }
        var offset = 0
        for run in partition.runs(rank: communicator.rank) {
            pool.copy(values[run], into: master[offset..<(offset + run.count)])
            offset += run.count
        }
    }

    /// The worst overflow of this step's fixed-point conversions on this rank; `none` if gradients are added in fp32.
    public var overflow: FixedPoint.Overflow { fixed?.overflow ?? .none }

    /// Takes over every element at or behind `position`: in fixed point it is added to the sum; behind the rank's last unit
    /// the reduction of every bucket that is complete starts, and running ones progress.
    ///
    /// - Parameters:
    ///   - isFirst: whether this is the rank's first unit of the sum.
    ///   - isLast: whether nothing follows, and reductions may start. Without fixed point the gradient is the sum already,
    ///     and calls for earlier units do nothing.
    public func gradientIsFinal(
        from position: Int, isFirst: Bool = true, isLast: Bool = true
    ) throws(MPIError) {
        fixed?.add(gradient, from: position, isFirst: isFirst)
        if isLast { try startReductions(from: position) }
    }

    /// Takes part in the reductions of all buckets with zeros: what a rank without a unit does.
    public func contributeNothing() throws(MPIError) {
        if let fixed { fixed.clear() } else { pool.clear(gradient) }
        try startReductions(from: 0)
    }

    /// Begins a step, whether the one before was finished or given up.
    public func beginStep() {
        precondition(startedBuckets == 0, "the step before was given up after its reduction had begun")
        fixed?.beginStep()
    }

    /// Starts the reductions of all buckets, as they are.
    package func startReductions() throws(MPIError) { try startReductions(from: 0) }

    private func startReductions(from position: Int) throws(MPIError) {
        guard isExchanging else { return }
        while startedBuckets < partition.buckets.count && partition.buckets[startedBuckets].lowerBound >= position {
            let bucket = startedBuckets
            startedBuckets += 1
            if let fixed {
                pending.add(
                    try fixed.startReduction(
                        bucket: bucket, place: shardRange(bucket), isSparse: isSparse[bucket], communicator,
                        parallel: pool.parallelLoop))
                continue
            }
            let buffer = gradient[partition.buckets[bucket]]
            switch reduction {
            case .reduceScatter:
                let target = shardGradient[shardRange(bucket)]
                pending.add(
                    try communicator.startReduceScatterSum(
                        buffer, counts: partition.counts(bucket: bucket), into: target, isSparse: isSparse[bucket],
                        parallel: pool.parallelLoop))
            case .allReduce:
                pending.add(try communicator.startAllReduceSum(buffer, parallel: pool.parallelLoop))
            }
        }
        _ = try communicator.progress()
        try keepMoving()
    }

    private var isExchanging: Bool { communicator.size > 1 && exchanges }

    /// From now on the pool's calling thread looks after what is in flight, between its tasks, as long as there is anything.
    private func keepMoving() throws(MPIError) {
        if let failure { throw failure }
        guard isExchangeComplete == isMoving else { return }
        isMoving.toggle()
        guard isMoving else { return pool.setProgressHook(nil) }
        pool.setProgressHook { [unowned self] in
            do throws(MPIError) { try move() } catch { failure = error }
        }
    }

    /// Nanoseconds of a poll that has moved something: one that has not takes a few thousand, a piece of the 100 KB that the
    /// library takes from a link at a time tens of them.
    private static let busyPoll: UInt64 = 10_000
    /// Nanoseconds after which a progress hook ends, whatever there still is: the other threads of the pool may be waiting.
    private static let longestProgressHook: UInt64 = 1_000_000

    /// What is done between two tasks: polls as long as they find something.
    private func move() throws(MPIError) {
        guard failure == nil else { return }
        let begin = PhaseRecorder.monotonicNanoseconds()
        var last = begin
        while try communicator.progress() {
            let now = PhaseRecorder.monotonicNanoseconds()
            guard now - last >= Self.busyPoll, now - begin < Self.longestProgressHook else { return }
            last = now
        }
    }

    /// Whether everything that was started is known to be done.
    package var isExchangeComplete: Bool { pending.isEmpty && gathers.allSatisfy { $0.requests.isEmpty } }

    /// Waits until this rank holds the sums of what it owns.
    public func finishReduction() throws(MPIError) {
        precondition(!isExchanging || startedBuckets == partition.buckets.count, "a bucket's gradient was never final")
        if let failure { throw failure }
        try pending.wait()
        startedBuckets = 0
        try keepMoving()
        guard let fixed else { return }
        for bucket in partition.buckets.indices {
            fixed.store(bucket: bucket, place: shardRange(bucket), into: gradient)
        }
    }

    /// `target += factor * gradient` over what this rank owns of the reduced gradient; `target` is as large as the flat
    /// space. For sums over several reductions in one order.
    public func addReduced(scaledBy factor: Float, to target: FloatSlice) {
        for bucket in partition.buckets.indices {
            let owned = partition.owned(bucket: bucket, rank: communicator.rank)
            pool.add(ownedGradient(bucket), scaledBy: factor, to: target[owned])
        }
    }

    /// Puts what this rank owns of `source`, which is as large as the flat space, in the place of the reduced gradient.
    public func replaceReduced(by source: FloatSlice) {
        for bucket in partition.buckets.indices {
            let owned = partition.owned(bucket: bucket, rank: communicator.rank)
            pool.copy(source[owned], into: ownedGradient(bucket))
        }
    }

    /// Whether the gradient that this rank brought to the reduction is finite; nil where it is not kept.
    public var localGradientIsFinite: Bool? {
        if let fixed { return fixed.overflow != .notFinite }
        if communicator.size > 1, reduction == .allReduce { return nil }
        return GradientNorm.blockSquares(pool, gradient, blockSize: Partition.blockSize).allSatisfy(\.isFinite)
    }

    /// Square of the norm of the whole reduced gradient, unscaled; the same bits on every rank and for any rank count
    /// that has the same gradient: per-block sums are added in the blocks' order.
    public func normSquared() throws(MPIError) -> Double {
        let rank = communicator.rank
        var own: [Double] = []
        for bucket in partition.buckets.indices {
            own += GradientNorm.blockSquares(pool, ownedGradient(bucket), blockSize: Partition.blockSize)
        }
        precondition(own.count == blockTotal(rank), "blocks of rank \(rank)")
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

    /// Updates what this rank owns and gathers everybody's parameters.
    public func update(_ rule: any UpdateRule) throws(MPIError) {
        try startUpdate(rule)
        try finishGather()
    }

    /// Updates what this rank owns and starts to gather everybody's parameters, those first that forward reads first.
    ///
    /// Until ``waitForParameters(before:)`` or ``finishGather()`` only the owned parameters may be read.
    public func startUpdate(_ rule: any UpdateRule) throws(MPIError) {
        // What is on its way may not change. Whoever has computed forward has waited for it.
        try finishGather()
        let buckets = partition.buckets.indices.reversed()
        // Its few exact tensors are exchanged first, lest they stand in a queue behind all others.
        if case .bf16 = replica {
            for bucket in buckets { updateOwned(bucket, rule) }
            try gatherExactTensors()
            try startGathers()
        } else {
            for bucket in buckets {
                updateOwned(bucket, rule)
                try startGather(bucket)
            }
        }
    }

    /// Starts to gather everybody's parameters, as they are.
    package func startGathers() throws(MPIError) {
        for bucket in partition.buckets.indices.reversed() { try startGather(bucket) }
    }

    private func startGather(_ bucket: Int) throws(MPIError) {
        guard isExchanging else { return }
        let counts = partition.counts(bucket: bucket)
        let range = partition.buckets[bucket]
        let gather = Gather(range)
        switch replica {
        case .fp32(let flat):
            gather.requests.add(
                try communicator.startAllGather(inPlace: flat[range], counts: counts, parallel: pool.parallelLoop))
        case .bf16(let flat, _):
            gather.requests.add(
                try communicator.startAllGather(inPlace: flat[range], counts: counts, parallel: pool.parallelLoop))
        }
        gathers.append(gather)
        try keepMoving()
    }

    /// Waits until every parameter before the flat `position` is this step's.
    public func waitForParameters(before position: Int) throws(MPIError) {
        if let failure { throw failure }
        while let next = gathers.first, next.range.lowerBound < position {
            gathers.removeFirst()
            try next.requests.wait()
        }
        try keepMoving()
    }

    /// Waits until every parameter is this step's.
    public func finishGather() throws(MPIError) { try waitForParameters(before: table.count) }

    /// Gives all ranks the tensors that a bf16 replica holds in fp32: each element is its owner's value plus zeros.
    private func gatherExactTensors() throws(MPIError) {
        guard case .bf16(_, let exact) = replica else { return }
        if isExchanging { exact.values.fill(0) }
        var offset = 0
        for run in partition.runs(rank: communicator.rank) {
            for part in exact.parts where part.flat.overlaps(run) {
                let owned = part.flat.clamped(to: run)
                let target = (owned.lowerBound - part.flat.lowerBound)..<(owned.upperBound - part.flat.lowerBound)
                let start = offset + owned.lowerBound - run.lowerBound
                part.values[target].copy(from: master[start..<(start + owned.count)])
            }
            offset += run.count
        }
        guard isExchanging else { return }
        try communicator.startAllReduceSum(exact.values).wait()
    }

    private func updateOwned(_ bucket: Int, _ rule: any UpdateRule) {
        let owned = partition.owned(bucket: bucket, rank: communicator.rank)
        let gradient = ownedGradient(bucket)
        let shard = shardRange(bucket)
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

    private func shardRange(_ bucket: Int) -> Range<Int> {
        let count = partition.owned(bucket: bucket, rank: communicator.rank).count
        return shardOffsets[bucket]..<(shardOffsets[bucket] + count)
    }

    private func ownedGradient(_ bucket: Int) -> FloatSlice {
        if shardGradient.count > 0 { return shardGradient[shardRange(bucket)] }
        return gradient[partition.owned(bucket: bucket, rank: communicator.rank)]
    }

    private func blockTotal(_ rank: Int) -> Int {
        partition.buckets.indices.reduce(0) { $0 + partition.blockCount(bucket: $1, rank: rank) }
    }
}

/// The parameters of a bucket on their way.
private final class Gather {
    let range: Range<Int>
    var requests = RequestSet()

    init(_ range: Range<Int>) { self.range = range }
}
