// QuantityTests - numbers with units, lists of ranks and sizes, and what is refused.

import Testing

@testable import Reporting

struct QuantityTests {
    @Test(arguments: [
        ("25", 25e9 / 8), ("25Gbit/s", 25e9 / 8), ("25 Gbit", 25e9 / 8), ("200Mbit/s", 25e6), ("0.2Gbit", 25e6),
        ("3GB/s", 3e9), ("100MB/s", 1e8),
    ])
    func networkRates(_ text: String, _ bytes: Double) throws {
        // Decimal digits times a power of ten: one rounding.
        #expect(abs(try Quantity.networkRate.parse(text, option: "--bandwidth") / bytes - 1) < 1e-15)
    }

    @Test func otherUnits() throws {
        #expect(try Quantity.latency.parse("50us", option: "--latency") == 50 * 1e-6)
        #expect(try Quantity.latency.parse("50", option: "--latency") == 50 * 1e-6)
        #expect(try Quantity.latency.parse("2ms", option: "--latency") == 2 * 1e-3)
        #expect(try Quantity.memory.parse("256GiB", option: "--node-memory") == 274_877_906_944)
        #expect(try Quantity.memory.parse("1.5GB", option: "--node-memory") == 1.5e9)
        #expect(try Quantity.diskRate.parse("500", option: "--disk-bandwidth") == 5e8)
        #expect(try Quantity.computeRate.parse("1.5TF/s", option: "--gflops") == 1.5e12)
        #expect(try Quantity.memoryRate.parse("40", option: "--memory-bandwidth") == 4e10)
    }

    /// Bits are not bytes, and nothing is guessed.
    @Test(arguments: ["", "fast", "-1", "0", "25Gb/s", "25gbit", "1e3", "1.2.3", "inf", "nan", "25Gbit/s more", "Gbit"])
    func refused(_ text: String) throws {
        let failure = #expect(throws: ProgramFailure.self) {
            try Quantity.networkRate.parse(text, option: "--bandwidth")
        }
        #expect(failure?.status == .badInput && failure?.isShared == true)
        for part in ["--bandwidth", "\"\(text)\"", "Mbit/s", "25Gbit/s"] {
            #expect(failure?.message.contains(part) == true, "\(part): \(failure?.message ?? "")")
        }
    }

    @Test(arguments: [
        ("4", [4]), ("1,2,4", [1, 2, 4]), ("1-8", [1, 2, 4, 8]), ("3-20", [3, 6, 12, 20]), ("8, 1-2, 2", [1, 2, 8]),
        ("5-5", [5]),
    ])
    func rankLists(_ text: String, _ ranks: [Int]) throws { #expect(try Quantity.ranks(text) == ranks) }

    @Test(arguments: ["", "0", "4,", "8-4", "1-2-3", "a", "-4", "1.5", "65537"])
    func refusedRanks(_ text: String) throws {
        let failure = #expect(throws: ProgramFailure.self) { try Quantity.ranks(text) }
        #expect(failure?.status == .badInput)
        #expect(failure?.message.contains("--ranks") == true && failure?.message.contains("1 to 65536") == true)
    }

    @Test func sizes() throws {
        #expect(try Quantity.sizes("4KiB-1MiB") == [4096, 16384, 65536, 262_144, 1_048_576])
        #expect(try Quantity.sizes("8B,3MiB") == [8, 3_145_728])
        for text in ["4KB", "4B", "1MiB-4KiB", "17GiB", ""] {
            let failure = #expect(throws: ProgramFailure.self) { try Quantity.sizes(text) }
            #expect(failure?.message.contains("--sizes") == true, "\(text)")
        }
    }
}
