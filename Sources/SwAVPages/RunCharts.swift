import SwAVTraining

/// The curves of a run.
struct RunCharts {
  private let history: RunHistory

  init(_ history: RunHistory) { self.history = history }

  var views: [[String: Any]] { charts.enumerated().compactMap { $1.view(id: "chart\($0)") } }

  private func curve(_ value: (StepProgress) -> Double) -> [Chart.Series] {
    let perEpoch = history.stepsPerEpoch
    return [Chart.Series(name: history.name, points: thinned(history.steps.map { (Double($0.step) / perEpoch, value($0)) }))]
  }

  private var accuracy: [Chart.Series] {
    [Chart.Series(name: history.name, points: history.evaluations.map { (Double($0.epoch), $0.knn20) })]
  }

  private var probe: [Chart.Series] {
    let learned = history.probes.map { (Double($0.epoch), $0.probeRight) }
    let asked = history.evaluations.compactMap { one in one.probe.map { (Double(one.epoch), $0) } }
    return [Chart.Series(name: "training", points: learned), Chart.Series(name: "validation", points: asked)]
      .filter { !$0.points.isEmpty }
  }

  private var charts: [Chart] {
    let guess = history.evaluations.last?.majorityShare
    let prototypes = Double(history.configuration.prototypes.first ?? 0)
    return [
      Chart(
        title: "Loss", caption: "In units of ln K: below 1 the views of a picture predict each other better than chance.",
        unit: "loss / ln K", series: curve { $0.loss / $0.lnK }, reference: (1, "guessing")),
      Chart(
        title: "kNN accuracy", caption: "Validation pictures whose class their 20 nearest neighbours tell.", unit: "%",
        series: accuracy, reference: guess.map { ($0, "largest class") }, hasDots: true, most: 100),
      Chart(
        title: "Linear probe", caption: "Pictures whose class a linear layer tells that learns beside the training.", unit: "%",
        series: probe, reference: guess.map { ($0, "largest class") }, most: 100),
      Chart(title: "Learning rate", caption: "Warm-up, then a cosine.", series: curve(\.lr), fromZero: true),
      Chart(
        title: "Pictures a second", caption: "Loading included.", unit: "images/s", series: curve(\.imagesPerSecond),
        fromZero: true),
      Chart(
        title: "Score spread", caption: "How differently pictures score on a prototype. Near 0 is collapse.",
        series: curve(\.scoreSpread), fromZero: true),
      Chart(
        title: "Code entropy", caption: "In units of ln K: 1 is uniform codes, which teach nothing.",
        series: curve(\.codeEntropy), reference: (1, "uniform")),
      Chart(
        title: "Similarity of pictures", caption: "Mean cosine of embeddings of different pictures. 1 is collapse.",
        series: curve(\.similarity), reference: (1, "collapse"), fromZero: true),
      Chart(
        title: "Prototypes named", caption: "By the codes of one batch.", series: curve { Double($0.prototypesUsed) },
        reference: prototypes > 0 ? (prototypes, "all") : nil, fromZero: true),
    ]
  }
}
