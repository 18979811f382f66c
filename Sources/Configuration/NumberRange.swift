// NumberRange - the finite numbers that a key allows, and their description.

/// An interval of finite numbers whose ends may be excluded.
struct NumberRange: Sendable, CustomStringConvertible {
    private var lower: Double
    private var includesLower: Bool
    private var upper = Double.infinity
    private var includesUpper = false

    /// Zero and above.
    static let notNegative = NumberRange(lower: 0, includesLower: true)
    /// Above zero.
    static let positive = NumberRange(lower: 0, includesLower: false)
    /// From 0 to 1, both included.
    static let share = NumberRange(lower: 0, includesLower: true, upper: 1, includesUpper: true)
    /// From 0 to below 1.
    static let belowOne = NumberRange(lower: 0, includesLower: true, upper: 1, includesUpper: false)

    func contains(_ value: Double) -> Bool {
        value.isFinite && (includesLower ? value >= lower : value > lower)
            && (includesUpper ? value <= upper : value < upper)
    }

    var description: String {
        let low = includesLower ? "of at least" : "above"
        if upper == .infinity { return "a finite number \(low) \(Int(lower))" }
        return "a number \(low) \(Int(lower)) and \(includesUpper ? "at most" : "below") \(Int(upper))"
    }
}
