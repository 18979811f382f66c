// StepName - names such as `step-00001000.partial`.

/// The name of something in a checkpoints directory.
package struct StepName: Equatable {
    package enum Suffix: String {
        case none = ""
        case partial = ".partial"
        case replaced = ".replaced"
        case removed = ".removed"
    }

    package var step: Int
    package var suffix = Suffix.none

    package init(step: Int, suffix: Suffix = .none) {
        self.step = step
        self.suffix = suffix
    }

    /// Reads a name; nil unless ``text`` gives exactly this name.
    package init?(_ name: String) {
        guard name.hasPrefix(Self.prefix) else { return nil }
        let rest = name.dropFirst(Self.prefix.count)
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard let step = Int(digits), let suffix = Suffix(rawValue: String(rest.dropFirst(digits.count))) else {
            return nil
        }
        self.init(step: step, suffix: suffix)
        if text != name { return nil }
    }

    private static let prefix = "step-"

    package var text: String {
        let digits = String(step)
        return Self.prefix + String(repeating: "0", count: max(0, 8 - digits.count)) + digits + suffix.rawValue
    }
}
