// FileErrors - the causes of failed file operations, in words for a sentence.

internal import Foundation

/// Reads the errors that Foundation throws for files.
package enum FileErrors {
    /// The system's error number behind a file error; nil where there is none.
    static func code(_ error: any Error) -> Int32? {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        let cause = underlying ?? error as NSError
        return cause.domain == NSPOSIXErrorDomain ? Int32(cause.code) : nil
    }

    /// Whether a file error says that space, inodes or a quota are used up.
    package static func isWantOfSpace(_ error: any Error) -> Bool {
        if let code = code(error) { return SystemError(code: code).isWantOfSpace }
        return (error as? CocoaError)?.code == .fileWriteOutOfSpace
    }

    /// The system's text for a file error, without a full stop, because it goes into a sentence.
    package static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        let text = underlying?.localizedDescription ?? error.localizedDescription
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
