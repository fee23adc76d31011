import Glibc
import SwAVEngine
public import SwAVEvaluation

/// A few labels, spread over all images along the graph of nearest neighbours (Zhou et al., "Learning with local and global
/// consistency", 2003), every class with the same weight in all.
public struct LabelSpreading: Sendable, Equatable {
  /// [rows][classes], each row summing to 1; the labels of images that have one stand. Shares of what came to an image, for comparing
  /// images: not how often such an image is right.
  public let probabilities: [Float]
  public let classes: Int
  /// Images that are worth labelling next, the most useful first: doubtful ones in the middle of many, each far from the others.
  public let next: [Int]

  public struct Options: Sendable {
    public var neighbours = 15
    /// Of the weights exp((cosine - 1) / temperature), as in the kNN.
    public var temperature: Float = 0.07
    /// How much of its label an image takes from its neighbours in a round, 0...1.
    public var share: Float = 0.9
    public var rounds = 60
    /// Images to be named for labelling.
    public var asked = 20

    public init() {}
  }

  /// `labels` has the class of each row, 0..<classes, or nil. At least one label is needed.
  public init(
    _ features: Features, labels: [Int?], classes: Int, _ options: Options = .init(), progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    guard labels.count == features.count, classes >= 1, labels.contains(where: { $0 != nil }) else {
      throw EngineError(
        code: .argument,
        message:
          "\(labels.count) labels, \(labels.count { $0 != nil }) of them set, for \(features.count) rows; one each is needed, "
          + "and at least one that is set")
    }
    // Of few images most would be neighbours of all, and every label would come everywhere.
    let neighbours = min(options.neighbours, max(3, features.count / 8))
    let nearest = try features.nearest(count: neighbours, progress: progress)
    let graph = Graph(nearest, count: features.count, temperature: options.temperature)
    // Every class sends out as much, however many labels it was given: else the most labelled one would take the images of the others.
    let counts = Dictionary(labels.compactMap { $0 }.map { ($0, 1) }, uniquingKeysWith: +)
    var given = [Float](repeating: 0, count: features.count * classes)
    for (row, label) in labels.enumerated() { if let label { given[row * classes + label] = 1 / Float(counts[label] ?? 1) } }
    var values = given
    for _ in 0..<options.rounds {
      try Cancellation.check()
      values = graph.spread(values, given: given, classes: classes, share: options.share)
    }
    for row in 0..<features.count {
      let place = row * classes..<(row + 1) * classes
      let sum = place.reduce(Float(0)) { $0 + values[$1] }
      for index in place {
        // No label has come there: nothing is known.
        let own: Float = labels[row] == index - place.lowerBound ? 1 : 0
        values[index] = labels[row] != nil ? own : sum > 0 ? values[index] / sum : 1 / Float(classes)
      }
    }
    (probabilities, self.classes) = (values, classes)
    next = LabelSpreading.next(values, classes, labels, nearest, graph, options.asked)
  }

  /// The class of a row that is most probable, and how probable it is.
  public func best(of row: Int) -> (label: Int, probability: Float) {
    let own = row * classes..<(row + 1) * classes
    let best = own.max { probabilities[$0] < probabilities[$1] } ?? own.lowerBound
    return (best - own.lowerBound, probabilities[best])
  }

  private static func next(
    _ probabilities: [Float], _ classes: Int, _ labels: [Int?], _ nearest: NearestRows, _ graph: Graph, _ count: Int
  ) -> [Int] {
    func doubt(_ row: Int) -> Float {
      let sorted = probabilities[row * classes..<(row + 1) * classes].sorted(by: >)
      return sorted.count > 1 ? 1 - (sorted[0] - sorted[1]) : 1 - sorted[0]
    }
    let worth = labels.indices.map { row in labels[row] == nil ? (0.05 + doubt(row)) * graph.density[row] : -1 }
    var (chosen, passed) = ([Int](), Set<Int>())
    for row in worth.indices.sorted(by: { (worth[$0], $1) > (worth[$1], $0) }) where worth[row] >= 0 {
      guard chosen.count < count else { break }
      guard !passed.contains(row) else { continue }
      chosen.append(row)
      // Its neighbours will be known from it.
      passed.formUnion(nearest.of(row).map(\.row))
    }
    return chosen
  }
}

/// Neighbours both ways, with weights that sum to 1 at each row.
private struct Graph {
  private let edges: [[(row: Int, weight: Float)]]
  /// Sum of the weights before they were scaled: how close the neighbours are.
  let density: [Float]

  init(_ nearest: NearestRows, count: Int, temperature: Float) {
    var weights = [[Int: Float]](repeating: [:], count: count)
    for row in 0..<count {
      for other in nearest.of(row) {
        let weight = exp((other.cosine - 1) / temperature)
        weights[row][other.row] = weight
        weights[other.row][row] = weight
      }
    }
    density = weights.map { $0.values.sorted().reduce(0, +) }
    let sums = density
    edges = weights.enumerated().map { row, own in
      own.sorted { $0.key < $1.key }.map { ($0.key, $0.value / max(sums[row], .leastNormalMagnitude)) }
    }
  }

  func spread(_ values: [Float], given: [Float], classes: Int, share: Float) -> [Float] {
    var result = given.map { $0 * (1 - share) }
    for (row, own) in edges.enumerated() {
      for edge in own {
        for label in 0..<classes { result[row * classes + label] += share * edge.weight * values[edge.row * classes + label] }
      }
    }
    return result
  }
}
