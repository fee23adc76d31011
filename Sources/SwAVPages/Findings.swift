import SwAVEngine
import SwAVTraining

/// What a run came to, in figures and in sentences.
struct Findings: Sendable {
  let history: RunHistory
  let look: ReportPictures?

  /// Loss over ln K, mean of the first and of the last steps.
  let firstLoss: Double?
  let lastLoss: Double?
  let diagnoses: [Diagnosis]

  init(_ history: RunHistory, look: ReportPictures?) {
    (self.history, self.look) = (history, look)
    let steps = history.steps
    let run = min(50, max(1, steps.count / 10))
    func loss(_ steps: ArraySlice<StepProgress>) -> Double? {
      steps.isEmpty ? nil : steps.reduce(0) { $0 + $1.loss / $1.lnK } / Double(steps.count)
    }
    firstLoss = loss(steps.prefix(run))
    lastLoss = loss(steps.suffix(run))
    diagnoses = history.diagnoses
  }

  /// Three sentences.
  var sentences: [String] { [learned, seen, health] }

  private var images: String { history.environment.map { "\(grouped($0.images.count)) pictures" } ?? "the pictures" }
  private var prototypes: Int { history.configuration.prototypes.first ?? 0 }

  private var learned: String {
    guard let last = history.steps.last, let firstLoss, let lastLoss else {
      return "This run has not made a step yet."
    }
    let begin =
      history.isFinished
      ? "In \(count(history.epochs, "epoch")) over \(images) without labels"
      : "So far, in \(grouped(last.step)) of \(grouped(last.totalSteps)) steps over \(images) without labels"
    let how = "went from \(figure(firstLoss)) to \(figure(lastLoss)) of ln K, where 1 is guessing"
    let verdict =
      lastLoss > 0.995
      ? ": it has hardly left that, so it has learned little" : lastLoss > 0.95 ? ": the beginning of learning" : ""
    return "\(begin), a \(history.configuration.arch.title) learned to name the same of \(prototypes) clusters for different "
      + "views of a picture; its loss \(how)\(verdict)."
  }

  private var seen: String {
    if let look, let accuracy = look.accuracy {
      let change = accuracy.after - accuracy.before
      let words =
        abs(change) < 1
        ? "about as often as \(look.beginning)"
        : change > 0
          ? "up from \(percent(accuracy.before)) \(look.beginning)"
          : "down from \(percent(accuracy.before)) \(look.beginning)"
      return "By their 20 nearest neighbours among \(grouped(accuracy.bank)) pictures it tells the class of "
        + "\(percent(accuracy.after)) of \(grouped(accuracy.images)) right, \(words)\(whole(accuracy)); always naming the largest class would be right for \(percent(accuracy.majorityShare))."
    }
    guard let look else {
      return history.evaluations.last.map {
        "By their 20 nearest neighbours it told the class of \(percent($0.knn20)) of the validation pictures right."
      } ?? "There were no pictures at hand to look at with it."
    }
    let living = look.clustering.living
    let largest = living.map(\.size).max() ?? 0
    return "The \(grouped(look.after.count)) pictures looked at fall into \(living.count) of \(look.clustering.clusters.count) "
      + "clusters, of \(count(largest, "picture")) at most; the gallery below shows what each is about."
  }

  /// The run's own figure, where that is of more pictures than were looked at.
  private func whole(_ accuracy: LabelledLook) -> String {
    guard let last = history.evaluations.last,
      (last.trainImages ?? 0) > accuracy.bank || (last.valImages ?? 0) > accuracy.images
    else { return "" }
    return " (with all pictures of the run it is \(percent(last.knn20)))"
  }

  private var health: String {
    guard let first = diagnoses.first else {
      guard let last = history.steps.last else { return "There are no figures to judge its health by." }
      if let look, let largest = look.clustering.living.map(\.size).max(), 10 * largest > 9 * look.after.count {
        return "Nearly all pictures are in one cluster: the network tells them not apart, or they are nearly the same."
      }
      return
        "Nothing points to a collapse: the codes of the last batch name \(last.prototypesUsed) of \(prototypes) clusters, and "
        + "embeddings of different pictures have a mean cosine of \(figure(last.similarity))."
    }
    let remedy = first.remedies.first.map { "; first try \($0.text)" } ?? ""
    return "The run is not well, it shows \(first.name)\(remedy)."
  }

  /// The figures at the top: a value, what it is, and what to hold it against.
  var tiles: [[String: Any]] {
    var tiles: [[String: Any]] = []
    func add(_ value: String, _ name: String, _ note: String) { tiles.append(["value": value, "name": name, "note": note]) }
    if let lastLoss { add(figure(lastLoss), "loss / ln K", "1 is guessing") }
    if let look, let accuracy = look.accuracy {
      add(percent(accuracy.after), "20-NN accuracy", "\(percent(accuracy.before)) \(look.beginning)")
    } else if let last = history.evaluations.last {
      add(percent(last.knn20), "20-NN accuracy", "of the validation pictures")
    }
    if let look {
      add("\(look.clustering.living.count)", "clusters in use", "of \(look.clustering.clusters.count)")
    }
    if !history.steps.isEmpty { add(span(history.seconds), "of training", "\(figure(rate)) pictures a second") }
    return tiles
  }

  /// Pictures a second over the whole run.
  var rate: Double {
    guard let last = history.steps.last, history.seconds > 0 else { return 0 }
    return Double(last.step * history.configuration.batch) / history.seconds
  }
}

extension RunHistory {
  /// Of training in all processes, without the evaluations that came in between, which the clock of the steps counts as well.
  var seconds: Double {
    guard let last = steps.last else { return 0 }
    return max(0, last.seconds - evaluations.filter { $0.step < last.step }.reduce(0) { $0 + $1.evaluationSeconds })
  }
  /// Of the settings; of a run by steps or by the clock those that it has come to.
  var epochs: Int { configuration.epochs ?? steps.last?.epoch ?? 0 }

  var stepsPerEpoch: Double {
    guard let last = steps.last else { return 1 }
    if let epochs = configuration.epochs { return Double(last.totalSteps) / Double(max(1, epochs)) }
    let images = environment?.images.count ?? 0
    return images > 0 ? Double(max(1, images / configuration.batch)) : Double(last.step) / Double(max(1, last.epoch))
  }

  /// Seconds that steps waited for pictures.
  var waited: Double {
    var (sum, before) = (0.0, 0.0)
    let evaluated = Dictionary(evaluations.map { ($0.step, $0.evaluationSeconds) }, uniquingKeysWith: { $1 })
    for step in steps {
      before += evaluated[step.step - 1] ?? 0
      // After an interruption the clock of the run goes on; a step cannot have taken less than nothing.
      sum += max(0, step.seconds - before) * step.dataWait / 100
      before = step.seconds
    }
    return sum
  }
}

func percent(_ value: Double) -> String { decimals(value, value < 10 ? 1 : 0) + " %" }

func count(_ number: Int, _ thing: String) -> String { "\(grouped(number)) \(thing)\(number == 1 ? "" : "s")" }

/// "52 s", "12 min", "3 h 20 min".
func span(_ seconds: Double) -> String {
  guard seconds.isFinite else { return "not finite" }
  if seconds < 90 { return "\(Int(seconds.rounded())) s" }
  let minutes = Int((seconds / 60).rounded())
  return minutes < 90 ? "\(minutes) min" : "\(minutes / 60) h \(minutes % 60) min"
}
