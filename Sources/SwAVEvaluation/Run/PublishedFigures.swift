/// What the paper reports (Caron et al., NeurIPS 2020, tables 1 and 2 and appendix; ResNet-50, 800 epochs), to stand beside a result
/// on the same data.
enum PublishedFigures {
  private struct Figure {
    var name: String
    var value: Double
    var of: String
  }

  private static let imageNet = [
    Figure(name: "knn20", value: 59.2, of: "SwAV, ResNet-50, 20 neighbours"),
    Figure(name: "knn200", value: 55.8, of: "SwAV, ResNet-50, 200 neighbours"),
    Figure(name: "linear_sgd_best", value: 75.3, of: "SwAV, ResNet-50, 800 epochs, linear, best epoch on val"),
    Figure(name: "linear", value: 75.3, of: "SwAV, ResNet-50, 800 epochs, linear by SGD"),
    Figure(name: "semi1", value: 53.9, of: "SwAV, ResNet-50, 1 % of the labels; supervised 25.4"),
    Figure(name: "semi10", value: 70.2, of: "SwAV, ResNet-50, 10 % of the labels; supervised 56.4"),
    Figure(name: "finetune", value: 76.5, of: "supervised ResNet-50"),
  ]
  private static let others: [(classes: Int, Figure)] = [
    (20, Figure(name: "svm_map", value: 88.9, of: "SwAV, ResNet-50, VOC07; supervised 87.5")),
    (
      205,
      Figure(name: "transfer_best", value: 56.7, of: "SwAV, ResNet-50, Places205, if these are its classes; supervised 53.2")
    ),
    (
      8142,
      Figure(
        name: "transfer_best", value: 48.6, of: "SwAV, ResNet-50, iNaturalist 2018, if these are its classes; supervised 46.7")
    ),
  ]
  private static let pascal: Set<String> = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
  ]

  /// ImageNet's 1000 classes are folders named "n01440764" and so on.
  static func isImageNet(_ classNames: [String]) -> Bool {
    classNames.count == 1000
      && classNames.allSatisfy {
        $0.utf8.count == 9 && $0.utf8.first == 0x6e && $0.utf8.dropFirst().allSatisfy { (0x30...0x39).contains($0) }
      }
  }

  /// A line for each figure that was published on these classes.
  static func lines(beside results: [EvaluationResult], classNames: [String]) -> [String] {
    let here = others.filter { $0.classes == classNames.count && ($0.classes != 20 || Set(classNames) == pascal) }.map(\.1)
    let known = isImageNet(classNames) ? imageNet : here
    let names = Set(results.flatMap(\.figures).map(\.name))
    return known.filter { names.contains($0.name) }.map { "published: \($0.value) % (\($0.of))" }
  }
}
