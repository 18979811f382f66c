// ConfigurationSourceTests - where the text of a configuration may come from.

import Foundation
import Glibc
import Testing
import TestSupport

@testable import JobRuntime
@testable import Reporting

@Suite struct ConfigurationSourceTests {
    private func failure(_ path: String) -> String {
        let failure = #expect(throws: ProgramFailure.self) { try ConfigurationSource.read(path) }
        #expect(failure?.status == .badInput)
        return failure?.message ?? ""
    }

    /// What `<(cat run.yaml)` gives: a descriptor's path, which can be read once.
    @Test func aPipeIsRead() throws {
        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data("model: {}\n".utf8))
        try pipe.fileHandleForWriting.close()
        #expect(try ConfigurationSource.read("/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)") == "model: {}\n")
    }

    @Test func aFileIsRead() throws {
        let folder = try TemporaryFolder()
        try folder.write("a: \u{e4}\n", to: "run.yaml")
        #expect(try ConfigurationSource.read(folder.path("run.yaml")) == "a: \u{e4}\n")
    }

    @Test func whatIsNoConfigurationIsNamed() throws {
        let folder = try TemporaryFolder()
        #expect(failure(folder.path("absent")).contains("there is no such configuration file"))
        #expect(failure(folder.path).contains("this is a directory"))
        try Data([0xFF, 0xFE, 0x61]).write(to: URL(fileURLWithPath: folder.path("latin.yaml")))
        #expect(failure(folder.path("latin.yaml")).contains("is not UTF-8 text"))
        // It never ends.
        #expect(failure("/dev/zero").contains("more than \(ConfigurationSource.mostBytes) bytes"))
    }

    /// A descriptor's number is another one at each start, and names no run.
    @Test(arguments: [
        ("run.yaml", "run"), ("a/b.yml", "b"), ("a/b.txt", "b.txt"), ("/dev/stdin", "stdin"), ("/dev/fd/63", "pipe"),
        ("/proc/self/fd/11", "pipe"), ("/dev/fd/0", "stdin"), ("fd/63", "63"),
    ])
    func names(_ path: String, _ name: String) { #expect(ConfigurationSource.name(of: path) == name) }
}
