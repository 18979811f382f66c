// FrequencyBuckets - which token ids are frequent in the training data, as Table 1 of Su et al. (arXiv 2310.19531) cuts them.

/// Every token id in one of three buckets.
///
/// The ids are sorted by their count, ids of equal count by their number. `high` are the fewest most frequent ids that make up
/// at least 80 % of all occurrences, `medium` the next ones up to 95 %, `low` the rest and all that never occur. Counted is the
/// training corpus as it is, every domain once: how often a mixture repeats a domain says nothing about how rare a word is.
///
/// Ids that carry no loss are never targets, and so no occurrences either: a cut at 80 % of a text that is half padding would
/// otherwise be one at 60 % of what is predicted.
package struct FrequencyBuckets: Sendable {
    package static let names = ["high", "medium", "low"]
    /// Where a bucket ends, in percent of the occurrences.
    private static let cuts = [80, 95, 100]

    /// The bucket of each id, as an index of ``names``; of an ignored one it means nothing.
    let bucketOfID: [UInt8]

    /// - Parameters:
    ///   - counts: occurrences of each id; their sum is below `2^56`.
    ///   - ignoredTargets: ids below the number of counts that carry no loss.
    package init(counts: [Int], ignoredTargets: [Int32]) {
        var counts = counts
        for id in ignoredTargets { counts[Int(id)] = 0 }
        let total = counts.reduce(0, +)
        let order = counts.indices.sorted { counts[$0] != counts[$1] ? counts[$0] > counts[$1] : $0 < $1 }
        var buckets = [UInt8](repeating: UInt8(Self.names.count - 1), count: counts.count)
        var occurrencesBefore = 0
        for id in order where counts[id] > 0 {
            // The last cut is never reached before the last id that occurs.
            let bucket = Self.cuts.firstIndex { 100 * occurrencesBefore < $0 * total }
            buckets[id] = UInt8(bucket ?? Self.names.count - 1)
            occurrencesBefore += counts[id]
        }
        bucketOfID = buckets
    }
}
