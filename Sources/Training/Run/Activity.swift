// Activity - the current work of a run, in words, for the report on a run that hangs.

internal import Kernels

enum Activity: Equatable {
    case step(Int)
    case evaluation(afterStep: Int)
    case save(step: Int)

    /// To complete "rank 3 waits in ...".
    ///
    /// - Parameter phase: where a step is; of no interest elsewhere.
    func text(in phase: Phase) -> String {
        switch self {
        case .step(let number): "\(phase.name) of step \(number)"
        case .evaluation(let number): "evaluation after step \(number)"
        case .save(let number): "save of step \(number)"
        }
    }
}
