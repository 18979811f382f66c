// FrequencyBuckets - token ids by their frequency in training, in the buckets of Table 1 of Su et al. (arXiv
// 2310.19531).

/// The bucket of every token id: high, medium or low frequency in the training corpus.
///
/// Ids are sorted by count, then by number. `high` are the fewest most frequent ids that make up at least 80 % of all
/// occurrences. `medium` are the next ones up to 95 %, `low` all others. Every domain counts once: a mixture's
/// repetitions say nothing about how rare a word is.
///
/// Ignored ids are never targets and do not count. Why: in a text that is half padding, a cut at 80 % would be one at
/// 60 % of the targets.
package struct FrequencyBuckets: Sendable {
    package static let names = ["high", "medium", "low"]
    /// End of each bucket, in percent of the occurrences.
    private static let cuts = [80, 95, 100]

    /// Bucket of each id, as an index of ``names``; meaningless for an ignored id.
    let bucketOfID: [UInt8]

    /// - Parameters:
    /// - counts: occurrences of each id, [V]; their sum is below `2^56`.
    /// - ignoredTargets: ids below V that carry no loss.
    package init(counts: [Int], ignoredTargets: [Int32]) {
        var counts = counts
        for id in ignoredTargets { counts[Int(id)] = 0 }
        let total = counts.reduce(0, +)
        let order = counts.indices.sorted { counts[$0] != counts[$1] ? counts[$0] > counts[$1] : $0 < $1 }
        var buckets = [UInt8](repeating: UInt8(Self.names.count - 1), count: counts.count)
        var occurrencesBefore = 0
        for id in order where counts[id] > 0 {
            // The last cut lies after the last id that occurs.
            let bucket = Self.cuts.firstIndex { 100 * occurrencesBefore < $0 * total }
            buckets[id] = UInt8(bucket ?? Self.names.count - 1)
            occurrencesBefore += counts[id]
        }
        bucketOfID = buckets
    }
}
