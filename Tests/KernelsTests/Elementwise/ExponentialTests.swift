// ExponentialTests - e^x against the C library in double precision, in units in the last place.

import Foundation
import Tensors
import Testing

@testable import Kernels

struct ExponentialTests {
    private func exponential(_ x: Float) -> Float { Kernels.exponential(Lanes(repeating: x))[7] }

    /// Every 499th float from -87.3 to 88, in all lanes: 4.6 million values.
    @Test func staysWithinOneUnitInTheLastPlace() {
        var worst = 0.0
        var worstAt: Float = 0
        for (end, sign) in [(Float(87.3), Float(-1)), (Float(88), 1)] {
            var bits: UInt32 = 0
            while bits < end.bitPattern {
                var x = Lanes(repeating: 0)
                for lane in 0..<laneCount {
                    x[lane] = sign * Float(bitPattern: min(bits + UInt32(lane) * 499, end.bitPattern))
                }
                let y = Kernels.exponential(x)
                for lane in 0..<laneCount {
                    let exact = exp(Double(x[lane]))
                    let units = abs(Double(y[lane]) - exact) / Double(Float(exact).ulp)
                    if !(units <= worst) { (worst, worstAt) = (units, x[lane]) }
                }
                bits += UInt32(laneCount) * 499
            }
        }
        #expect(worst < 1, "\(worst) units at \(worstAt)")
    }

    @Test func isExactWhereItMustBe() {
        #expect(exponential(0) == 1 && exponential(-0.0) == 1)
        for x in [-87.4, -1e30, -Float.greatestFiniteMagnitude, -Float.infinity] {
            #expect(exponential(x).bitPattern == Float(0).bitPattern)
        }
    }

    @Test func endsOfTheRange() {
        // -87.3 is the lowest argument that is not flushed to 0. Its result is still a normal number.
        #expect(exponential(-87.3) >= .leastNormalMagnitude)
        #expect(exponential(Float(-87.3).nextDown) == 0)
        #expect(abs(Double(exponential(88)) / exp(88.0) - 1) < 2e-7)
        for x in [Float(88).nextUp, 1e5, .infinity] { #expect(exponential(x) == exponential(88)) }
        // NaNs with payloads count too, because their bits could end up in the exponent.
        for bits: UInt32 in [0x7FC0_0000, 0x7FC0_0001, 0xFFC0_01FF, 0x7F80_0001] {
            #expect(exponential(Float(bitPattern: bits)).isNaN)
        }
    }

    @Test func eachLaneIsComputedAlone() {
        let x = Lanes((0..<laneCount).map { Float($0) * 0.7 - 5 })
        let y = Kernels.exponential(x)
        for lane in 0..<laneCount { #expect(y[lane].bitPattern == exponential(x[lane]).bitPattern) }
    }
}
