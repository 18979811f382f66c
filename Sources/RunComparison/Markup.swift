// Markup - HTML and SVG as a tree, rendered as text that HTML and XML parsers both read.

internal import Foundation

/// An element or a text.
indirect enum Markup: Sendable {
    typealias Attributes = [(name: String, value: String)]

    case element(String, Attributes, [Markup])
    case text(String)

    static func element(_ name: String, _ attributes: Attributes = [], _ text: String) -> Markup {
        .element(name, attributes, [.text(text)])
    }

    /// Elements that are written as `<name/>` when empty: empty elements of HTML and shapes of SVG.
    ///
    /// Every other element gets an end tag, because HTML ignores the slash.
    private static let closedInPlace: Set = ["meta", "rect", "line", "path", "circle", "polyline"]
    /// Elements that are followed by a line end.
    private static let lines: Set = [
        "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "ul", "li", "table", "thead",
        "tbody",
        "tr", "caption", "figure", "figcaption", "svg", "g", "rect", "line", "path", "circle", "polyline", "text",
    ]

    var rendered: String {
        var result = ""
        write(to: &result)
        return result
    }

    private func write(to result: inout String) {
        switch self {
        case .text(let text): result += Self.escaped(text)
        case .element(let name, let attributes, let children):
            result += "<" + name
            for attribute in attributes { result += " \(attribute.name)=\"\(Self.escaped(attribute.value))\"" }
            if children.isEmpty, Self.closedInPlace.contains(name) {
                result += "/>"
            } else {
                result += ">"
                for child in children { child.write(to: &result) }
                result += "</\(name)>"
            }
            if Self.lines.contains(name) { result += "\n" }
        }
    }

    /// `text` with escapes for markup characters, and U+FFFD for characters that XML 1.0 excludes.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\t", "\n", "\r": result.unicodeScalars.append(scalar)
            case "\u{0}"..."\u{1F}", "\u{FFFE}"..."\u{FFFF}": result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension Markup {
    /// A line of SVG.
    static func line(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, colour: String, width: Double = 1, dash: String = "none"
    ) -> Markup {
        .element(
            "line",
            [
                ("x1", coordinate(x1)), ("y1", coordinate(y1)), ("x2", coordinate(x2)), ("y2", coordinate(y2)),
                ("stroke", colour), ("stroke-width", coordinate(width)), ("stroke-dasharray", dash),
            ], [])
    }

    /// A text of SVG at (`x`, `y`), turned by `degrees` around that point.
    ///
    /// - Parameter anchor: the part of the text at `x`: `start`, `middle` or `end`.
    static func label(_ text: String, x: Double, y: Double, anchor: String, degrees: Double = 0) -> Markup {
        var attributes: Attributes = [("x", coordinate(x)), ("y", coordinate(y)), ("text-anchor", anchor)]
        if degrees != 0 {
            attributes.append(("transform", "rotate(\(coordinate(degrees)) \(coordinate(x)) \(coordinate(y)))"))
        }
        return .element("text", attributes, text)
    }
}

/// A coordinate as text, rounded to hundredths of a pixel, without trailing zeros.
func coordinate(_ value: Double) -> String {
    let text = String(format: "%.2f", value)
    // 12.50 -> 12.5, 12.00 -> 12, -0.00 -> 0
    var trimmed = Substring(text)
    while trimmed.hasSuffix("0") { trimmed.removeLast() }
    if trimmed.hasSuffix(".") { trimmed.removeLast() }
    return trimmed == "-0" ? "0" : String(trimmed)
}
