// TortureDamageTests - any damage to any file of a checkpoint is noticed, named and survived.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct TortureDamageTests {
        private static let older = "runs/run/checkpoints/step-00000002"
        private static let newest = "runs/run/checkpoints/step-00000004"
        private static let last = "runs/run/checkpoints/step-00000006"
        private static let set = ["training.reproducible=true", "checkpoint.every=2", "checkpoint.keep=9"]
        /// One case in so many is not only inspected but trained on.
        private static let casesPerTraining: UInt64 = 20

        @Test func everyDamageIsNoticed() throws {
            let begin = ContinuousClock.now
            let seed = try Torture.seed()
            let cases = try Torture.cases("MILE_TORTURE_DAMAGES", budget: 60)
            let place = try Workplace(.sharded)
            let training = try place.train(Self.set + ["training.stop_at_step=4"], ranks: 2)
            #expect(training.status == 0, "\(training)")
            try place.folder.copy("runs", to: "pristine")
            let (files, other) = (try read(Self.newest, place), try read(Self.older, place))
            let expected = try undisturbed()
            // Negative control.
            let untouched = try place.run(["inspect", Self.newest])
            #expect(untouched.status == 0, "\(untouched)")

            var trainings = 0
            for number in (0..<cases).map({ seed &+ UInt64($0) }) {
                let damage = CheckpointDamage.kind(ofCase: number)
                var random = SeededGenerator(seed: number)
                let damaged = damage.applied(to: files, other: other, random: &random)
                let changed = CheckpointDamage.names.filter { damaged[$0] != files[$0] }
                let name = "damage \(number), \(damage), changes \(changed)"
                #expect(!changed.isEmpty, "\(name)")
                for file in changed { try replace(file, by: damaged[file], place) }

                let result = try place.run(["inspect", Self.newest])
                #expect(result.status == 3 && result.messages.count == 1 && result.output.isEmpty, "\(name): \(result)")
                #expect(damage.suspects.contains { result.errors.contains($0) }, "\(name): \(result)")

                if number % Self.casesPerTraining == 0 {
                    try train(damage, name, ranks: 1 + random.index(below: 4), place, expected)
                    try place.folder.remove("runs")
                    try place.folder.copy("pristine", to: "runs")
                    trainings += 1
                } else {
                    for file in changed { try replace(file, by: files[file], place) }
                }
            }
            // What was put back is what was there: nothing above was refused for the damage of another case.
            #expect(try place.run(["inspect", Self.newest]).status == 0)
            Torture.report(
                "\(cases) damages from seed \(seed), of \(CheckpointDamage.all.count) kinds, \(trainings) trained on",
                since: begin)
        }

        /// The hashes of the same run without any damage, or any stop.
        private func undisturbed() throws -> [String: [String: String]] {
            let place = try Workplace(.sharded)
            let result = try place.train(Self.set)
            #expect(result.status == 0, "\(result)")
            let hashes = try place.inspect(Self.last).trained
            #expect(hashes.values.allSatisfy { !$0.isEmpty })
            return hashes
        }

        /// The run goes on from the older checkpoint, says why, and ends where it would have ended.
        private func train(
            _ damage: CheckpointDamage, _ name: String, ranks: Int, _ place: Workplace,
            _ expected: [String: [String: String]]
        ) throws {
            let result = try place.train(Self.set, ranks: ranks)
            #expect(result.status == 0 && result.messages == [], "\(name): \(result)")
            #expect(result.output.contains("continuing from \(Self.older), step 2"), "\(name): \(result)")
            let isNamed = result.warnings.contains { warning in
                damage.suspects.contains { warning.contains($0) } && warning.contains("step-00000004")
            }
            #expect(isNamed, "\(name): \(result)")
            #expect(place.folder.exists(Self.newest + ".corrupt"), "\(name): \(result)")
            #expect(try place.inspect(Self.last).trained == expected, "\(name) on \(ranks) ranks")
        }

        private func read(_ checkpoint: String, _ place: Workplace) throws -> CheckpointDamage.Files {
            #expect(place.folder.names(in: checkpoint) == CheckpointDamage.names.sorted())
            let names = CheckpointDamage.names
            return Dictionary(
                uniqueKeysWithValues: try names.map { ($0, try place.folder.bytes("\(checkpoint)/\($0)")) })
        }

        /// - Parameter bytes: nil removes the file.
        private func replace(_ file: String, by bytes: [UInt8]?, _ place: Workplace) throws {
            let path = "\(Self.newest)/\(file)"
            if let bytes { try place.folder.write(bytes, to: path) } else { try place.folder.remove(path) }
        }
    }
}
