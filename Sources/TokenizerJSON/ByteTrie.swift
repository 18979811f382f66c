// ByteTrie - texts by their prefixes.

/// A trie over bytes. Each text has a number.
struct ByteTrie {
    /// Children of the root, which most searches end at; 0: none.
    private var roots = [Int32](repeating: 0, count: 256)
    private var children: PairTable
    /// Number of the text that ends at each node; -1: none. Node 0 is the root.
    private var numbers: [Int32] = [-1]

    /// - Parameter capacity: expected number of bytes of all texts.
    init(capacity: Int = 0) { children = PairTable(capacity: capacity / 2) }

    var isEmpty: Bool { numbers.count == 1 }

    /// Adds a text of at least one byte.
    ///
    /// - Returns: whether it was new; its number stays otherwise.
    mutating func add(_ text: some Collection<UInt8>, number: Int32) -> Bool {
        var node: Int32 = 0
        for byte in text {
            if let next = child(node, byte) {
                node = next
                continue
            }
            let new = Int32(numbers.count)
            numbers.append(-1)
            if node == 0 { roots[Int(byte)] = new } else { children.set(node, Int32(byte), new) }
            node = new
        }
        guard node != 0, numbers[Int(node)] < 0 else { return false }
        numbers[Int(node)] = number
        return true
    }

    @inline(__always)
    private func child(_ node: Int32, _ byte: UInt8) -> Int32? {
        if node == 0 {
            let root = roots[Int(byte)]
            return root == 0 ? nil : root
        }
        return children[node, Int32(byte)]
    }

    /// Whether a text begins with `byte`.
    @inline(__always)
    func mayStart(with byte: UInt8) -> Bool { roots[Int(byte)] != 0 }

    /// Calls `body` with each text that `bytes[start..<end]` begins with, the shortest first.
    @inline(__always)
    func forEachPrefix(
        of bytes: [UInt8], from start: Int, to end: Int, _ body: (_ number: Int32, _ end: Int) -> Void
    ) {
        var node: Int32 = 0
        var index = start
        while index < end, let next = child(node, bytes[index]) {
            node = next
            index += 1
            let number = numbers[Int(node)]
            if number >= 0 { body(number, index) }
        }
    }
}
