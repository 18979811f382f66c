// OverridesTests - `--set key.path=value`.

import Kernels
import Testing
import TokenData

@testable import Configuration

@Suite struct OverridesTests {
    @Test func scalarsAndSections() throws {
        let run = try Sample.load(Sample.text, "training.seed=7", "loss.gamma=5e-1", "data.sequence_length=32")
        #expect(run.training.seed == 7)
        #expect(run.loss.gamma == 0.5)
        #expect(run.data.sequenceLength == 32)
    }

    @Test func laterWins() throws {
        #expect(try Sample.load(Sample.text, "training.seed=7", "training.seed=8").training.seed == 8)
    }

    @Test func listsAndTheirElements() throws {
        let run = try Sample.load(
            Sample.text, "data.train=[{name: a, path: a.txt}, {name: b, path: b.txt, weight: 2}]",
            "data.train.1.path=c=d.txt", "data.ignored_targets=[0, 256]", "data.ignored_targets.0=3")
        #expect(
            run.data.train == [
                .init(name: "a", path: "a.txt"), .init(name: "b", path: "c=d.txt", weight: 2),
            ])
        #expect(run.data.ignoredTargets == [3, 256])
        // As messages write it.
        let same = try Sample.load(
            Sample.text, "data.train=[{name: a, path: a.txt}, {name: b, path: b.txt, weight: 2}]",
            "data.train[1].path=c=d.txt", "data.ignored_targets=[0, 256]", "data.ignored_targets[0]=3")
        #expect(same == run)
    }

    @Test func wholeSection() throws {
        let run = try Sample.load(Sample.text, "loss={kind: focal, gamma: 2}")
        #expect(run.loss.kind == .focal)
        #expect(run.loss.gamma == 2)
    }

    @Test func emptyValueIsEmptyText() throws {
        #expect(try Sample.load(Sample.text, "logging.directory=").logging.directory == "runs/run")
        #expect(
            try Sample.load(Sample.text + "training: {time_limit: 3h}\n", "training.time_limit=").training.timeLimit
                == "")
    }

    @Test(arguments: [
        (
            "training.seed",
            "found \"training.seed\"; allowed: KEY=VALUE with a dotted key, as in training.seed=7 or "
                + "data.train.0.path=books.txt"
        ),
        (
            "=3",
            "found \"=3\"; allowed: KEY=VALUE with a dotted key, as in training.seed=7 or data.train.0.path=books.txt"
        ),
        (
            "training..seed=3",
            "found \"training..seed=3\"; allowed: KEY=VALUE with a dotted key, as in training.seed=7 or "
                + "data.train.0.path=books.txt"
        ),
        (
            "training.seed=[1",
            "found text that is not YAML: did not find expected ',' or ']'; allowed: one YAML document"
        ),
        ("data.train.1.path=x", "data.train[1]: found no such element of the list; allowed: an index from 0 to 0"),
        ("data.train.x.path=x", "data.train.x: found no such element of the list; allowed: an index from 0 to 0"),
        (
            "data.sequence_length.x=1",
            "data.sequence_length: found 64 (integer); allowed: a mapping, to set data.sequence_length.x in it"
        ),
        (
            "trainig.seed=3",
            "trainig: found an unknown key; allowed: model, data, loss, optimizer, schedule, training, evaluation, "
                + "checkpoint, logging; did you mean training?"
        ),
        (
            "evaluation.sequence=3",
            "evaluation.sequence: found an unknown key; allowed: every, sequences; did you mean evaluation.sequences?"
        ),
        (
            "data.train.0.wieght=3",
            "data.train[0].wieght: found an unknown key; allowed: name, path, weight, text_key, document_separator, "
                + "encoding; did you mean data.train[0].weight?"
        ),
    ])
    func refused(override: String, expected: String) {
        #expect(Sample.message(Sample.text, overrides: [override]) == "--set \(override): \(expected)")
    }
}
