import Glibc
import Synchronization

/// What the file of each sample was like when it was read first, so that one that changes during a run is noticed: 4 bytes a
/// sample. Copies of a source share it.
// Sendable: the words are atomic, and the pointer never changes.
final class FileStamps: @unchecked Sendable {
  private typealias Word = Atomic<UInt32>

  /// Zero where nothing was read yet. Nil without samples, or without memory: changes are not noticed then.
  private let words: UnsafeMutablePointer<Word>?

  init(count: Int) {
    // Zeros as the operating system gives them: a page takes memory only once a sample of it is read.
    words = count > 0 ? calloc(count, MemoryLayout<Word>.stride)?.bindMemory(to: Word.self, capacity: count) : nil
  }

  deinit { free(words) }

  /// Whether the file is as it was at the first read of the sample, which may be now.
  func agrees(_ sample: Int, _ stamp: FileStamp) -> Bool {
    guard let words else { return true }
    let now = stamp.fingerprint
    let (isFirst, before) = words[sample].compareExchange(expected: 0, desired: now, ordering: .relaxed)
    return isFirst || before == now
  }
}
