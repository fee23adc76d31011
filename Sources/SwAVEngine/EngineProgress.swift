package import CSwAV

/// Hands a closure to a call of the engine, which calls it on another thread while this one waits.
package func withEngineProgress<R>(
  _ progress: (Int, Int) -> Void, _ body: (swav_progress, UnsafeMutableRawPointer) throws -> R
) rethrows -> R {
  try withoutActuallyEscaping(progress) { progress in
    var closure = progress
    return try withUnsafeMutablePointer(to: &closure) { pointer in
      try body(
        { context, done, total in
          context?.assumingMemoryBound(to: ((Int, Int) -> Void).self).pointee(Int(done), Int(total))
        }, UnsafeMutableRawPointer(pointer))
    }
  }
}
