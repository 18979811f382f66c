// BenchReport - the output of `bench gemm` and `bench kernels`: peak rates, then one row per measurement.

internal import BLASSelection
internal import Foundation
internal import LinearAlgebra
internal import Reporting

/// Measurements beside the peak rates of the machine, as text or as JSON.
struct BenchReport {
    /// One measurement.
    struct Row {
        let name: String
        let json: JSONValue
        /// The line of the row, its name included.
        let text: String
    }

    let threads: Int
    let peakRates: PeakRates
    /// JSON key of the rows.
    let key: String
    /// Line above the rows.
    let heading: String
    let rows: [Row]

    func write(to console: Console, isJSON: Bool) {
        if isJSON {
            let pairs = rows.map { ($0.name, $0.json) }
            console.raw(
                JSONValue.object([
                    ("threads", .integer(threads)), ("ceilings", peakRates.json), (key, .object(pairs)),
                ]).text + "\n")
            return
        }
        peakRates.show(on: console)
        console.line(heading)
        for row in rows { console.line(row.text) }
    }
}

extension PeakRates {
    fileprivate var json: JSONValue {
        .object([
            ("fma_peak_gflops", .number(fmaPeak)), ("dot_peak_gflops", .number(dotPeak ?? .nan)),
            ("products_fp32", .object(gemms.map { ($0.backend.name, .number($0.gflops)) })),
            ("products_bf16", .number(bfloat16GEMM ?? .nan)),
            ("products_on_tiles", .number(tileGEMM ?? .nan)), ("bandwidth_gb_per_second", .number(bandwidth)),
        ])
    }

    fileprivate func show(on console: Console) {
        let rates = gemms.map { "\($0.backend.name) " + String(format: "%.1f", $0.gflops) }
        var parts = [String(format: "FMA %.1f GF/s", fmaPeak)]
        if let dotPeak { parts.append(String(format: "bf16 dot %.1f GF/s", dotPeak)) }
        parts.append("2048-cube " + rates.joined(separator: ", ") + " GF/s")
        if let bfloat16GEMM {
            parts.append("in bf16 \(BLASBackends.bfloat16.name) " + String(format: "%.1f GF/s", bfloat16GEMM))
        }
        if let tileGEMM { parts.append(String(format: "on tiles %.1f GF/s", tileGEMM)) }
        if bandwidth.isFinite { parts.append(String(format: "memory %.1f GB/s", bandwidth)) }
        console.line("ceilings: " + parts.joined(separator: "; "))
    }
}
