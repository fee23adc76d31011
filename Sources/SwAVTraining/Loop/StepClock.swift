/// Time of the steps of this process. A value: the loop owns it.
struct StepClock {
  private let batch: Int
  private let secondsBefore: Double
  private let began = ContinuousClock.now
  private var mark = ContinuousClock.now
  private var checkpointMark = ContinuousClock.now
  private(set) var waitedInAll = 0.0
  private var steps = 0
  private(set) var stepSeconds = 0.0
  /// Time and waiting of the last steps.
  private var recent: [(seconds: Double, waited: Double)] = []
  /// Seconds of the last evaluation; 0 before the first.
  var evaluationSeconds = 0.0
  /// Steps that the shown rate is the mean of.
  private static let window = 20

  init(batch: Int, secondsBefore: Double) { (self.batch, self.secondsBefore) = (batch, secondsBefore) }

  /// A step is done; `waited` are the seconds that the loader has kept its consumer waiting in all.
  mutating func tick(waited: Double) {
    let now = ContinuousClock.now
    let seconds = (now - mark) / .seconds(1)
    mark = now
    steps += 1
    stepSeconds += seconds
    recent.append((seconds, waited - waitedInAll))
    if recent.count > StepClock.window { recent.removeFirst() }
    waitedInAll = waited
  }

  /// Time since the last step was spent on something else.
  mutating func skip() { mark = .now }

  mutating func markCheckpoint() {
    checkpointMark = .now
    mark = .now
  }

  var secondsSinceCheckpoint: Double { (ContinuousClock.now - checkpointMark) / .seconds(1) }
  var secondsInAll: Double { secondsBefore + (ContinuousClock.now - began) / .seconds(1) }
  var meanRate: Double? { steps == 0 ? nil : Double(steps * batch) / stepSeconds }

  var secondsPerStep: Double { recent.reduce(0) { $0 + $1.seconds } / Double(max(1, recent.count)) }
  var imagesPerSecond: Double { secondsPerStep > 0 ? Double(batch) / secondsPerStep : 0 }
  var dataWaitPercent: Double {
    let all = recent.reduce(0) { $0 + $1.seconds }
    return all > 0 ? min(100, 100 * recent.reduce(0) { $0 + $1.waited } / all) : 0
  }

  /// Seconds that so many steps and evaluations take at the present rate.
  func seconds(steps: Int, evaluations: Int) -> Double {
    Double(steps) * secondsPerStep + Double(evaluations) * evaluationSeconds
  }
}
