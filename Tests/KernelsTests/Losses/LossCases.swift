// LossCases - the losses that the tests of the head run over, and the reference of each kind.

import Kernels
import TestSupport

/// Losses of every kind.
let losses: [LossConfiguration] = LossConfiguration.Kind.allCases.flatMap { kind in
    switch kind {
    case .mile:
        [
            LossConfiguration(kind: .mile, gamma: 1), LossConfiguration(kind: .mile, gamma: 0.5, sigma: 0.25),
            LossConfiguration(kind: .mile, gamma: 2, sigma: 0), LossConfiguration(kind: .mile, gamma: -1),
            LossConfiguration(kind: .mile, gamma: 1, probabilityFloor: 1e-8),
            LossConfiguration(kind: .mile, gamma: 1, probabilityFloor: 0.05),
        ]
    case .focal: [LossConfiguration(kind: .focal, gamma: 1), LossConfiguration(kind: .focal, gamma: 2.5)]
    case .crossEntropy: [LossConfiguration(kind: .crossEntropy)]
    }
}

extension LossConfiguration {
    /// The rule of token weights in the reference.
    var referenceWeight: ReferenceWeight {
        switch kind {
        case .mile: .mile(gamma: gamma, sigma: sigma)
        case .focal: .focal(gamma: gamma)
        case .crossEntropy: .crossEntropy
        }
    }
}
