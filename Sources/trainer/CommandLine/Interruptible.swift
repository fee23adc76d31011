import ArgumentParser
import Foundation
import SwAV

/// Runs a body that a signal calls off, between images and inside the engine. The command then says on standard error that it was
/// stopped, and `stopped`: what became of the work; its exit code is that of the signal. Of several processes any may get the signal: all
/// end, with that code, and the root says which it was.
func endingOnSignal<R>(stopped: @autoclosure () -> String, json: Bool, _ body: () throws -> R) throws -> R {
  let cancellation = StopSignal.install()
  do {
    return try cancellation.watching(body)
  } catch  where cancellation.isCancelled || LaunchedRanks.wereCalledOff(by: error) {
    let (there, code) = LaunchedRanks.stop(own: cancellation.isCancelled)
    let text = there + stopped()
    if LaunchedRanks.speaks {
      if json { print(try jsonRow("stopped", ["stopped": text])) }
      try? FileHandle.standardError.write(contentsOf: Data("stopped: \(text)\n".utf8))
    }
    throw ExitCode(code)
  }
}
