// CorruptionTests - damaged checkpoints: an older one steps in, or nothing happens at all.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct CorruptionTests {
        enum Damage: CaseIterable, Sendable {
            case truncatedShard, flippedBit, missingShard, alteredIndex, missingCompletion

            /// The file that a message must name.
            var file: String {
                switch self {
                case .truncatedShard, .flippedBit, .missingShard: "shard-00001-of-00002.h5"
                case .alteredIndex: "checkpoint.h5"
                case .missingCompletion: "COMPLETE"
                }
            }

            func strike(_ folder: TemporaryFolder, _ checkpoint: String) throws {
                let path = "\(checkpoint)/\(file)"
                switch self {
                case .missingShard, .missingCompletion: try folder.remove(path)
                case .truncatedShard: try folder.write(Array(try folder.bytes(path).dropLast(100)), to: path)
                case .flippedBit, .alteredIndex:
                    var bytes = try folder.bytes(path)
                    bytes[bytes.count / 2] ^= 4
                    try folder.write(bytes, to: path)
                }
            }
        }

        private static let directory = "runs/run/checkpoints"
        private static let newest = directory + "/step-00000004"

        /// A run of 4 steps on 2 ranks with checkpoints after 2 and 4.
        private func trained() throws -> Workplace {
            let place = try Workplace()
            let result = try place.train(
                ["checkpoint.every=2", "training.stop_at_step=4", "checkpoint.keep=9"], ranks: 2)
            #expect(result.status == 0, "\(result)")
            #expect(place.checkpoints() == ["step-00000002", "step-00000004"])
            return place
        }

        @Test(arguments: Damage.allCases)
        func fallsBackToTheOlder(damage: Damage) throws {
            let place = try trained()
            try damage.strike(place.folder, Self.newest)
            // Once under mpirun is enough: who verifies what is the same code for all kinds of damage.
            let result = try place.train(["checkpoint.every=2"], ranks: damage == .flippedBit ? 4 : 1)
            #expect(result.status == 0, "\(result)")
            #expect(result.messages == [], "\(result)")
            let named = result.warnings.filter { $0.contains("step-00000004/\(damage.file)") }
            #expect(named.count == 1, "\(result)")
            #expect(result.warnings.contains { $0.contains("renamed") && $0.hasSuffix("step-00000004.corrupt") })
            #expect(result.output.contains("continuing from \(Self.directory)/step-00000002, step 2"), "\(result)")
            #expect(place.folder.exists(Self.newest + ".corrupt/checkpoint.h5"))
            #expect(place.checkpoints() == ["step-00000002", "step-00000004", "step-00000006"])
            // Steps 3 and 4 were taken twice: both rows stay, the last counts.
            let rows = try place.metrics().rows.filter { $0.keys.contains("loss") }
            #expect(rows.compactMap { $0.number("step") } == [1, 2, 3, 4, 3, 4, 5, 6])
        }

        @Test(arguments: [1, 4]) func noneVerifies(ranks: Int) throws {
            let place = try trained()
            for step in ["step-00000002", "step-00000004"] {
                try Damage.flippedBit.strike(place.folder, "\(Self.directory)/\(step)")
            }
            try expectRefusal(place, [], ranks: ranks, names: [Self.directory, "none of its 2 checkpoints verifies"])
        }

        /// The next start after a quarantine of all must not take the directory for an empty one either.
        @Test func onlyQuarantinedOnesAreLeft() throws {
            let place = try trained()
            for step in ["step-00000002", "step-00000004"] {
                try place.folder.move("\(Self.directory)/\(step)", to: "\(Self.directory)/\(step).corrupt")
            }
            try expectRefusal(place, [], ranks: 1, names: ["step-00000002.corrupt"])
        }

        @Test(arguments: [1, 4]) func explicitOneIsBad(ranks: Int) throws {
            let place = try trained()
            try Damage.truncatedShard.strike(place.folder, Self.newest)
            try expectRefusal(
                place, ["--resume", Self.newest], ranks: ranks,
                names: ["\(Self.newest)/shard-00001-of-00002.h5", "bytes"])
        }

        @Test(arguments: [1, 4]) func explicitOneIsMissing(ranks: Int) throws {
            let place = try trained()
            try expectRefusal(place, ["--resume", "absent"], ranks: ranks, names: ["absent", "no such directory"])
        }

        /// Reading a checkpoints directory changes nothing in it, and uses its newest that verifies.
        @Test func readersFallBackWithoutRenaming() throws {
            let place = try trained()
            try Damage.flippedBit.strike(place.folder, Self.newest)
            let before = place.folder.everything()
            let result = try place.run(["inspect", Self.directory, "--json"])
            #expect(try Inspection(text: result.output).object.number("step") == 2, "\(result)")
            #expect(result.warnings.count == 1, "\(result)")
            for command in [["inspect"], ["generate", "--prompt", "a"], ["eval", "--data", "held-out.txt"]] {
                let bad = try place.run([command[0], Self.newest] + command.dropFirst())
                expectOneMessage(bad, status: 3, names: ["shard-00001-of-00002.h5"])
            }
            #expect(place.folder.everything() == before)
        }

        /// Status 3, and everything stays as it is.
        private func expectRefusal(
            _ place: Workplace, _ options: [String], ranks: Int, names: [String],
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let before = place.folder.everything()
            let rows = try place.folder.text("runs/run/metrics.jsonl")
            let result = try place.train(options: options, ranks: ranks)
            expectOneMessage(result, status: 3, names: names, sourceLocation: sourceLocation)
            #expect(place.folder.everything() == before, sourceLocation: sourceLocation)
            #expect(try place.folder.text("runs/run/metrics.jsonl") == rows, sourceLocation: sourceLocation)
        }
    }
}
