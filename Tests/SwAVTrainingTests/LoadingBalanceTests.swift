import SwAVData
import Testing

@testable import SwAVTraining

@Suite struct LoadingBalanceTests {
  /// 100 images in 10 seconds.
  private func advice(waited: Double, read: Double, crop: Double, workers: Int = 2, cores: Int = 2) -> String {
    let cost = LoadingCost(images: 100, readSeconds: read, cropSeconds: crop)
    return LoadingBalance(stepSeconds: 10, waitedSeconds: waited, cost: cost, workers: workers, cores: cores).advice.text()
  }

  @Test func theStepLimitsWhereItHardlyWaits() {
    let text = advice(waited: 0.4, read: 0.1, crop: 2)
    #expect(text.hasPrefix("the step limits: it waits for images 4.0 % of the time, and loading takes 10.0 % of the cores"))
    #expect(text.contains("1.00 ms to read and 20.00 ms of a core") && !text.contains("\n"))
  }

  @Test func loadingLimitsWhereItWaits() {
    let cases: [(String, String)] = [
      (advice(waited: 5, read: 1, crop: 8, workers: 1), "not every core has a worker; try workers 2"),
      (advice(waited: 5, read: 1, crop: 8), "store the pictures smaller"),
      (advice(waited: 5, read: 15, crop: 4), "more workers help; try workers 4"),
    ]
    for (text, remedy) in cases {
      #expect(text.hasPrefix("loading limits: steps wait for images 50.0 % of the time"))
      #expect(text.hasSuffix(remedy) || text.contains(remedy), "\(text)")
    }
  }

  @Test func nothingMeasuredIsNoTrap() {
    #expect(!LoadingBalance(stepSeconds: 0, waitedSeconds: 0, cost: .init(), workers: 1, cores: 0).advice.text().isEmpty)
  }
}
