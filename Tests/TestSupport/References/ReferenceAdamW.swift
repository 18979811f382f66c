// ReferenceAdamW - the optimizer of one process: torch.optim.AdamW's rules, element by element in double.

import Foundation

/// AdamW of one process over a flat list of parameters (Loshchilov and Hutter 2019, arXiv 1711.05101).
public struct ReferenceAdamW {
    /// The hyperparameters but the learning rate, which each update gets.
    public struct Settings {
        let beta1: Double
        let beta2: Double
        let epsilon: Double
        let weightDecay: Double

        /// Decays of the two means, the number added to the denominator, and the decoupled weight decay.
        public init(beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double) {
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
            self.weightDecay = weightDecay
        }
    }

    /// The parameters, and for each the means of its gradients and of their squares.
    public private(set) var parameters: [Double]
    public private(set) var firstMoment: [Double]
    public private(set) var secondMoment: [Double]
    private let settings: Settings
    private let decays: [Bool]
    private var updates = 0

    /// - Parameter decays: per element, whether weight decay applies.
    public init(_ settings: Settings, parameters: [Double], decays: [Bool]) {
        self.settings = settings
        self.parameters = parameters
        self.decays = decays
        firstMoment = [Double](repeating: 0, count: parameters.count)
        secondMoment = firstMoment
    }

    /// Takes the next update with a gradient of the parameters' count.
    public mutating func update(_ gradient: [Double], learningRate: Double) {
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
