// MachineMemoryTests - reading /proc/meminfo.

import Testing

@testable import JobRuntime

@Suite struct MachineMemoryTests {
    @Test func theKernelsTextIsRead() {
        let text = "MemTotal:       24000 kB\nMemFree:         100 kB\nMemAvailable:   12345 kB\nBuffers: 1 kB\n"
        #expect(MachineMemory.parse(text) == 12345 * 1024)
    }

    @Test(arguments: ["", "MemTotal: 1 kB", "MemAvailable:", "MemAvailable: many kB"])
    func otherTextsSayNothing(_ text: String) { #expect(MachineMemory.parse(text) == nil) }

    @Test func thisMachineHasSome() throws {
        #expect(try #require(MachineMemory.availableBytes) > 1 << 20)
    }
}
