// LauncherVariablesTests - a rank's number in the environment, and the variables with numbers of ranks.

import Testing

@testable import Reporting

@Suite struct LauncherVariablesTests {
    @Test func launchersNumberTheirRanks() {
        func rank(_ environment: [String: String]) -> String? {
            LauncherVariables(environment).rank.map { "\($0.name) \($0.value)" }
        }
        #expect(rank([:]) == nil)
        // From the inner launcher to the outer one.
        var all: [String: String] = [:]
        for (value, name) in ["SLURM_PROCID", "PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"].enumerated() {
            all[name] = "\(value)"
            #expect(rank(all) == "\(name) \(value)")
        }
        #expect(LauncherVariables(all).isOfMpirun && !LauncherVariables(["PMIX_RANK": "1"]).isOfMpirun)
        #expect(LauncherVariables.sizes(of: .slurm) == ["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"])
        #expect(LauncherVariables.sizes(of: .openMPI) == ["OMPI_COMM_WORLD_SIZE"])
    }
}
