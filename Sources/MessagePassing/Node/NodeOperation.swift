// NodeOperation - a collective operation through the window, with messages between nodes before, after or in between.

/// The steps of one operation. Passes are done by the exchange, messages by the library.
final class NodeOperation: Operation {
    enum Step {
        case pass(NodePass)
        /// Starts a collective operation between nodes.
        case messages(() throws(MPIError) -> any Operation)
    }

    let function: String
    private var steps: [Step]
    private var current = 0
    /// The operation of the current step, if it is a step of messages.
    private var messages: (any Operation)?
    private(set) var isComplete = false
    var waitsForMessages: Bool { messages != nil }
    var needsTests: Bool { messages?.needsTests ?? false }
    /// Owners of all memory in use.
    private var memory: [AnyObject]
    private var whenComplete: (() -> Void)?

    /// - Parameter whenComplete: called once, as soon as no step needs the memory any more.
    init(_ function: String, _ steps: [Step], keeping memory: [AnyObject], whenComplete: (() -> Void)? = nil) {
        self.function = function
        self.steps = steps
        self.memory = memory
        self.whenComplete = whenComplete
    }

    /// The passes among the steps, in order.
    var passes: [NodePass] {
        steps.compactMap { step in
            if case .pass(let pass) = step { return pass }
            return nil
        }
    }

    /// Whether the steps before `pass` are done.
    func canRun(_ pass: NodePass, at site: CallSite) throws(MPIError) -> Bool {
        try advance(at: site)
        if current < steps.count, case .pass(let next) = steps[current] { return next === pass }
        return false
    }

    /// Ends the current step, a pass, and starts the next one.
    func passIsDone(at site: CallSite) throws(MPIError) {
        current += 1
        try advance(at: site)
    }

    func test(at site: CallSite) throws(MPIError) -> Bool {
        try advance(at: site)
        return isComplete
    }

    /// Starts the messages of the current step. Goes on with the next step where messages are complete.
    func advance(at site: CallSite) throws(MPIError) {
        while current < steps.count {
            guard case .messages(let start) = steps[current] else { return }
            let running: any Operation
            if let messages { running = messages } else { running = try start() }
            messages = running
            guard try running.test(at: site) else { return }
            messages = nil
            current += 1
        }
        guard !isComplete else { return }
        isComplete = true
        steps = []
        current = 0
        memory = []
        whenComplete?()
        whenComplete = nil
    }
}
