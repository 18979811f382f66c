// Markup - HTML and SVG as a tree, written so that readers of HTML and of XML both understand it.

internal import Foundation

/// An element or a text.
indirect enum Markup: Sendable {
    typealias Attributes = [(name: String, value: String)]

    case element(String, Attributes, [Markup])
    case text(String)

    static func element(_ name: String, _ attributes: Attributes = [], _ text: String) -> Markup {
        .element(name, attributes, [.text(text)])
    }

    /// Elements that HTML knows to be empty, and SVG's shapes where they are. Any other is written with an end tag, without
    /// which HTML would take it for open.
    private static let closedInPlace: Set = ["meta", "rect", "line", "path", "circle", "polyline"]
    /// Elements that end a line of the file.
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

    /// `text` without characters that mean something, and without those that XML 1.0 has no way to write.
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
    /// SVG's line.
    package static func line(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, colour: String, width: Double = 1, dash: String = "none"
    ) -> Markup {
        .element(
            "line",
            [
                ("x1", coordinate(x1)), ("y1", coordinate(y1)), ("x2", coordinate(x2)), ("y2", coordinate(y2)),
                ("stroke", colour), ("stroke-width", coordinate(width)), ("stroke-dasharray", dash),
            ], [])
    }

    /// SVG's text, turned by `degrees` around its place.
    ///
    /// - Parameter anchor: what lies at `x`: `start`, `middle` or `end` of the text.
    package static func label(_ text: String, x: Double, y: Double, anchor: String, degrees: Double = 0) -> Markup {
        var attributes: Attributes = [("x", coordinate(x)), ("y", coordinate(y)), ("text-anchor", anchor)]
        if degrees != 0 {
            attributes.append(("transform", "rotate(\(coordinate(degrees)) \(coordinate(x)) \(coordinate(y)))"))
        }
        return .element("text", attributes, text)
    }
}

/// A number of a drawing, in hundredths of a pixel.
func coordinate(_ value: Double) -> String {
    let text = String(format: "%.2f", value)
    // 12.50 -> 12.5, 12.00 -> 12, -0.00 -> 0
    var trimmed = Substring(text)
    while trimmed.hasSuffix("0") { trimmed.removeLast() }
    if trimmed.hasSuffix(".") { trimmed.removeLast() }
    return trimmed == "-0" ? "0" : String(trimmed)
}
