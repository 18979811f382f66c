// FileErrors - what an error of a file operation says, in words for a sentence.

internal import Foundation
internal import Glibc

/// Reads the errors that Foundation throws for files.
package enum FileErrors {
    /// Whether a file error says that space, inodes or a quota are used up.
    package static func isWantOfSpace(_ error: any Error) -> Bool {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        let cause = underlying ?? error as NSError
        if cause.domain == NSPOSIXErrorDomain { return SystemError(code: Int32(cause.code)).isWantOfSpace }
        return cause.domain == NSCocoaErrorDomain && cause.code == CocoaError.Code.fileWriteOutOfSpace.rawValue
    }

    /// What the system says of a file error, without a full stop: it goes into a sentence.
    package static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        let text = underlying?.localizedDescription ?? error.localizedDescription
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
