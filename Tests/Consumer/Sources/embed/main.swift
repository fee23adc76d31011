import Foundation
import SwAV

// embed WEIGHTS IMAGE: prints the embedding of one image, 128 numbers of unit norm.
guard CommandLine.arguments.count == 3 else {
  print("usage: embed WEIGHTS IMAGE")
  exit(64)
}
do {
  let network = try Network.open(CommandLine.arguments[1]).network
  let image = try Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[2]))
  for number in try network.embed([UInt8](image), output: .embeddings) { print(number) }
} catch {
  print("embed: \(error)")
  exit(1)
}
