// ReferenceAdamW - the optimizer of one process: torch.optim.AdamW's rules, element by element in double.

import Foundation
import Optimization

struct ReferenceAdamW {
    private(set) var parameters: [Double]
    private(set) var firstMoment: [Double]
    private(set) var secondMoment: [Double]
    private let settings: OptimizerConfiguration
    private let decays: [Bool]
    private var updates = 0

    /// - Parameter decays: per element, whether weight decay applies.
    init(_ settings: OptimizerConfiguration, parameters: [Double], decays: [Bool]) {
        self.settings = settings
        self.parameters = parameters
        self.decays = decays
        firstMoment = [Double](repeating: 0, count: parameters.count)
        secondMoment = firstMoment
    }

    mutating func update(_ gradient: [Double], learningRate: Double) {
        updates += 1
        let correction1 = 1 - pow(settings.beta1, Double(updates))
        let correction2 = 1 - pow(settings.beta2, Double(updates))
        for i in parameters.indices {
            let g = gradient[i]
            if decays[i] { parameters[i] -= learningRate * settings.weightDecay * parameters[i] }
            firstMoment[i] = settings.beta1 * firstMoment[i] + (1 - settings.beta1) * g
            secondMoment[i] = settings.beta2 * secondMoment[i] + (1 - settings.beta2) * g * g
            let denominator = (secondMoment[i] / correction2).squareRoot() + settings.epsilon
            parameters[i] -= learningRate * (firstMoment[i] / correction1) / denominator
        }
    }
}
