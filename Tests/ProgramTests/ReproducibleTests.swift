// ReproducibleTests - the same bits on any number of ranks and threads, and across stops (design section 7).

import LinearAlgebra
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct ReproducibleTests {
        private static let steps = 12
        private static let checkpoints = "runs/run/checkpoints"
        private static let base = [
            "training.reproducible=true", "schedule.total_steps=\(steps)", "training.micro_batch_size=3",
            "training.bucket_mib=1", "evaluation.every=6",
        ]

        /// Everything that must not depend on ranks and threads.
        private struct Bits: Equatable {
            var hashes: [String: [String: String]] = [:]
            /// Rows without what is allowed to differ: times, and who computed how much.
            var rows: [String] = []

            init(_ place: Workplace) throws {
                let inspection = try place.inspect(checkpoints)
                for role in ["parameter", "first_moment", "second_moment"] { hashes[role] = inspection.hashes(role) }
                let metrics = try place.metrics()
                for step in 1...steps {
                    guard let row = metrics.steps[step] else { throw UnexpectedText("step \(step) has no row") }
                    let keys = ["step", "tokens", "loss", "ce", "entropy", "alpha", "lr", "grad_norm"]
                    rows.append(keys.map { "\($0) \(row.number($0) ?? .nan)" }.joined(separator: " "))
                }
                for step in [6, 12] {
                    guard let row = metrics.evaluations[step] else { throw UnexpectedText("no evaluation \(step)") }
                    // The whole row: buckets, calibration and bytes too.
                    rows.append(row.text)
                }
            }
        }

        private func bits(_ overrides: [String], ranks: Int = 1) throws -> Bits {
            let place = try Workplace(.sharded)
            let result = try place.run(place.arguments(Self.base + overrides), ranks: ranks, limit: 120)
            #expect(result.status == 0, "\(result)")
            let sequences = try #require(try place.metrics().steps[1]?.object("ranks").numbers("sequences"))
            #expect(sequences.count == ranks && sequences.reduce(0, +) == Double(Workplace.batch))
            // Every rank works, as long as there are micro-batches: 10 sequences in threes are four.
            #expect(sequences.filter { $0 > 0 }.count == min(ranks, 4), "\(sequences)")
            return try Bits(place)
        }

        @Test func anyRanksAndThreads() throws {
            let expected = try bits([])
            for (ranks, threads, reduction) in [
                (1, 2, "reduce_scatter"), (2, 1, "reduce_scatter"), (3, 2, "all_reduce"), (4, 1, "reduce_scatter"),
                (7, 1, "all_reduce"), (16, 1, "reduce_scatter"),
            ] {
                let set = ["training.threads=\(threads)", "training.gradient_reduction=\(reduction)"]
                #expect(try bits(set, ranks: ranks) == expected, "\(ranks) x \(threads), \(reduction)")
            }
            // Negative controls: another seed changes every hash of what is trained, and every loss.
            let other = try bits(["training.seed=6"])
            for (role, hashes) in expected.hashes {
                for (name, hash) in hashes { #expect(other.hashes[role]?[name] != hash, "\(role) \(name)") }
            }
            #expect(zip(other.rows, expected.rows).allSatisfy { $0 != $1 })
            // And without the promise one and three ranks differ.
            let off = ["training.reproducible=false"]
            #expect(try bits(off) != bits(off, ranks: 3))
        }

        /// All backends but the one of the other cases.
        private static let otherBackends = BLASBackends.all.map(\.name).filter { $0 != "openblas" }.map {
            ["training.activation_checkpointing=layer", "training.blas=\($0)", "model.tie_word_embeddings=true"]
        }

        @Test(
            arguments: [
                ["training.precision=bf16"], ["loss.kind=focal", "loss.gamma=2.0"], ["loss.kind=cross_entropy"],
                [
                    "loss.normalization=reference", "loss.reference_ranks=2", "training.global_batch_size=12",
                    "training.micro_batch_size=2",
                ],
            ] + otherBackends)
        func anyConfiguration(overrides: [String]) throws {
            // Another batch would not fit the count of micro-batches that is checked above.
            let set = Self.base + overrides
            func run(_ ranks: Int, _ threads: Int) throws -> Bits {
                let place = try Workplace(.sharded)
                let result = try place.train(set + ["training.threads=\(threads)"], ranks: ranks)
                #expect(result.status == 0, "\(result)")
                return try Bits(place)
            }
            let expected = try run(1, 1)
            #expect(try run(3, 2) == expected, "\(overrides)")
        }

        /// Short documents in every sequence: the same bits on any ranks and threads, and other bits than without masks.
        @Test func documentMasks() throws {
            let masks = ["data.document_mask=true", "data.mask_document_starts=true"]
            func run(_ overrides: [String], _ ranks: Int, _ threads: Int) throws -> Bits {
                let place = try Workplace(.sharded)
                for name in ["text", "held-out"] {
                    let words = try place.folder.text("\(name).txt").split(separator: " ")
                    let lines = words.map { "{\"text\": \"\($0)\"}\n" }
                    try place.folder.write(lines.joined(), to: "\(name).jsonl")
                }
                let files = ["data.train.0.path=text.jsonl", "data.validation.0.path=held-out.jsonl"]
                let result = try place.train(
                    Self.base + files + overrides + ["training.threads=\(threads)"], ranks: ranks)
                #expect(result.status == 0, "\(result)")
                return try Bits(place)
            }
            let expected = try run(masks, 1, 1)
            #expect(try run(masks, 3, 2) == expected)
            // Negative controls: each of the two keys changes the run.
            for other in [[], [masks[0]], [masks[1]]] { #expect(try run(other, 1, 1) != expected, "\(other)") }
        }

        /// Stops and other numbers of ranks in between leave no trace.
        @Test func anyRanksAcrossStops() throws {
            let straight = try Workplace(.sharded)
            #expect(try straight.train(Self.base, ranks: 2).status == 0)
            let place = try Workplace(.sharded)
            for (stop, ranks) in [(5, 4), (9, 3), (0, 1)] {
                let result = try place.train(Self.base + ["training.stop_at_step=\(stop)"], ranks: ranks)
                #expect(result.status == 0, "\(result)")
                #expect(result.warnings.filter { $0.contains("bits") } == [], "\(result)")
            }
            #expect(try Bits(place) == Bits(straight))
        }

        /// The losses are those of the ordinary run, but for rounding.
        @Test func agreesWithTheOrdinaryRun() throws {
            func losses(_ overrides: [String]) throws -> [Double] {
                let place = try Workplace(.sharded)
                #expect(try place.train(["schedule.total_steps=50"] + overrides).status == 0)
                return try place.metrics().losses(1...50)
            }
            let problem = difference(try losses(["training.reproducible=true"]), try losses([]), within: 1e-5)
            #expect(problem == nil)
        }

        /// A checkpoint of another library: the run goes on, and says what is lost.
        @Test func anotherLibraryIsSaid() throws {
            let place = try Workplace()
            let set = ["training.reproducible=true", "training.blas=onednn"]
            #expect(try place.train(set + ["training.stop_at_step=2"]).status == 0)
            let result = try place.train(["training.reproducible=true"])
            #expect(result.status == 0, "\(result)")
            #expect(
                result.warnings.contains { $0.contains("its bits are not those of an undisturbed run") }, "\(result)")
        }
    }
}
