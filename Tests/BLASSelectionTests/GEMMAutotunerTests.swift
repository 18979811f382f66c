// GEMMAutotunerTests - the decision for a list of measured ratios, and the autotuner on small sizes.

import Configuration
import Kernels
import LinearAlgebra
import LlamaModel
import Testing

@testable import BLASSelection
@testable import Reporting

struct GEMMAutotunerTests {
    /// A ratio is the first candidate's time over the second's. One disturbed pair does not decide.
    @Test func theMedianDecides() {
        #expect(GEMMAutotuner.secondIsFaster([1.08, 1.07, 1.09]))
        #expect(GEMMAutotuner.secondIsFaster([1.08, 0.5, 1.09]))
        #expect(!GEMMAutotuner.secondIsFaster([0.98, 3, 0.99]))
        #expect(GEMMAutotuner.secondIsFaster([1.001, 1.001, 1.001]))
        #expect(!GEMMAutotuner.secondIsFaster([0.999, 0.999, 0.999]))
        #expect(!GEMMAutotuner.secondIsFaster([0.9, 0.95, 0.92]))
    }

    /// Each argument comes first in every second pair. The ratio is always the first argument's time over the second's.
    @Test func pairsAlternate() {
        var order = ""
        let ratios = Stopwatch.pairedRatios(
            {
                order += "a"
                pass()
            }, { order += "b" })
        #expect(order == "ab" + "abba" + "abba" + "abba" + "abba" + "abba" + "ab")
        // Milliseconds over the time of an appended letter. A pause of the machine may fall into some; five would be
        // less than one if every second pair had its ratio the wrong way round.
        #expect(ratios.count == 11 && ratios.filter { $0 > 2 }.count >= 8)
    }

    @Test func theSecondIsTakenWhereItIsFaster() {
        #expect(GEMMAutotuner.secondIsFaster(Stopwatch.pairedRatios(pass, {})))
        #expect(!GEMMAutotuner.secondIsFaster(Stopwatch.pairedRatios({}, pass)))
    }

    /// Takes much longer than nothing.
    private func pass() {
        let end = ContinuousClock.now.advanced(by: .milliseconds(4))
        while ContinuousClock.now < end {}
    }

    /// The peak rate that MFU refers to: the faster dtype where the pool upcasts, otherwise the run's own dtype.
    @Test func theCeilingIsThatOfWhatComputes() {
        func peakRates(_ downcast: Double?, tiles: Double? = nil, upcasts: Bool) -> PeakRates {
            PeakRates(
                fmaPeak: 400, dotPeak: nil, gemms: [(.openBLAS, 200), (.oneDNN, 300)], bfloat16GEMM: downcast,
                tileGEMM: tiles, upcastsBFloat16: upcasts, bandwidth: .nan)
        }
        #expect(peakRates(160, upcasts: false).gemm(isBFloat16: false) == 300)
        #expect(peakRates(160, upcasts: false).gemm(isBFloat16: true) == 160)
        #expect(peakRates(160, upcasts: true).gemm(isBFloat16: true) == 300)
        #expect(peakRates(900, upcasts: true).gemm(isBFloat16: true) == 900)
        #expect(peakRates(nil, upcasts: true).gemm(isBFloat16: true) == 300)
        #expect(peakRates(900, tiles: 1500, upcasts: false).gemm(isBFloat16: true) == 1500)
        #expect(peakRates(900, tiles: 1500, upcasts: false).gemm(isBFloat16: false) == 300)
        #expect(peakRates(900, tiles: 1500, upcasts: false).backendGEMM(isBFloat16: true) == 900)
    }

    /// Sizes below a panel's edge and a vector's length, and above both. The measurement neither traps nor takes long.
    @Test(arguments: [(2, 3, 1), (8, 16, 8), (130, 257, 1000), (130, 512, 1000)])
    func everySizeIsMeasured(hidden: Int, intermediate: Int, tokens: Int) throws {
        let model = ModelConfiguration(
            hiddenSize: hidden, intermediateSize: intermediate, hiddenLayerCount: 1, attentionHeadCount: 1,
            keyValueHeadCount: 1, vocabularySize: 8, maxPositionEmbeddings: 8)
        let pool = try ThreadPool(threadCount: 2)
        let start = ContinuousClock.now
        let sizes = GEMMSizes(model, tokens: tokens)
        for precision in [TrainingConfiguration.Precision.fp32, .bf16] {
            let backends = try GEMMAutotuner.fastest(sizes, pool, precision: precision)
            #expect(GEMMBackends(names: backends.names) == backends)
            // Upcast operands are copies already. Among fp32 cases only rows of 2 x 512 floats have a slow stride.
            #expect(!backends.copiesForWeightGradient || precision == .fp32 && intermediate == 512)
        }
        if BLASBackends.hasBFloat16GEMM {
            _ = try GEMMAutotuner.favoursUpcasting(sizes, threads: 2)
        }
        // Two backends twice, copies, and bf16 direct and upcast, 24 timings each, take tenths of a second, even beside
        // other tests.
        #expect(ContinuousClock.now - start < .seconds(60))
    }
}
