// GoldenRunTests - whole runs whose every digit was recorded: losses, gradient norms and the bytes of all tensors.

import Foundation
import LinearAlgebra
import TestSupport
import Testing

extension ProgramTests {
    /// Runs whose numbers may never change, neither by a restructuring nor by an optimization.
    ///
    /// OpenBLAS computes all matmuls, with its Haswell kernels: any processor with AVX2 then gives these bits. The limit of oneDNN,
    /// which computes nothing here, keeps bf16 matmuls from processors that have them: operands are upcast to fp32 everywhere.
    /// `MILE_RECORD_GOLDEN=FOLDER` writes what the runs give now to files in that folder, as `Golden` holds them.
    @Suite(.enabled(if: obstacle == nil, "\(obstacle ?? "")")) struct GoldenRunTests {
        private static let steps = 50
        private static let variables = ["OPENBLAS_CORETYPE": "Haswell", "ONEDNN_MAX_CPU_ISA": "AVX2"]
        private static let base = [
            "schedule.total_steps=\(steps)", "schedule.warmup_steps=5", "training.global_batch_size=12",
            "evaluation.every=25",
        ]

        /// A run's name in the files, and what it overrides.
        private struct Case {
            let name: String
            let overrides: [String]
        }

        /// Every combination of precision, loss, normalization and accumulation; precision and loss decide about tied and
        /// grouped heads, so that some pairs of cases differ in normalization or accumulation alone.
        private static let cases: [Case] = {
            var cases: [Case] = []
            for (row, precision) in ["fp32", "bf16"].enumerated() {
                for (column, loss) in ["mile", "focal", "cross_entropy"].enumerated() {
                    let isTied = (row + column) % 2 == 1
                    let keyValueHeads = column == 1 ? 4 : 2
                    for normalization in ["global", "reference"] {
                        for accumulation in [1, 3] {
                            // Two ranks' worth of micro-batches are a step of the reference.
                            let share = normalization == "reference" ? 6 : 12
                            var overrides = [
                                "training.precision=\(precision)", "loss.kind=\(loss)",
                                "loss.normalization=\(normalization)",
                                "training.micro_batch_size=\(share / accumulation)",
                                "model.tie_word_embeddings=\(isTied)", "model.num_key_value_heads=\(keyValueHeads)",
                            ]
                            if normalization == "reference" { overrides.append("loss.reference_ranks=2") }
                            let heads = "\(isTied ? "tied" : "untied")-\(keyValueHeads)-kv-heads"
                            cases.append(
                                Case(
                                    name: "\(precision)-\(loss)-\(normalization)-accumulation-\(accumulation)-\(heads)",
                                    overrides: overrides))
                        }
                    }
                }
            }
            return cases
        }()

        /// Lines of `curves.tsv`: case, step, loss, grad_norm; and for an evaluation case, step, `validation_ce`, its value.
        private static func curve(_ name: String, _ place: Workplace) throws -> [String] {
            let metrics = try place.metrics()
            func field(_ row: JSONObject?, _ key: String) throws -> String {
                guard let value = row?.number(key) else { throw UnexpectedText("\(name): a row without \(key)") }
                return "\(value)"
            }
            var lines = try (1...steps).map { step in
                let row = metrics.steps[step]
                return try "\(name)\t\(step)\t\(field(row, "loss"))\t\(field(row, "grad_norm"))"
            }
            for step in [25, 50] {
                lines.append(
                    "\(name)\t\(step)\tvalidation_ce\t\(try field(metrics.evaluations[step], "validation_ce"))")
            }
            return lines
        }

        private static func golden(_ file: String) throws -> [String] {
            let url = try #require(Bundle.module.url(forResource: "Golden/\(file)", withExtension: nil))
            return try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map(String.init)
        }

        /// Compares with the recorded lines of a file, all digits.
        private static func compare(_ lines: [String], _ file: String) throws {
            if let folder = ProcessInfo.processInfo.environment["MILE_RECORD_GOLDEN"], !folder.isEmpty {
                try (lines.joined(separator: "\n") + "\n").write(
                    toFile: "\(folder)/\(file)", atomically: true, encoding: .utf8)
            }
            let expected = try golden(file)
            #expect(lines.count == expected.count)
            let different = zip(lines, expected).filter { $0 != $1 }
            #expect(
                different.isEmpty,
                "\(different.count) lines differ, first \(different.first.map { "\($0.0), recorded \($0.1)" } ?? "")")
        }

        @Test(.twoSlots) func lossCurves() throws {
            var lines: [String] = []
            // Two at a time: each has one thread.
            for start in stride(from: 0, to: Self.cases.count, by: 2) {
                let pair = Self.cases[start..<min(start + 2, Self.cases.count)]
                let runs = try pair.map { golden in
                    let place = try Workplace(.sharded)
                    let arguments = place.arguments(Self.base + golden.overrides)
                    return (golden.name, place, try place.start(arguments, variables: Self.variables))
                }
                for (name, place, program) in runs {
                    let result = program.wait(limit: 120)
                    #expect(result.status == 0, "\(result)")
                    lines += try Self.curve(name, place)
                }
            }
            // Negative control: no two cases have the same curve, so normalization and accumulation had their effect.
            let curves = Dictionary(grouping: lines) { $0.prefix { $0 != "\t" } }
                .mapValues { $0.map { $0.drop { $0 != "\t" } } }
            #expect(curves.count == Self.cases.count && Set(curves.values).count == curves.count)
            try Self.compare(lines, "curves.tsv")
        }

        /// Parameters and moments of `reproducible` runs, on several numbers of ranks and threads.
        @Test(arguments: ["fp32", "bf16"])
        func tensorHashes(precision: String) throws {
            for (ranks, threads) in [(1, 1), (3, 1), (2, 2)] {
                let place = try Workplace(.sharded)
                let overrides = [
                    "training.reproducible=true", "training.precision=\(precision)", "training.micro_batch_size=3",
                    "training.threads=\(threads)",
                ]
                let program = try place.start(
                    place.arguments(Self.base + overrides), ranks: ranks, variables: Self.variables)
                let result = program.wait(limit: 120)
                #expect(result.status == 0, "\(result)")
                let inspection = try place.inspect("runs/run/checkpoints")
                let lines = ["parameter", "first_moment", "second_moment"].flatMap { role in
                    inspection.hashes(role).sorted { $0.key < $1.key }.map { "\(role)\t\($0.key)\t\($0.value)" }
                }
                // 4 layers of 7 matrices and 2 gains, embedding, head and last gain, each with two moments.
                #expect(lines.count == 3 * (4 * 9 + 3))
                try Self.compare(lines, "hashes-\(precision).tsv")
            }
        }
    }

    /// Why the recorded digits cannot be expected here; nil where they can.
    private static let obstacle: String? = {
        #if MARCH_X86_64_V3
            let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
            let flags = text.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
            guard let units = VectorUnits(flags: flags.split(separator: " ").map(String.init)), units >= .avx2 else {
                return "this processor has no AVX2"
            }
            let library = OpenBLASBackend().identity
            guard library.hasPrefix("OpenBLAS 0.3.21 ") else {
                return "golden runs are of OpenBLAS 0.3.21, this is \(library)"
            }
            return nil
        #else
            return "golden runs are of x86-64-v3, this build is for other instructions"
        #endif
    }()
}
