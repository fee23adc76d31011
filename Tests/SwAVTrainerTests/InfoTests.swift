import SwAVTestSupport
import Testing

@Suite struct InfoTests {
  private func info(_ environment: [String: String]) throws -> (threads: Int?, from: String?, text: String) {
    let row = try TrainerProcess.run(["info", "--json"], environment: environment).objects.last
    let text = try TrainerProcess.run(["info"], environment: environment).output
    return (row?["threads"] as? Int, row?["threads_from"] as? String, text)
  }

  @Test func theNumberOfThreadsComesWithItsReason() throws {
    let chosen = try info(["OMP_NUM_THREADS": "3", "OMP_THREAD_LIMIT": ""])
    #expect(chosen.threads == 3 && chosen.from == "OMP_NUM_THREADS")
    #expect(chosen.text.contains("threads: 3 (OMP_NUM_THREADS)\n"))
    let limited = try info(["OMP_NUM_THREADS": "3", "OMP_THREAD_LIMIT": "1"])
    #expect(limited.threads == 1 && limited.from == "OMP_THREAD_LIMIT")
    let plain = try info(["OMP_NUM_THREADS": "", "OMP_THREAD_LIMIT": ""])
    #expect(plain.text.contains("threads: \(plain.threads ?? 0) (\(plain.from ?? ""))\n"))
  }

  @Test func aCapThatIsNoneIsAnErrorAndNotTheSameAsNoCap() throws {
    let mistyped = try TrainerProcess.run(["info"], environment: ["SWAV_MAX_ISA": "avx51"])
    #expect(mistyped.code == 64)
    #expect(mistyped.errors == "error: SWAV_MAX_ISA is \"avx51\"; amx, avx512_bf16, avx512, avx2 or baseline is allowed\n")
    #expect(try TrainerProcess.run(["info"], environment: ["SWAV_MAX_ISA": ""]).code == 0)
  }
}
