/// Images named one by one: the lines of a text file, or an array of paths.
public struct ImageList: ImageSource {
  let paths: PathTable

  public init(paths: [String]) {
    var table = PathTable()
    for path in paths { table.append(Array(path.utf8)) }
    self.paths = table
  }

  /// A text file with one path a line; empty lines are skipped.
  public init(contentsOf file: String) throws(DataError) {
    let bytes = try FileBytes.read(file)
    var table = PathTable()
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let path = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      if !path.isEmpty { table.append(Array(path)) }
    }
    guard table.count > 0 else { throw DataError(.unusable, "\(file): names no files; one path a line is needed") }
    paths = table
  }

  public var count: Int { paths.count }

  public func name(of sample: Int) -> String { paths.text(sample) }

  public func bytes(of sample: Int) throws -> [UInt8] {
    let path = paths.withPath(sample) { $0.map { CChar(bitPattern: $0) } } + [0]
    return try path.withUnsafeBufferPointer { (buffer) throws(DataError) -> [UInt8] in
      guard let base = buffer.baseAddress else { return [] }
      return try FileBytes.read(base)
    }
  }
}
