// UpdateRule - how an optimizer turns a gradient into new parameters, and which state tensors it keeps.

public import Kernels
public import Tensors

/// One update of an optimizer, with the numbers that hold for all elements of the step.
///
/// A rule is elementwise: an element's new values depend on the element's own parameter, gradient and state only. The
/// bits of an update therefore depend neither on threads nor on ranks.
///
/// Sharding, checkpoints, memory plan, prediction and benchmarks follow from ``stateTensors``.
public protocol UpdateRule: Sendable {
    /// The name that people know the rule by.
    static var title: String { get }
    /// Names of the rule's state tensors. Every tensor is fp32, has one number for each parameter, and starts at 0.
    ///
    /// Checkpoints and `inspect --json` use the names: lower-case letters, digits and `_`.
    static var stateTensors: [String] { get }
    /// The effect of the keys of `optimizer` under this rule.
    static var help: UpdateRuleHelp { get }

    /// - Parameters:
    ///   - configuration: the section `optimizer`.
    ///   - learningRate: learning rate of this update.
    ///   - update: number of this update, counted from 1 and without skipped steps.
    ///   - gradientScale: the factor on the raw gradient: normaliser times clip factor.
    init(configuration: OptimizerConfiguration, learningRate: Double, update: Int, gradientScale: Double)

    /// Updates parameters and state of a contiguous range of the flat space in one pass over memory.
    ///
    /// - Parameters:
    ///   - parameters: the range's parameters in fp32.
    ///   - gradient: raw, unscaled; as many elements as `parameters`.
    ///   - state: the range's part of each tensor of ``stateTensors``, in their order.
    ///   - rounded: receives the new parameters in bf16; nil for an fp32 replica.
    ///   - decays: whether weight decay applies (not to norm gains and biases).
    func apply(
        _ pool: ThreadPool, parameters: FloatSlice, gradient: FloatSlice, state: [FloatSlice],
        rounded: BFloat16Slice?, decays: Bool)
}

/// The effect of the keys that all rules share, in words for the configuration's help.
public struct UpdateRuleHelp: Sendable {
    /// Source and kind of the rule.
    public let kind: String
    public let beta1: String
    public let beta2: String
    public let epsilon: String
}

extension UpdateRule {
    /// Bytes that memory moves for one fp32 parameter: a pass reads gradient, parameter and state and writes the last
    /// two.
    public static var bytesPerParameter: Int { MemoryLayout<Float>.stride * (3 + 2 * stateTensors.count) }

    /// Traps unless all buffers of an update have `count` elements, and there is one for each state tensor.
    func requireSizes(_ count: Int, _ gradient: FloatSlice, _ state: [FloatSlice], _ rounded: BFloat16Slice?) {
        precondition(
            gradient.count == count && state.count == Self.stateTensors.count
                && state.allSatisfy { $0.count == count } && (rounded?.count ?? count) == count,
            "\(Self.title): buffers of different sizes")
    }
}

/// Elements per task of an update.
let updateGrain = 1 << 14
