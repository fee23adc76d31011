import ArgumentParser
import Foundation
import SwAV

/// Runs a body that a signal calls off, between images and inside the engine. The command then says on standard error that it was
/// stopped, and `stopped`: what became of the work; its exit code is that of the signal.
func endingOnSignal<R>(stopped: @autoclosure () -> String, json: Bool, _ body: () throws -> R) throws -> R {
  let cancellation = StopSignal.install()
  do {
    return try cancellation.watching(body)
  } catch  where cancellation.isCancelled {
    let text = stopped()
    if json { print(try jsonRow("stopped", ["stopped": text])) }
    try? FileHandle.standardError.write(contentsOf: Data("stopped: \(text)\n".utf8))
    throw ExitCode(StopSignal.exitCode)
  }
}
