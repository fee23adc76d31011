// swift-tools-version: 5.9
// A package of somebody else: it depends on a version of this one, and its own tools version may be lower.
import PackageDescription

let package = Package(
  name: "consumer",
  dependencies: [
    // Where the repository is, as a URL; the test makes one with a tag.
    .package(url: Context.environment["SWAV_REPOSITORY"] ?? "file:///swav", from: "0.1.0")
  ],
  targets: [
    .executableTarget(name: "embed", dependencies: [.product(name: "SwAV", package: "swav")]),
    .executableTarget(name: "train", dependencies: [.product(name: "SwAV", package: "swav")]),
  ]
)
