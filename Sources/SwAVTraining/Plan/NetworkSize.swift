import SwAVModel

/// A network and its views, and how many images it has to see in a run to be worth it: a larger one that sees fewer learns less in
/// the same time.
struct NetworkSize: Equatable {
  /// Images that a run sees in all, at least.
  var images: Double
  var arch: Architecture
  var baseWidth: Int
  /// Pixels a side of the two large views; the four small ones have half.
  var side: Int
  var batch: Int

  /// From the smallest on. The first four rows come from runs of 3 to 15 minutes on two cores; the others carry them on.
  static let all: [NetworkSize] = [
    NetworkSize(images: 0, arch: .resnet18, baseWidth: 16, side: 48, batch: 64),
    NetworkSize(images: 2.6e5, arch: .resnet18, baseWidth: 24, side: 48, batch: 64),
    NetworkSize(images: 3.2e5, arch: .resnet18, baseWidth: 32, side: 48, batch: 64),
    NetworkSize(images: 1.3e6, arch: .resnet18, baseWidth: 48, side: 48, batch: 64),
    NetworkSize(images: 3e6, arch: .resnet18, baseWidth: 48, side: 64, batch: 64),
    NetworkSize(images: 6e6, arch: .resnet18, baseWidth: 64, side: 64, batch: 64),
    NetworkSize(images: 1e7, arch: .resnet18, baseWidth: 64, side: 96, batch: 64),
    NetworkSize(images: 2e7, arch: .resnet50, baseWidth: 64, side: 96, batch: 128),
    NetworkSize(images: 3e7, arch: .resnet50, baseWidth: 64, side: 128, batch: 128),
    NetworkSize(images: 5e7, arch: .resnet50, baseWidth: 64, side: 224, batch: 256),
  ]

  /// The views for images whose shorter side has so many pixels. Enlarged pixels show nothing more, but smaller views than those
  /// of 48 pixels learn less, of small pictures too.
  func crops(shortSide: Int) -> String {
    let side = min(self.side, max(48, shortSide / 8 * 8))
    return "2x\(side)+4x\(side / 2)"
  }
}
