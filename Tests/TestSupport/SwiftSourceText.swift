// SwiftSourceText - Swift source code without its comments and the texts of its string literals.

/// Replaces comments and the texts of string literals by blanks. Line breaks and the code of interpolations stay.
public func codeOnly(_ source: String) -> String {
    var scanner = CodeScanner(source)
    return scanner.code()
}

/// Reads characters and knows whether they are code, comment or text.
private struct CodeScanner {
    /// A string literal that is open, or an interpolation within one.
    private enum Level {
        /// Delimited by so many number signs and quotation marks.
        case text(signs: Int, quotes: Int)
        /// Code in `\( )`, with so many parentheses open within.
        case interpolation(depth: Int)
    }

    private let characters: [UInt8]
    private var position = 0
    private var levels: [Level] = []
    private var result: [UInt8] = []

    init(_ source: String) {
        characters = Array(source.utf8)
        result.reserveCapacity(characters.count)
    }

    mutating func code() -> String {
        while position < characters.count {
            if case .text(let signs, let quotes) = levels.last {
                scanText(signs: signs, quotes: quotes)
            } else {
                scanCode()
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private func isAt(_ text: String) -> Bool { characters[position...].starts(with: text.utf8) }

    private mutating func keep(_ count: Int = 1) {
        result += characters[position..<position + count]
        position += count
    }

    private mutating func blank(_ count: Int = 1) {
        for byte in characters[position..<min(position + count, characters.count)] {
            result.append(byte == UInt8(ascii: "\n") ? byte : UInt8(ascii: " "))
        }
        position = min(position + count, characters.count)
    }

    private mutating func scanCode() {
        if isAt("//") {
            while position < characters.count, characters[position] != UInt8(ascii: "\n") { blank() }
        } else if isAt("/*") {
            // Swift's comments nest.
            var depth = 0
            repeat {
                if isAt("/*") {
                    depth += 1
                    blank(2)
                } else if isAt("*/") {
                    depth -= 1
                    blank(2)
                } else {
                    blank()
                }
            } while depth > 0 && position < characters.count
        } else if let (signs, quotes) = delimiter() {
            blank(signs + quotes)
            levels.append(.text(signs: signs, quotes: quotes))
        } else {
            countParentheses()
        }
    }

    /// The number signs and quotation marks that open a string literal here.
    private func delimiter() -> (signs: Int, quotes: Int)? {
        let signs = characters[position...].prefix { $0 == UInt8(ascii: "#") }.count
        let rest = characters[(position + signs)...]
        guard rest.first == UInt8(ascii: "\"") else { return nil }
        return (signs, rest.starts(with: "\"\"\"".utf8) ? 3 : 1)
    }

    /// Keeps a character of code. The parenthesis that ends an interpolation leads back to its text.
    private mutating func countParentheses() {
        if case .interpolation(let depth) = levels.last {
            if characters[position] == UInt8(ascii: "(") {
                levels[levels.count - 1] = .interpolation(depth: depth + 1)
            } else if characters[position] == UInt8(ascii: ")") {
                if depth == 0 {
                    levels.removeLast()
                } else {
                    levels[levels.count - 1] = .interpolation(depth: depth - 1)
                }
            }
        }
        keep()
    }

    private mutating func scanText(signs: Int, quotes: Int) {
        let number = String(repeating: "#", count: signs)
        if isAt("\\" + number + "(") {
            blank(signs + 1)
            keep()
            levels.append(.interpolation(depth: 0))
        } else if isAt("\\" + number) {
            blank(signs + 2)
        } else if isAt(String(repeating: "\"", count: quotes) + number) {
            blank(quotes + signs)
            levels.removeLast()
        } else {
            blank()
        }
    }
}
