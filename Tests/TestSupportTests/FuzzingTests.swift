// FuzzingTests - the limit that fuzz targets rely on stops what they must not do.

import TestSupport
import Testing

@Suite struct FuzzingTests {
    /// An allocation within the limit is granted, one beyond it ends the process.
    @Test func addressSpaceIsLimited() async {
        await #expect(processExitsWith: .success) {
            limitAddressSpace(toCurrentAnd: 256 << 20)
            #expect([UInt8](repeating: 1, count: 32 << 20).last == 1)
        }
        await #expect(processExitsWith: .failure) {
            limitAddressSpace(toCurrentAnd: 256 << 20)
            #expect([UInt8](repeating: 1, count: 512 << 20).last == 1)
        }
    }

    @Test func campaignCounts() {
        var campaign = FuzzCampaign("x", budget: 4)
        for outcome in [.refusedOuter, .refusedInner, .refusedInner, .read] as [FuzzCampaign.Outcome] {
            campaign.record(outcome)
        }
        #expect(campaign.count == 4 && campaign.passedOuter == 3 && campaign.read == 1 && campaign.share == 0.75)
        #expect(campaign.summary.hasPrefix("fuzzed x: 4 inputs, 75.0 % passed the outer header, 25.0 % were read"))
    }

    /// The same seed gives the same damage; all kinds of it come up.
    @Test func damageIsSeeded() {
        func results(_ seed: UInt64) -> [[UInt8]] {
            var random = SeededGenerator(seed: seed)
            return (0..<200).map { _ in
                var bytes = Array(UInt8(0)..<32)
                random.damage(&bytes)
                return bytes
            }
        }
        #expect(results(1) == results(1) && results(1) != results(2))
        let sizes = Set(results(1).map(\.count))
        #expect(sizes.contains(32) && sizes.contains { $0 < 32 } && sizes.contains { $0 > 32 })
    }
}
