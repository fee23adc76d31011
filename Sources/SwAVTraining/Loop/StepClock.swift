/// Time of the steps of this process. A value: the loop owns it.
struct StepClock {
  private let batch: Int
  private let secondsBefore: Double
  private let now: @Sendable () -> Double
  private let began: Double
  private var mark: Double
  private var checkpointMark: Double
  private(set) var waitedInAll = 0.0
  private(set) var steps = 0
  private(set) var stepSeconds = 0.0
  /// Time and waiting of the last steps.
  private var recent: [(seconds: Double, waited: Double)] = []
  /// Seconds of the last evaluation; nil before the first.
  var evaluationSeconds: Double?
  /// Steps that the shown rate is the mean of.
  private static let window = 20

  /// `now` gives seconds.
  init(batch: Int, secondsBefore: Double, now: @escaping @Sendable () -> Double) {
    (self.batch, self.secondsBefore, self.now) = (batch, secondsBefore, now)
    began = now()
    (mark, checkpointMark) = (began, began)
  }

  /// A step is done; `waited` are the seconds that the loader has kept its consumer waiting in all.
  mutating func tick(waited: Double) {
    let now = now()
    let seconds = now - mark
    mark = now
    steps += 1
    stepSeconds += seconds
    recent.append((seconds, waited - waitedInAll))
    if recent.count > StepClock.window { recent.removeFirst() }
    waitedInAll = waited
  }

  /// Time since the last step was spent on something else.
  mutating func skip() { mark = now() }

  mutating func markCheckpoint() {
    checkpointMark = now()
    mark = checkpointMark
  }

  var secondsSinceCheckpoint: Double { now() - checkpointMark }
  var secondsInAll: Double { secondsBefore + now() - began }
  var meanRate: Double? { steps == 0 ? nil : Double(steps * batch) / stepSeconds }

  var secondsPerStep: Double { recent.reduce(0) { $0 + $1.seconds } / Double(max(1, recent.count)) }
  var imagesPerSecond: Double { secondsPerStep > 0 ? Double(batch) / secondsPerStep : 0 }
  var dataWaitPercent: Double {
    let all = recent.reduce(0) { $0 + $1.seconds }
    return all > 0 ? min(100, 100 * recent.reduce(0) { $0 + $1.waited } / all) : 0
  }

  /// Seconds that so many steps and evaluations take at the present rate.
  func seconds(steps: Int, evaluations: Int) -> Double {
    Double(steps) * secondsPerStep + Double(evaluations) * (evaluationSeconds ?? 0)
  }
}
