// ProcessorTests - the check that the program makes before it begins: is this the processor it was built for?

import Foundation
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct ProcessorTests {
        /// An extension that this processor lacks, as the compiler calls it.
        private static let missing: String? = {
            let flags = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
            let known = [("avx512_vp2intersect", "__AVX512VP2INTERSECT__"), ("avx512f", "__AVX512F__")]
            return known.first { !flags.contains($0.0) }?.1
        }()

        /// Compiles the check as for instructions that this processor lacks, and for those that it has.
        @Test(.enabled(if: missing != nil, "this processor has every instruction that is looked for"))
        func aProgramForAnotherProcessorEndsWithARemedy() throws {
            let missing = try #require(Self.missing)
            let folder = try TemporaryFolder()
            try folder.write("int main(void) { return 0; }\n", to: "main.c")
            let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("Sources/CStartup")
            func check(_ options: [String]) throws -> ProgramResult {
                let arguments =
                    ["cc", "-w", "-DCSTARTUP_MARCH=\"x86-64-v9\"", "-I", source.path + "/include", "-o", "check"]
                    + options + [source.path + "/processor.c", "main.c"]
                let compiler = try RunningProgram(tool: "/usr/bin/env", arguments, in: folder.path).wait(limit: 60)
                #expect(compiler.status == 0, "\(compiler)")
                return try RunningProgram(tool: folder.path + "/check", [], in: folder.path).wait(limit: 20)
            }
            let other = try check(["-D\(missing)"])
            #expect(other.status == 1, "\(other)")
            for part in ["built for x86-64-v9", "this processor has no AVX-512", "MILE_MARCH"] {
                #expect(other.errors.contains(part), "\(part): \(other)")
            }
            let own = try check(["-march=native"])
            #expect(own.status == 0 && own.errors.isEmpty, "\(own)")
        }

        /// One thread more than this machine has cores.
        @Test func threadsWithoutCoresOfTheirOwnAreAWarning() throws {
            let cores = ProcessInfo.processInfo.activeProcessorCount
            let place = try Workplace()
            let crowded = try place.train(["training.threads=\(cores + 1)"], options: ["--dry-run"])
            #expect(crowded.status == 0 && crowded.warnsOfTooFewCores, "\(crowded)")
            let fitting = try place.train(["training.threads=1"], options: ["--dry-run"])
            #expect(fitting.status == 0 && !fitting.warnsOfTooFewCores, "\(fitting)")
        }
    }
}
