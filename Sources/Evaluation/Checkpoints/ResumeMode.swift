// ResumeMode - the option `--resume`.

/// The option `--resume`.
public enum ResumeMode: Sendable, Equatable {
    /// The newest checkpoint that verifies; a new run if there is no checkpoint at all.
    case auto
    /// A new run, in a directory without checkpoints.
    case never
    /// A step directory, or a checkpoints directory.
    case path(String)

    public init(_ text: String) {
        switch text {
        case "auto": self = .auto
        case "never": self = .never
        default: self = .path(text)
        }
    }
}
