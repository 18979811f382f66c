// HDF5FileTests - values that are written and read whole, and what goes wrong with files.

import Foundation
import Glibc
import HDF5Store
import Tensors
import Testing

struct HDF5FileTests {
    let files: TemporaryFiles

    init() throws { files = try TemporaryFiles() }

    @Test func `integers bytes and text come back as they were`() throws {
        let path = files.path("values.h5")
        let integers: [Int64] = [.min, -1, 0, 1, .max]
        // More than one chunk of bytes.
        let bytes = (0..<1_500_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        let texts = ["", "a", "Zażółć gęślą jaźń 🙂", String(repeating: "line\n", count: 40_000)]

        let file = try HDF5File.create(path)
        try file.writeIntegers(integers, to: "integers")
        try file.writeIntegers([], to: "no integers")
        try file.writeBytes(bytes, to: "bytes")
        for (number, text) in texts.enumerated() { try file.writeText(text, to: "text \(number)") }
        try file.close()

        let read = try HDF5File.open(path)
        #expect(try read.readIntegers("integers", limit: 5) == integers)
        #expect(try read.readIntegers("no integers", limit: 0) == [])
        #expect(try read.contains("no integers") && !read.contains("other integers"))
        #expect(try read.readBytes("bytes", limit: bytes.count) == bytes)
        for (number, text) in texts.enumerated() {
            #expect(try read.readText("text \(number)", limit: 1 << 20) == text)
        }
        try read.close()
    }

    @Test func `equal contents are equal bytes`() throws {
        for name in ["a.h5", "b.h5"] {
            let file = try HDF5File.create(files.path(name))
            try file.writeIntegers([1, 2, 3], to: "integers")
            try file.writeText("text", to: "text")
            try file.close()
        }
        #expect(try files.bytes(of: files.path("a.h5")) == files.bytes(of: files.path("b.h5")))
    }

    @Test func `a text with NUL is refused`() throws {
        let file = try HDF5File.create(files.path("nul.h5"))
        let error = #expect(throws: HDF5Error.self) { try file.writeText("a\0b", to: "text") }
        #expect(error?.message.contains("NUL") == true)
    }

    @Test func `a size above the limit is refused before memory is taken`() throws {
        let path = files.path("limit.h5")
        let file = try HDF5File.create(path)
        try file.writeIntegers([1, 2, 3], to: "integers")
        try file.writeText("four", to: "text")
        try file.close()
        let read = try HDF5File.open(path)
        let error = #expect(throws: HDF5Error.self) { try read.readIntegers("integers", limit: 2) }
        #expect(error?.message.contains("integers") == true)
        #expect(throws: HDF5Error.self) { try read.readText("text", limit: 3) }
        #expect(try read.readIntegers("integers", limit: 3) == [1, 2, 3])
    }

    @Test func `another type than asked for is refused`() throws {
        let path = files.path("types.h5")
        let file = try HDF5File.create(path)
        try file.writeIntegers([1, 2, 3], to: "integers")
        try file.writeBytes([1, 2, 3], to: "bytes")
        try file.writeText("text", to: "text")
        try file.close()
        let read = try HDF5File.open(path)
        #expect(throws: HDF5Error.self) { _ = try read.openFloats("integers") }
        #expect(throws: HDF5Error.self) { try read.readIntegers("bytes", limit: 9) }
        #expect(throws: HDF5Error.self) { try read.readBytes("text", limit: 9) }
        #expect(throws: HDF5Error.self) { try read.readText("bytes", limit: 9) }
        #expect(throws: HDF5Error.self) { try read.readText("integers", limit: 9) }
    }

    @Test func `an absent file is named with the cause`() {
        let path = files.path("absent.h5")
        let error = #expect(throws: HDF5Error.self) { _ = try HDF5File.open(path) }
        #expect(error?.function == "H5Fopen")
        #expect(error?.file == path)
        #expect(error?.systemError == ENOENT)
        #expect(error?.stack.isEmpty == false)
        #expect(error?.isLockingFailure == false)
    }

    @Test func `a missing parent directory is an error of the system`() {
        let error = #expect(throws: HDF5Error.self) { _ = try HDF5File.create(files.path("none/file.h5")) }
        #expect(error?.function == "H5Fcreate")
        #expect(error?.systemError == ENOENT)
    }

    @Test func `an absent dataset is an error without a system error`() throws {
        let path = files.path("empty.h5")
        try HDF5File.create(path).close()
        let read = try HDF5File.open(path)
        let error = #expect(throws: HDF5Error.self) { try read.readText("nothing", limit: 9) }
        #expect(error?.function == "H5Dopen2")
        #expect(error?.systemError == nil)
    }

    @Test(arguments: [0, 1, 100, 4096]) func `other content than HDF5 is refused`(count: Int) throws {
        let path = files.path("other.h5")
        try files.overwrite(path, with: [UInt8](repeating: 7, count: count))
        let error = #expect(throws: HDF5Error.self) { _ = try HDF5File.open(path) }
        #expect(error?.systemError == nil)
    }

    @Test func `a truncated file is refused`() throws {
        let path = files.path("short.h5")
        let file = try HDF5File.create(path)
        try file.writeBytes([UInt8](repeating: 3, count: 10_000), to: "bytes")
        try file.close()
        let bytes = try files.bytes(of: path)
        try files.overwrite(path, with: Array(bytes.dropLast(100)))
        #expect(throws: HDF5Error.self) { _ = try HDF5File.open(path) }
    }

    @Test func `a full disk is told apart`() throws {
        // /dev/full fails every write with ENOSPC.
        let path = files.path("full.h5")
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/full")
        let error = #expect(throws: HDF5Error.self) {
            let file = try HDF5File.create(path)
            try file.close()
        }
        #expect(error?.systemError == ENOSPC)
        #expect(error?.message.contains("No space left on device") == true)
        // The library is still usable afterwards.
        let other = files.path("fine.h5")
        let file = try HDF5File.create(other)
        try file.writeIntegers([5], to: "integers")
        try file.close()
        #expect(try HDF5File.open(other).readIntegers("integers", limit: 1) == [5])
    }

