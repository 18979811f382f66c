// FailedWriteTests - files whose bytes cannot be written: told as errors, and HDF5 goes on working. Each test has a
// process of its own, whose limit on the size of files stands for a full disk, and whose end shows HDF5's state.

import Glibc
import Tensors
import Testing

@testable import HDF5Store

@Suite struct FailedWriteTests {
    /// A limit for each place of a file at which writing can fail.
    @Test func `every place of a failed write is told and the next file is whole`() async {
        await #expect(processExitsWith: .success) {
            let files = try TemporaryFiles()
            let whole = files.path("whole.h5")
            try writeValues(whole, count: 3000)
            let size = try files.bytes(of: whole).count
            #expect(size > 12_000)
            for limit in stride(from: 0, to: size, by: 97) {
                limitFiles(to: limit)
                let error = #expect(throws: HDF5Error.self) { try writeValues(files.path("cut.h5"), count: 3000) }
                #expect(error?.systemError == EFBIG, "\(limit) of \(size) bytes: \(String(describing: error))")
                #expect(error?.message.contains("File too large; see ulimit -f") == true)
                limitFiles(to: .max)
                try writeValues(files.path("again.h5"), count: 3000)
                #expect(try files.bytes(of: files.path("again.h5")) == files.bytes(of: whole))
            }
            limitFiles(to: size)
            try writeValues(whole, count: 3000)
        }
    }

    /// So many datasets that HDF5 gives their metadata out of its cache and reads them back, after the failed write too.
    @Test func `metadata that were not written are read back`() async {
        await #expect(processExitsWith: .success) {
            let files = try TemporaryFiles()
            let path = files.path("many.h5")
            func write() throws {
                let file = try HDF5File.create(path)
                var failures: [HDF5Error] = []
                for number in 0..<3000 {
                    do { try file.writeIntegers([Int64(number)], to: "dataset \(number)") } catch {
                        failures.append(error)
                    }
                }
                #expect(failures.allSatisfy { $0.function == "H5Dwrite" && $0.systemError == EFBIG })
                let isFailed = !failures.isEmpty
                do {
                    try file.close()
                    #expect(!isFailed)
                } catch { #expect(isFailed) }
            }
            try write()
            let size = try files.bytes(of: path).count
            #expect(size > 4 << 20)
            limitFiles(to: size / 8)
            try write()
            limitFiles(to: .max)
            try write()
            #expect(try files.bytes(of: path).count == size)
            #expect(try HDF5File.open(path).readIntegers("dataset 2999", limit: 1) == [2999])
        }
    }

    /// A large write ends soon after the failure.
    @Test func `a large write ends after the failed block`() async {
        await #expect(processExitsWith: .success) {
            let files = try TemporaryFiles()
            limitFiles(to: 1 << 20)
            let file = try HDF5File.create(files.path("large.h5"))
            let count = 40 << 20
            let floats = try file.createFloats("floats", count: count)
            let error = #expect(throws: HDF5Error.self) { try floats.write(Arena(count: count).all, to: 0..<count) }
            #expect(error?.function == "H5Dwrite" && error?.systemError == EFBIG)
        }
    }

    /// HDF5 holds an identifier of freed memory then: no call of it may follow, and the process ends as it should.
    @Test func `after a close that HDF5 refuses nothing is tried any more`() async {
        await #expect(processExitsWith: .success) {
            let files = try TemporaryFiles()
            let file = try HDF5File.create(files.path("open.h5"))
            let first = #expect(throws: HDF5Error.self) {
                try Handle(12345, .file, isShared: true, from: "H5Fcreate", file: "lost.h5").close(file: "lost.h5")
            }
            #expect(first?.function == "H5Fclose" && first?.file == "lost.h5")
            #expect(first?.message.hasSuffix("this process cannot use HDF5 any more: start it again") == true)
            for _ in 0..<2 {
                let next = #expect(throws: HDF5Error.self) { _ = try HDF5File.create(files.path("next.h5")) }
                #expect(next?.description == first?.description)
            }
            #expect(throws: HDF5Error.self) { try file.writeIntegers([1], to: "integers") }
        }
    }
}

/// Integers, a text and floats of two datasets.
private func writeValues(_ path: String, count: Int) throws {
    let file = try HDF5File.create(path)
    try file.writeIntegers(Array(0..<100), to: "integers")
    for name in ["first", "second"] {
        let floats = try file.createFloats(name, count: count)
        try floats.write(FloatSlice((0..<count).map { Float($0) }), to: 0..<count)
        try floats.close()
    }
    try file.writeText("a text", to: "text")
    try file.close()
}

/// Lets this process write no file beyond `bytes`. The corresponding C function is `setrlimit`.
private func limitFiles(to bytes: Int) {
    signal(SIGXFSZ, SIG_IGN)
    var limits = rlimit()
    let kind = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
    precondition(unsafe getrlimit(kind, &limits) == 0)
    limits.rlim_cur = min(bytes == .max ? .max : rlim_t(bytes), limits.rlim_max)
    precondition(unsafe setrlimit(kind, &limits) == 0)
}
