import Glibc
import Synchronization

/// What loading has cost, summed over the workers.
public struct LoadingCost: Sendable, Equatable {
  /// Images that were cropped.
  public var images = 0
  /// Seconds that workers spent on reads, waiting included.
  public var readSeconds = 0.0
  /// Seconds of processor time for decoding and cropping.
  public var cropSeconds = 0.0

  package init(images: Int = 0, readSeconds: Double = 0, cropSeconds: Double = 0) {
    (self.images, self.readSeconds, self.cropSeconds) = (images, readSeconds, cropSeconds)
  }
}

/// Adds up what workers do.
final class LoadingClock: Sendable {
  private let images = Atomic(0)
  private let readNanoseconds = Atomic(0)
  private let cropNanoseconds = Atomic(0)

  func reading<R>(_ body: () throws -> R) rethrows -> R {
    let start = LoadingClock.nanoseconds(CLOCK_MONOTONIC)
    defer { readNanoseconds.add(LoadingClock.nanoseconds(CLOCK_MONOTONIC) - start, ordering: .relaxed) }
    return try body()
  }

  func cropping(_ body: () throws -> Void) rethrows {
    // Processor time: on a busy machine a worker waits for its turn, which is no cost of the image.
    let start = LoadingClock.nanoseconds(CLOCK_THREAD_CPUTIME_ID)
    defer { cropNanoseconds.add(LoadingClock.nanoseconds(CLOCK_THREAD_CPUTIME_ID) - start, ordering: .relaxed) }
    try body()
    images.add(1, ordering: .relaxed)
  }

  private static func nanoseconds(_ clock: clockid_t) -> Int {
    var time = timespec()
    clock_gettime(clock, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }

  var cost: LoadingCost {
    LoadingCost(
      images: images.load(ordering: .relaxed), readSeconds: Double(readNanoseconds.load(ordering: .relaxed)) / 1e9,
      cropSeconds: Double(cropNanoseconds.load(ordering: .relaxed)) / 1e9)
  }
}