    // HDF5 takes no lock where the user has switched locking off.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["HDF5_USE_FILE_LOCKING"] == nil))
    func `a file that cannot be locked names the remedy`() throws {
        let path = files.path("locked.h5")
        try HDF5File.create(path).close()
        let descriptor = unsafe open(path, O_RDWR | O_CLOEXEC)
        #expect(descriptor >= 0)
        #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        let error = #expect(throws: HDF5Error.self) { _ = try HDF5File.open(path) }
        #expect(error?.isLockingFailure == true)
        #expect(error?.message.contains("HDF5_USE_FILE_LOCKING=FALSE") == true)
        close(descriptor)
        try HDF5File.open(path).close()
    }

    /// As by a process that was just started and does not run its own program yet.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["HDF5_USE_FILE_LOCKING"] == nil))
    func `a lock of an instant is waited for`() throws {
        let path = files.path("instant.h5")
        try HDF5File.create(path).close()
        let descriptor = unsafe open(path, O_RDWR | O_CLOEXEC)
        #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        Thread.detachNewThread {
            usleep(20_000)
            close(descriptor)
        }
        try HDF5File.open(path).close()
    }

    @Test func `an open file is closed when it is dropped`() throws {
        let path = files.path("dropped.h5")
        func abandon() throws {
            let file = try HDF5File.create(path)
            let floats = try file.createFloats("floats", count: 4)
            try floats.write(FloatSlice([1, 2, 3, 4]), to: 0..<4)
        }
        try abandon()
        // Opening would fail with a lock error were it still open for writing.
        let file = try HDF5File.open(path)
        let floats = try file.openFloats("floats")
        #expect(floats.count == 4)
    }
}
