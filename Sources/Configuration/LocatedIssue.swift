// LocatedIssue - a mistake of a configuration with its exact place.

/// A mistake with its exact place. ``ConfigurationError`` sorts mistakes by place.
struct LocatedIssue: Sendable {
    var origin: Origin
    var key: String
    var found: String
    var allowed: String

    init(at origin: Origin, key: String, found: String, allowed: String) {
        self.origin = origin
        self.key = key
        self.found = found
        self.allowed = allowed
    }
}
