import ArgumentParser
import SwAV

struct KNNCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "knn",
    abstract: "Accuracy of the nearest neighbours on frozen features.",
    discussion: """
      Backbone features of centre crops (shorter side to 256/224 of the input
      size), unit norm, cosine; each of the nearest neighbours votes with
      exp(cosine / temperature). Without --train each validation image is asked
      about among the others. Classes are matched by name. Beside the share that is
      right stand the mean of the classes and the share of the largest class.
      """)

  @OptionGroup var options: EvaluationOptions
  @Option(help: ArgumentHelp("Neighbours that vote.", valueName: "n"))
  var neighbours = NearestNeighbours().neighbours
  @Option(help: ArgumentHelp("Temperature of the votes.", valueName: "t"))
  var temperature = NearestNeighbours().temperature

  func validate() throws {
    guard neighbours >= 1 else { throw ValidationError("--neighbours is \(neighbours); a number from 1 on is needed") }
    guard temperature > 0 else { throw ValidationError("--temperature is \(temperature); a number above 0 is needed") }
  }

  func run() throws {
    try options.run([NearestNeighbours(neighbours: neighbours, temperature: temperature)], command: "knn")
  }
}

struct LinearCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "linear",
    abstract: "Accuracy of a logistic regression on frozen features.",
    discussion: """
      Backbone features of centre crops, standardised; L-BFGS on the mean
      cross-entropy + penalty * |W|^2.
      """)

  @OptionGroup var options: EvaluationOptions
  @OptionGroup var probe: LinearProbeOptions

  func run() throws { try options.run([probe.judge], command: "linear") }
}

/// Flags of the logistic regression.
struct LinearProbeOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Weight of the squared norm.", valueName: "p"))
  var penalty = LinearProbe().penalty
  @Option(help: ArgumentHelp("Iterations at most.", valueName: "n"))
  var iterations = LinearProbe().maxIterations

  func validate() throws {
    guard penalty >= 0 else { throw ValidationError("--penalty is \(penalty); a number from 0 on is needed") }
    guard iterations >= 1 else { throw ValidationError("--iterations is \(iterations); a number from 1 on is needed") }
  }

  var judge: LinearProbe { LinearProbe(penalty: penalty, maxIterations: iterations) }
}
