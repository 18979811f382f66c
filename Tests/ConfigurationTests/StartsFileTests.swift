// StartsFileTests - the rows of starts.jsonl.

import Kernels
import LlamaModel
import Optimization
import TestSupport
import Testing
import TokenData

@testable import Configuration
@testable import Reporting

@Suite struct StartsFileTests {
    private static let configuration = RunConfiguration(
        name: "run",
        model: ModelConfiguration(
            hiddenSize: 32, intermediateSize: 64, hiddenLayerCount: 2, attentionHeadCount: 4, keyValueHeadCount: 2,
            vocabularySize: 257, maxPositionEmbeddings: 32),
        data: DataConfiguration(
            train: [.init(name: "books", path: "books.txt")],
            validation: [.init(name: "prose", path: "prose.txt"), .init(name: "code", path: "code.txt")],
            sequenceLength: 32),
        loss: LossConfiguration(kind: .mile, gamma: 1),
        schedule: LearningRateSchedule(warmupSteps: 2, totalSteps: 40),
        training: TrainingConfiguration(globalBatchSize: 8, seed: 7), logging: LoggingConfiguration(directory: "runs/a")
    )

    private static let records = [
        StartRecord(fromStep: 0, origin: .new, ranks: 3, time: "2026-01-02T03:04:05Z", configuration: configuration),
        StartRecord(
            fromStep: 0, origin: .weights, path: "runs/\"b\"/step-00000010", parameters: "ab12",
            configuration: configuration),
        StartRecord(
            fromStep: 12, origin: .checkpoint, path: "x", isHistoryKnown: false, branch: "low-rate",
            configuration: configuration),
    ]

    @Test func rowsReadBack() throws {
        let folder = try TemporaryFolder()
        let file = StartsFile(directory: folder.path)
        #expect(try file.rows() == nil)
        try file.append([Self.records[0].line])
        try file.append(Self.records.dropFirst().map(\.line))
        let rows = try #require(try file.rows())
        #expect(rows.map(\.record) == Self.records)
        #expect(rows.map(\.text) == Self.records.map(\.line))
        #expect(try folder.text("starts.jsonl") == Self.records.map { $0.line + "\n" }.joined())
    }

    /// Values that the parser could read as another type.
    @Test func everyKeyOfTheConfigurationReadsBack() throws {
        var configuration = Self.configuration
        configuration.name = "true"
        configuration.data.train = [.init(name: "1", path: "null", weight: 1.0 / 3), .init(name: "/", path: "a\\b")]
        configuration.optimizer.learningRate = 1e-5
        configuration.optimizer.weightDecay = 2
        configuration.loss.probabilityFloor = 1e-300
        configuration.training.seed = UInt64(Int.max)
        configuration.training.reproducible = true
        configuration.data.ignoredTargets = [0, 32]
        var record = Self.records[0]
        record.configuration = configuration
        #expect(try StartRecord(line: record.line, place: "") == record)
    }

    /// The last row is cut off: the start was killed while it wrote the row.
    @Test func anUnfinishedRowIsCutOff() throws {
        let folder = try TemporaryFolder()
        let file = StartsFile(directory: folder.path)
        try folder.write(Self.records[0].line + "\n" + #"{"time": "20"#, to: "starts.jsonl")
        #expect(try file.rows()?.map(\.record) == [Self.records[0]])
        try file.append([Self.records[1].line])
        #expect(try file.rows()?.map(\.record) == Array(Self.records[..<2]))
    }

    @Test(arguments: [
        "", "{}", "{", #"{"time": "", "from_step": -1, "origin": "new", "history_known": true, "ranks": 1}"#,
    ])
    func aDamagedRowIsNamed(_ line: String) throws {
        let folder = try TemporaryFolder()
        try folder.write(Self.records[0].line + "\n" + line + "\n", to: "starts.jsonl")
        let failure = #expect(throws: ProgramFailure.self) { try StartsFile(directory: folder.path).rows() }
        #expect(failure?.status == .badInput)
        #expect(failure?.message.hasPrefix("\(folder.path("starts.jsonl")):2: found \"\(line.prefix(80))\"") == true)
    }
}
