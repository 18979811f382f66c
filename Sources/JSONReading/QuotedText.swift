// QuotedText - text from a file for a message.

/// Text from a file in quotes for a message: shortened, on one line.
package func quoted(_ text: String) -> String {
    let scalars = text.unicodeScalars
    let shown = scalars.prefix(80).map { $0.properties.generalCategory == .control ? "?" : String($0) }.joined()
    return "'" + shown + (scalars.count > 80 ? "...'" : "'")
}
