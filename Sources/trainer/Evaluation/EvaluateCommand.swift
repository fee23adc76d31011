import ArgumentParser
import SwAV

/// The protocols of the paper and others, one a sub-command.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure what was learned, by one of several protocols.",
    discussion: """
      On frozen features, in seconds to minutes: knn, linear-features, retrieval,
      clusters, svm. Training, in hours on large sets: linear, transfer, semi,
      finetune. docs/evaluation.md says what each is and what stands beside the
      figures. Figures stand with their 95 % confidence interval on images of this
      kind, for this network and these training images.
      """,
    subcommands: [
      EvaluateKNN.self, EvaluateLinearFeatures.self, EvaluateRetrieval.self, EvaluateClusters.self, EvaluateSVM.self,
      EvaluateLinear.self, EvaluateTransfer.self, EvaluateSemi.self, EvaluateFinetune.self,
    ])
}

/// Of a text as `example`.
func numbers(_ text: String, _ flag: String, as example: String = "20,200") throws -> [Int] {
  let found = text.split(separator: ",").map { Int($0) }
  guard !found.isEmpty, found.allSatisfy({ $0 ?? 0 >= 1 }) else {
    throw ValidationError("\(flag) is '\(text)'; numbers from 1 on with commas between them are needed, as \(example)")
  }
  return found.compactMap { $0 }
}

struct EvaluateKNN: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "knn",
    abstract: "Accuracy of the nearest neighbours.",
    discussion: """
      20 and 200 neighbours, each with votes of exp(cosine / temperature), as the
      paper and DINO have them, and with one vote each. Without --train each
      validation image is asked about among the others.
      """)
  @OptionGroup var options: EvaluationOptions
  @Option(help: ArgumentHelp("Neighbours that vote.", valueName: "n,n"))
  var neighbours = NearestNeighbours.publishedCounts.map(String.init).joined(separator: ",")
  @Option(help: ArgumentHelp("Temperature of the votes.", valueName: "t"))
  var temperature = NearestNeighbours().temperature
  @Option(help: ArgumentHelp("exponential, equal or both.", valueName: "name"))
  var weighting = "both"

  func validate() throws {
    _ = try numbers(neighbours, "--neighbours")
    guard temperature > 0 else { throw ValidationError("--temperature is \(temperature); a number above 0 is needed") }
    guard weighting == "both" || NearestNeighbours.Weighting(rawValue: weighting) != nil else {
      throw ValidationError("--weighting is '\(weighting)'; exponential, equal or both is needed")
    }
  }

  func run() throws {
    let weightings = NearestNeighbours.Weighting.allCases.filter { weighting == "both" || weighting == $0.rawValue }
    let counts = try numbers(neighbours, "--neighbours")
    try options.run(
      weightings.flatMap { weighting in
        counts.map { NearestNeighbours(neighbours: $0, temperature: temperature, weighting: weighting) }
      }, command: "evaluate knn")
  }
}

struct EvaluateLinearFeatures: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "linear-features",
    abstract: "Accuracy of a logistic regression on features of centre crops.",
    discussion: "Standardised features; L-BFGS: no learning rate, seconds in the place of hours. The same as trainer linear.")
  @OptionGroup var options: EvaluationOptions
  @OptionGroup var probe: LinearProbeOptions

  func run() throws { try options.run([probe.judge], command: "evaluate linear-features") }
}

struct EvaluateRetrieval: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "retrieval",
    abstract: "How well images of the same class are found.",
    discussion: """
      Each validation image ranks the training images (the other validation
      images without --train) by cosine. Mean average precision, and recall at k:
      the share that has one of its class among the first k.
      """)
  @OptionGroup var options: EvaluationOptions
  @Option(help: ArgumentHelp("Of recall.", valueName: "k,k"))
  var depths = Retrieval().depths.map(String.init).joined(separator: ",")

  func validate() throws { _ = try numbers(depths, "--depths") }

  func run() throws {
    try options.run([Retrieval(depths: numbers(depths, "--depths"))], command: "evaluate retrieval")
  }
}

struct EvaluateClusters: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "clusters",
    abstract: "Clusters of the validation images against their classes.",
    discussion: """
      Spherical k-means on features, and the prototypes that images go to:
      normalised mutual information, adjusted Rand index, purity, and accuracy
      where each class is given to one cluster. Learns from no label.
      """)
  @OptionGroup var options: EvaluationOptions
  @Option(help: ArgumentHelp("Clusters of k-means; as many as classes unless given.", valueName: "n"))
  var clusters: Int?
  @Option(help: ArgumentHelp("Starts of k-means, of which the best counts.", valueName: "n"))
  var starts = Clusters(.kmeans()).starts

  func validate() throws {
    if let clusters, clusters < 1 { throw ValidationError("--clusters is \(clusters); a number from 1 on is needed") }
    guard (1...1_000_000).contains(starts) else { throw ValidationError("--starts is \(starts); 1 to 1000000 are allowed") }
  }

  func run() throws {
    try options.run(
      [Clusters(.kmeans(clusters: clusters), starts: starts), Clusters(.prototypes)], command: "evaluate clusters")
  }
}

struct EvaluateSVM: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "svm",
    abstract: "Linear SVMs on images of several classes each (VOC07).",
    discussion: """
      --train and --val: a folder of Pascal VOC's form (Annotations, JPEGImages,
      ImageSets), a CSV with columns path and label (several classes with | between
      them), or labelled images. Costs by cross-validation on the training images;
      mean average precision over 11 points.
      """)
  @OptionGroup var options: EvaluationOptions
  @Option(help: ArgumentHelp("Costs that are tried.", valueName: "c,c"))
  var costs = SupportVectorMachine().costs.map { "\($0)" }.joined(separator: ",")
  @Option(help: ArgumentHelp("Parts of the cross-validation.", valueName: "n"))
  var folds = SupportVectorMachine().folds
  @Option(help: ArgumentHelp("Pascal's list to learn from.", valueName: "name"))
  var trainPart = "trainval"
  @Option(help: ArgumentHelp("Pascal's list to ask about.", valueName: "name"))
  var valPart = "test"

  private var numbers: [Double] { costs.split(separator: ",").compactMap { Double($0) } }

  func validate() throws {
    guard !numbers.isEmpty, numbers.count == costs.split(separator: ",").count, numbers.allSatisfy({ $0 > 0 && $0.isFinite })
    else { throw ValidationError("--costs is '\(costs)'; numbers above 0 with commas between them are needed") }
    guard (2...1000).contains(folds) else { throw ValidationError("--folds is \(folds); 2 to 1000 are allowed") }
  }

  func run() throws {
    try options.run(
      [SupportVectorMachine(costs: numbers.sorted(), folds: folds)], command: "evaluate svm", part: (trainPart, valPart))
  }
}
