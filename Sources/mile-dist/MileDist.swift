// MileDist - the main program: parses the arguments, runs the command and ends with its exit status.

import ArgumentParser
import CStartup
import Commands
import Glibc
import JobRuntime
import Reporting

@main
enum MileDist {
    /// Runs on the process's first thread. Why not async: only this thread may call MPI.
    static func main() {
        // The checks of CStartup ran before main. This call keeps the linker from dropping them.
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
            // Bad arguments have status 2, not the 64 of ArgumentParser. Every rank found the mistake, one prints it.
            launch(.one, refusal: .badInput) { _ in throw ProgramFailure(.badInput, withoutPrefix(message)) }
        }
    }

    /// `message` without ArgumentParser's "Error: ", because the launcher puts the program's name before it.
    private static func withoutPrefix(_ message: String) -> String {
        let prefix = "Error: "
        return message.hasPrefix(prefix) ? String(message.dropFirst(prefix.count)) : message
    }
}
