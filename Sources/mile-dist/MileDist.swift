// MileDist - the program: its start, and the exit status of each way that its arguments end.

import ArgumentParser
import CStartup
import Commands
import Glibc
import JobRuntime
import Reporting

@main
enum MileDist {
    /// Synchronous, on the process's first thread, which is the one that may call MPI.
    static func main() {
        // Its checks have run before this; the call only keeps them in the program.
        cstartup_link()
        StandardStreams.prepare()
        do {
            var command = try RootCommand.parseAsRoot()
            try command.run()
        } catch let status as ExitCode {
            Glibc.exit(status.rawValue)
        } catch {
            let message = RootCommand.fullMessage(for: error)
            if RootCommand.exitCode(for: error).isSuccess {
                launch(.one) { process in
                    process.console.line(message)
                    return .done
                }
            }
            // ArgumentParser's status for bad arguments is 64, ours is 2. All ranks found the mistake; the first one speaks.
            launch(.one, refusal: .badInput) { _ in throw ProgramFailure(.badInput, withoutPrefix(message)) }
        }
    }

    /// Errors start with the program's name; ArgumentParser's start with "Error: ".
    private static func withoutPrefix(_ message: String) -> String {
        let prefix = "Error: "
        return message.hasPrefix(prefix) ? String(message.dropFirst(prefix.count)) : message
    }
}
