// ProcessorChecks - checks whether the matmul libraries use the processor's vector units and tiles.

internal import LinearAlgebra

enum ProcessorChecks {
    static func results(_ all: [NodeFacts]) -> [CheckResult] {
        CheckResult.grouped(.blasKernels, all) { facts in
            slow(
                facts.processor.openBLAS, facts,
                otherwise:
                    "its kernels for this processor are missing or not chosen: install a newer OpenBLAS with DYNAMIC_ARCH, "
                    + "or set OPENBLAS_CORETYPE=\(facts.processor.units == .avx512 ? "SkylakeX" : "Haswell")")
        }
            + CheckResult.grouped(.oneDNNKernels, all) { facts in
                slow(facts.processor.oneDNN, facts, otherwise: "install a newer oneDNN, or set training.blas=openblas")
            } + CheckResult.grouped(.bfloat16, all) { withoutProducts($0) ?? withoutTiles($0) }
    }

    /// A library whose kernels use narrower vector units than the processor has.
    private static func slow(
        _ library: ProcessorFacts.Library, _ facts: NodeFacts, otherwise remedy: String
    ) -> Diagnosis? {
        guard let has = facts.processor.units, let uses = library.units, uses < has else { return nil }
        let reason = library.variable.map { " (\($0))" } ?? ""
        return .warning(
            "\(library.identity) computes with \(uses.name)\(reason), although the processor has \(has.name)",
            remedy: library.variable.map { "unset \($0.prefix { $0 != "=" })" } ?? remedy)
    }

    private static func withoutProducts(_ facts: NodeFacts) -> Diagnosis? {
        guard let plan = facts.plan, plan.usesBFloat16, !facts.processor.hasBFloat16Products else { return nil }
        let limit = facts.processor.oneDNN.variable
        return .warning(
            "training.precision is bf16, and oneDNN has no bf16 products here\(limit.map { " (\($0))" } ?? ""): they are computed "
                + "in fp32 from widened operands, which saves memory and messages, but hardly time",
            remedy:
                "set training.precision=fp32 unless memory or messages must be small, or run on processors with AMX "
                + "or, of AMD's, AVX512_BF16")
    }

    private static func withoutTiles(_ facts: NodeFacts) -> Diagnosis? {
        guard let plan = facts.plan, plan.usesBFloat16 else { return nil }
        func idle(_ reason: String, remedy: String) -> Diagnosis {
            .warning(
                "training.precision is bf16, and \(reason): products take slower instructions than the processor has",
                remedy: remedy)
        }
        switch facts.processor.tiles {
        case nil, .used: return nil
        case .refused:
            return idle(
                "the system refuses AMX to this process",
                remedy: "run on Linux 5.16 or later, and let a container's seccomp profile pass arch_prctl")
        case .limited:
            let variable = facts.processor.oneDNN.variable ?? "ONEDNN_MAX_CPU_ISA"
            return idle(
                "\(variable) keeps it from AMX", remedy: "unset \(variable.prefix { $0 != "=" })")
        }
    }
}
