// GroupedNumberTests - large numbers as people read them.

import Testing

@testable import Reporting

@Suite struct GroupedNumberTests {
    @Test(arguments: [
        (0, "0 MiB"), (1, "1 MiB"), (1 << 20, "1 MiB"), ((1 << 20) + 1, "2 MiB"), (1 << 40, "1,048,576 MiB"),
    ])
    func mebibytesRoundUp(_ bytes: Int, _ text: String) { #expect(GroupedNumber.mebibytes(bytes) == text) }

    @Test(arguments: [
        (0, "0"), (7, "7"), (999, "999"), (1000, "1,000"), (123_456, "123,456"), (6_738_415_616, "6,738,415,616"),
    ])
    func groupedDigits(_ number: Int, _ text: String) { #expect(GroupedNumber.text(number) == text) }
}
