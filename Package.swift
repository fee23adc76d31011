// swift-tools-version: 6.2
// 6.2 is the first tools version whose packages may be dependencies although they carry unsafe flags: the engine needs
// -O3 and -fopenmp in every configuration, so that a debug build of a client still computes at full speed.
import PackageDescription

let swiftSettings: [SwiftSetting] = [.swiftLanguageMode(.v6), .enableUpcomingFeature("InternalImportsByDefault")]

/// One Swift module of the package; the engine's C header is visible to those that call it.
func module(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

let package = Package(
  name: "swav",
  products: [
    .library(name: "SwAV", targets: ["SwAV"]),
    // Apart, as it alone needs protocol buffers.
    .library(name: "SwAVExport", targets: ["SwAVExport"]),
    .executable(name: "trainer", targets: ["trainer"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    // Without its traits: of two, the flags come in another order each time, and half of all builds would compile it anew.
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
  ],
  targets: [
    .target(
      name: "CSwAV",
      path: ".",
      // SwiftPM hands every file below a folder of `sources` to the compiler.
      exclude: ["cpp/README.md", "cpp/image/README.md", "cpp/kernels/README.md"],
      sources: ["cpp"],
      publicHeadersPath: "include",
      cxxSettings: [
        .headerSearchPath("cpp"),
        .define("EIGEN_MPL2_ONLY"),
        .define("EIGEN_DONT_PARALLELIZE"),
        .unsafeFlags(["-std=c++20", "-O3", "-fopenmp", "-fno-math-errno", "-Wno-psabi", "-isystem", "/usr/include/eigen3"]),
      ],
      linkerSettings: [
        .linkedLibrary("omp5"), .linkedLibrary("jpeg"), .linkedLibrary("png"), .linkedLibrary("z"), .linkedLibrary("webp"),
        .linkedLibrary("webpdemux"), .linkedLibrary("tiff"), .linkedLibrary("gif"), .linkedLibrary("linear"),
      ]
    ),
    // In the order of the pipeline; each module knows only those above it.
    module("SwAVEngine", ["CSwAV"]),
    module("SwAVAugmentation", ["CSwAV", "SwAVEngine"]),
    module("SwAVModel", ["CSwAV", "SwAVEngine", "SwAVAugmentation"]),
    module("SwAVData", ["CSwAV", "SwAVEngine", "SwAVAugmentation"], exclude: ["README.md"]),
    module(
      "SwAVEvaluation", ["CSwAV", "SwAVEngine", "SwAVAugmentation", "SwAVModel", "SwAVData"], exclude: ["README.md"]),
    // Optimised in a debug build as well: it compares and paints pixels.
    .target(
      name: "SwAVInspection",
      dependencies: ["CSwAV", "SwAVEngine", "SwAVAugmentation", "SwAVModel", "SwAVData"],
      swiftSettings: swiftSettings + [.unsafeFlags(["-O"])]),
    module(
      "SwAVTraining",
      [
        "SwAVEngine", "SwAVAugmentation", "SwAVModel", "SwAVData", "SwAVEvaluation", "SwAVInspection",
        .product(name: "Yams", package: "Yams"),
      ]),
    // Optimised in a debug build as well: it goes through all pairs of some thousand images.
    .target(
      name: "SwAVDiscovery",
      dependencies: [
        "CSwAV", "SwAVEngine", "SwAVAugmentation", "SwAVModel", "SwAVData", "SwAVEvaluation", "SwAVTraining",
      ],
      swiftSettings: swiftSettings + [.unsafeFlags(["-O"])]),
    // Templates are part of the program: a copy of it elsewhere has them.
    .target(
      name: "SwAVPages",
      dependencies: [
        "SwAVEngine", "SwAVAugmentation", "SwAVModel", "SwAVData", "SwAVEvaluation", "SwAVTraining", "SwAVInspection",
        "SwAVDiscovery", .product(name: "Mustache", package: "swift-mustache"),
      ],
      resources: [.embedInCode("Templates")],
      swiftSettings: swiftSettings),
    module("SwAVBenchmark", ["CSwAV", "SwAVEngine", "SwAVAugmentation", "SwAVModel", "SwAVData"]),
    // Optimised in a debug build as well: it paints some hundred million points.
    .target(
      name: "SwAVDemo",
      dependencies: [
        "SwAVEngine", "SwAVAugmentation", "SwAVModel", "SwAVData", "SwAVEvaluation", "SwAVTraining", "SwAVInspection",
      ],
      swiftSettings: swiftSettings + [.unsafeFlags(["-O"])]),
    module(
      "SwAV",
      ["SwAVEngine", "SwAVAugmentation", "SwAVModel", "SwAVData", "SwAVEvaluation", "SwAVTraining", "SwAVInspection"]),
    // Optimised in a debug build as well: it folds and rounds millions of weights.
    .target(
      name: "SwAVExport",
      dependencies: [
        "SwAVEngine", "SwAVModel", "SwAVTraining", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["ONNX/onnx.proto"],
      swiftSettings: swiftSettings + [.unsafeFlags(["-O"])]),
    .executableTarget(
      name: "trainer",
      dependencies: [
        "SwAV", "SwAVBenchmark", "SwAVDemo", "SwAVDiscovery", "SwAVExport", "SwAVPages",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "FlyingFox", package: "FlyingFox"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "SwAVTestSupport", dependencies: ["SwAVAugmentation", "SwAVModel"], path: "Tests/SwAVTestSupport",
      swiftSettings: swiftSettings),
    tests("SwAVAugmentationTests", ["SwAVAugmentation", "SwAVEngine", "SwAVTestSupport"]),
    tests("SwAVDataTests", ["SwAVData", "SwAVAugmentation", "SwAVEngine", "SwAVTestSupport"]),
    tests("SwAVModelTests", ["SwAVModel", "SwAVAugmentation", "SwAVEngine", "SwAVTestSupport"]),
    tests(
      "SwAVEvaluationTests",
      ["SwAVEvaluation", "SwAVAugmentation", "SwAVData", "SwAVEngine", "SwAVModel", "SwAVTestSupport"]),
    tests(
      "SwAVInspectionTests",
      ["SwAVInspection", "SwAVAugmentation", "SwAVData", "SwAVEngine", "SwAVTestSupport"]),
    tests(
      "SwAVDiscoveryTests",
      ["SwAVDiscovery", "SwAVData", "SwAVEngine", "SwAVEvaluation", "SwAVModel", "SwAVTestSupport"]),
    tests(
      "SwAVPagesTests",
      ["SwAVPages", "SwAVData", "SwAVDiscovery", "SwAVEvaluation", "SwAVModel", "SwAVTestSupport"]),
    tests(
      "SwAVTrainingTests",
      [
        "SwAVTraining", "SwAVAugmentation", "SwAVData", "SwAVEngine", "SwAVInspection", "SwAVModel", "SwAVTestSupport",
      ]),
    tests(
      "SwAVExportTests",
      ["SwAVExport", "SwAVEngine", "SwAVModel", "SwAVTestSupport", .product(name: "SwiftProtobuf", package: "swift-protobuf")]),
    .testTarget(
      name: "SwAVTrainerTests", dependencies: ["trainer", "SwAVTestSupport"], exclude: ["Snapshots"],
      swiftSettings: swiftSettings),
    tests(
      "SwAVDemoTests",
      ["SwAVDemo", "SwAVAugmentation", "SwAVData", "SwAVEngine", "SwAVEvaluation", "SwAVModel", "SwAVTraining"]),
  ]
)
