import Foundation
import SwAV

/// Images of the program's own: stripes at an angle that only the sample decides, as PPM files that never touch a disk.
struct Stripes: ImageSource {
  let count = 128
  let side = 64

  func bytes(of sample: Int) -> [UInt8] {
    let angle = Double(sample) / Double(count) * .pi
    let (x, y) = (cos(angle), sin(angle))
    var file = Array("P6 \(side) \(side) 255\n".utf8)
    for row in 0..<side {
      for column in 0..<side {
        let level = UInt8(127.5 + 127.5 * sin((Double(column) * x + Double(row) * y) / 2))
        file += [level, 255 - level, UInt8(sample % 256)]
      }
    }
    return file
  }

  func name(of sample: Int) -> String { "stripes number \(sample)" }
}

// train RUN: two epochs of a small network, then one more, cancelled after its first step. The weights end up in RUN.
guard CommandLine.arguments.count == 2 else {
  print("usage: train RUN")
  exit(64)
}
do {
  let images = Stripes()
  // What is given stays, and the rest is planned around it.
  var given = PretrainSettings()
  for (name, value) in [("crops", "2x32+2x24"), ("epochs", "2"), ("base-width", "16")] { try given.set(name, to: value) }
  let configuration = try PretrainConfiguration.planned(for: DataFacts.look(at: images, workers: 2), given: given).configuration
  let output = CommandLine.arguments[1]
  let run = PretrainingRun(Pretraining(images: images, configuration: configuration, output: output))
  for try await event in run.events {
    switch event {
    case .started(let start): print("\(start.totalSteps) steps of \(configuration.batch) images")
    case .step(let step): print("step \(step.step): loss \(step.loss)")
    default: break
    }
  }

  print("weights: \(try await run.value.weights)")

  // A run that is cancelled undoes the step under way, and its value comes after the checkpoint.
  let other = PretrainingRun(Pretraining(images: images, configuration: configuration, output: output + "-cancelled"))
  for try await event in other.events {
    if case .step = event { other.cancel() }
  }
  print("cancelled after step \(try await other.value.step)")
} catch {
  print("train: \(error)")
  exit(1)
}
