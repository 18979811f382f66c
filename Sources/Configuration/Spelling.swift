// Spelling - the nearest word to a misspelt one.

/// Finds the word that a misspelt one stands for.
enum Spelling {
    /// The candidate nearest to `word`, the first of equals; nil where none is near enough.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let scored = candidates.map { (distance: distance(word, $0), candidate: $0) }
        guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(2, word.count / 2) && best.distance < max(word.count, best.candidate.count)
            ? best.candidate : nil
    }

    /// Levenshtein distance: fewest insertions, deletions and replacements of a character between two words.
    static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var previous = Array(0...right.count)
        for (row, character) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                let replaced = previous[column] + (character == other ? 0 : 1)
                current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[right.count]
    }
}
