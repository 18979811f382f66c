// FileErrorsTests - what errors of file operations say, and what is behind them.

import Foundation
import Glibc
import Testing

@testable import Reporting

@Suite struct FileErrorsTests {
    private func cocoa(_ code: CocoaError.Code, behind posix: Int32) -> any Error {
        let cause = NSError(
            domain: NSPOSIXErrorDomain, code: Int(posix), userInfo: [NSLocalizedDescriptionKey: "No space left."])
        return NSError(domain: NSCocoaErrorDomain, code: code.rawValue, userInfo: [NSUnderlyingErrorKey: cause])
    }

    @Test func theSystemsCodeIsBehindFoundationsErrors() {
        #expect(FileErrors.code(cocoa(.fileWriteUnknown, behind: ENOSPC)) == ENOSPC)
        #expect(FileErrors.code(NSError(domain: NSPOSIXErrorDomain, code: Int(EACCES))) == EACCES)
        #expect(FileErrors.code(NSError(domain: "other", code: 5)) == nil)
    }

    @Test(arguments: [(ENOSPC, true), (EDQUOT, true), (EACCES, false)])
    func wantOfSpaceIsNoLackOfRights(_ code: Int32, _ isWant: Bool) {
        #expect(FileErrors.isWantOfSpace(cocoa(.fileWriteUnknown, behind: code)) == isWant)
        #expect(FileErrors.isWantOfSpace(NSError(domain: NSPOSIXErrorDomain, code: Int(code))) == isWant)
    }

    @Test func foundationsOwnWantOfSpace() {
        let own = NSError(domain: NSCocoaErrorDomain, code: CocoaError.Code.fileWriteOutOfSpace.rawValue)
        #expect(FileErrors.isWantOfSpace(own))
        #expect(!FileErrors.isWantOfSpace(NSError(domain: NSCocoaErrorDomain, code: 4)))
    }

    @Test func aReasonHasNoFullStop() {
        #expect(FileErrors.reason(cocoa(.fileWriteUnknown, behind: ENOSPC)) == "No space left")
    }
}
