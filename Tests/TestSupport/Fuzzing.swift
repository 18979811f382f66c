// Fuzzing - structure-aware mutation of untrusted files: budget, outcomes and report.

internal import Foundation
internal import Glibc

/// The budget of a fuzz target, and the counts of its outcomes.
///
/// Each target runs a small budget in `make test`. The long run uses the build of `make test`:
///
///     MILE_FUZZ_INPUTS=100000 swift test -c release -Xswiftc -enable-testing --scratch-path .build-tests --skip-build
///     \
///         --disable-xctest --filter FuzzTests
///
/// `MILE_FUZZ_SEED` chooses other inputs.
public struct FuzzCampaign {
    /// The outcome of reading one input.
    public enum Outcome {
        /// Refused before the outer header was understood.
        case refusedOuter
        /// Refused for the contents that the outer header describes.
        case refusedInner
        /// Read, with the contents that the input holds.
        case read
    }

    public let name: String
    public let inputs: Int
    public var random: SeededGenerator
    public private(set) var count = 0
    public private(set) var passedOuter = 0
    public private(set) var read = 0
    private let start = ContinuousClock.now

    /// - Parameter budget: number of inputs, unless the environment names another number.
    public init(_ name: String, budget: Int) {
        let environment = ProcessInfo.processInfo.environment
        self.name = name
        inputs = environment["MILE_FUZZ_INPUTS"].flatMap { Int($0) } ?? budget
        random = SeededGenerator(seed: environment["MILE_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1)
    }

    public mutating func record(_ outcome: Outcome) {
        count += 1
        if outcome != .refusedOuter { passedOuter += 1 }
        if outcome == .read { read += 1 }
    }

    /// Share of the inputs whose outer header passed.
    public var share: Double { count == 0 ? 0 : Double(passedOuter) / Double(count) }

    /// `safetensors header: 100000 inputs, 61.2 % passed the outer header, 12.3 % were read, 3.1 s`.
    public var summary: String {
        let elapsed = (ContinuousClock.now - start) / Duration.seconds(1)
        return String(
            format: "fuzzed %@: %d inputs, %.1f %% passed the outer header, %.1f %% were read, %.1f s", name, count,
            100 * share, count == 0 ? 0 : 100 * Double(read) / Double(count), elapsed)
    }
}

extension SeededGenerator {
    /// One of `0 ..< bound`.
    public mutating func index(below bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// True once in `count` times.
    public mutating func once(in count: Int) -> Bool { index(below: count) == 0 }

    public mutating func pick<Element>(_ elements: [Element]) -> Element { elements[index(below: elements.count)] }

    /// A whole number of the kind that breaks readers: small, near a power of two, or any.
    public mutating func hostileInteger() -> UInt64 {
        switch index(below: 4) {
        case 0: return next() % 20
        case 1: return (1 << (next() % 64)) &+ next() % 5 &- 2
        case 2: return UInt64.max &- next() % 4
        default: return next() >> (next() % 64)
        }
    }

    /// Changes some bytes in place, inserts, removes, repeats or cuts: damage that knows nothing of the format.
    public mutating func damage(_ bytes: inout [UInt8]) {
        for _ in 0...index(below: 3) {
            guard !bytes.isEmpty else { return }
            let place = index(below: bytes.count)
            switch index(below: 6) {
            case 0: bytes[place] ^= 1 << UInt8(next() % 8)
            case 1: bytes[place] = UInt8(truncatingIfNeeded: next())
            case 2: bytes.insert(UInt8(truncatingIfNeeded: next()), at: place)
            case 3: bytes.remove(at: place)
            case 4: bytes.removeLast(bytes.count - place)
            default:
                let end = min(bytes.count, place + 1 + index(below: 16))
                bytes.insert(contentsOf: bytes[place..<end], at: index(below: bytes.count))
            }
        }
    }
}

/// Limits the address space of this process to `bytes` more than now. A larger allocation ends the process.
///
/// For exit tests, which have a process of their own. The corresponding C function is `setrlimit`.
public func limitAddressSpace(toCurrentAnd bytes: Int) {
    let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").first
    guard let pages = pages.flatMap({ Int($0) }) else { return }
    let limit = rlim_t(pages * Int(getpagesize()) + bytes)
    var limits = rlimit(rlim_cur: limit, rlim_max: limit)
    guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limits) == 0 else {
        fatalError("the address space cannot be limited")
    }
}
