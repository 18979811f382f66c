// ProcessorChecks - checks whether the matmul libraries use the processor's vector units and tiles.

internal import LinearAlgebra

enum ProcessorChecks {
    static func results(_ all: [NodeFacts]) -> [CheckResult] {
        BLASBackends.all.flatMap { backend in
            CheckResult.grouped(.kernels(of: backend), all) { slow(backend, $0) }
        } + CheckResult.grouped(.bfloat16, all) { withoutBFloat16GEMM($0) ?? withoutTiles($0) }
    }

    /// A BLAS backend whose kernels leave vector units idle.
    private static func slow(_ backend: any BLASBackend, _ facts: NodeFacts) -> Diagnosis? {
        guard let found = facts.processor[backend], let has = facts.processor.units, let uses = found.units, uses < has
        else { return nil }
        let reason = found.variable.map { " (\($0))" } ?? ""
        return .warning(
            "\(found.identity) computes with \(uses.name)\(reason), although the processor has \(has.name)",
            remedy: found.variable.map { "unset \($0.prefix { $0 != "=" })" }
                ?? backend.remedyForSlowKernels(on: has))
    }

    private static func withoutBFloat16GEMM(_ facts: NodeFacts) -> Diagnosis? {
        guard let plan = facts.plan, plan.usesBFloat16, !facts.processor.hasBFloat16GEMM else { return nil }
        let backend = BLASBackends.bfloat16
        let limit = facts.processor[backend]?.variable
        return .warning(
            "training.precision is bf16, and \(backend.title) has no bf16 products here\(limit.map { " (\($0))" } ?? ""): they are computed "
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
            let backend = OneDNNBackend()
            let variable = facts.processor[backend]?.variable ?? backend.kernelVariables[0]
            return idle(
                "\(variable) keeps it from AMX", remedy: "unset \(variable.prefix { $0 != "=" })")
        }
    }
}
