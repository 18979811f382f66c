// StorageProbeTests - facts of writable, missing and refused directories, which are left as they were.

import Foundation
import Testing
import TestSupport

@testable import ClusterDoctor

@Suite struct StorageProbeTests {
    private func probe(_ directory: String, tag: String = "1") -> StorageProbe {
        StorageProbe(directory: directory, environment: ["HDF5_USE_FILE_LOCKING": "FALSE"], tag: tag)
    }

    @Test func aDirectoryIsTriedAndLeftAsItWas() throws {
        let folder = try TemporaryFolder()
        for name in ["step-00000010", "step-00000020", "step-00000005.corrupt", "lock"] {
            try FileManager.default.createDirectory(atPath: folder.path(name), withIntermediateDirectories: false)
        }
        let before = folder.names()
        let facts = try probe(folder.path).run()
        #expect(facts.problem == nil && facts.lockProblem == nil && facts.hdf5Problem == nil, "\(facts)")
        #expect(facts.directory == facts.probed)
        #expect(facts.freeBytes > 0 && facts.lockVariable == "FALSE" && facts.checkpoints == 2)
        #expect(facts.hdf5Version.split(separator: ".").count == 3)
        #expect(folder.names() == before)
    }

    /// The run will make the directory. Until then its nearest parent is tested.
    @Test func aDirectoryThatDoesNotExistIsNotMade() throws {
        let folder = try TemporaryFolder()
        let facts = try probe(folder.path("a/b")).run()
        #expect(facts.problem == nil && facts.hdf5Problem == nil, "\(facts)")
        #expect(facts.directory.hasSuffix("/a/b"))
        #expect(facts.directory == facts.probed + "/a/b")
        #expect(folder.names() == [])
    }

    @Test(arguments: ["file", "file/a/b"]) func aFileInTheWayIsAProblem(_ name: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "file")
        let facts = try probe(folder.path(name)).run()
        #expect(facts.problem == "Not a directory", "\(facts)")
        #expect(folder.names() == ["file"])
    }

    @Test func aPlaceWhereNothingCanBeMade() throws {
        let facts = try probe("/proc/nothing").run()
        #expect(facts.problem != nil && facts.probed == "/proc", "\(facts)")
    }

    @Test func otherRanksSeeTheBeacon() throws {
        let folder = try TemporaryFolder()
        let (first, second) = (probe(folder.path, tag: "a"), probe(folder.path, tag: "b"))
        let elsewhere = try TemporaryFolder()
        #expect(first.makeBeacon())
        #expect(second.sees(first.beacon))
        #expect(!probe(elsewhere.path, tag: "c").sees(first.beacon))
        first.removeBeacon()
        #expect(folder.names() == [])
    }
}
