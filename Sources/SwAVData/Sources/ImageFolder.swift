import Glibc

/// The images below a folder, flat or nested; first-level sub-folders are the classes, where every image is in one.
///
/// Taken are files named .jpg, .jpeg, .png, .webp, .bmp, .ppm, .pgm, .pnm in any case, and files of other names that begin
/// like such a picture. Hidden files and folders, and Thumbs.db, are skipped. Symbolic links are followed, once around a
/// loop. The order is that of the paths' bytes: it depends on neither locale nor file system.
public struct ImageFolder: ImageSource {
  /// The folder as given.
  public let root: String
  public let classNames: [String]
  let paths: PathTable
  private let stamps: FileStamps
  /// Class of each sample; empty without classes.
  let labels: [Int32]

  /// Scans the folder. Throws `.missing` where it is not there, `.unusable` where it holds no images.
  public init(_ root: String) throws(DataError) {
    var scan = FolderScan(root: root)
    try scan.run()
    guard scan.paths.count > 0 else {
      throw DataError(
        .unusable,
        "\(root): no images among \(scan.filesSeen) files; JPEG, PNG, WebP, BMP or PNM files are needed, sub-folders are searched"
      )
    }
    scan.paths.sort()
    self.root = root
    paths = scan.paths
    stamps = FileStamps(count: scan.paths.count)
    (classNames, labels) = ImageFolder.classes(of: scan.paths)
  }

  /// What this source passes over below its folder, by path. Searches the folder once more.
  public func ignoredFiles() throws(DataError) -> [IgnoredFile] {
    var scan = FolderScan(root: root, collectsIgnored: true)
    try scan.run()
    return (scan.ignored ?? []).sorted { $0.path < $1.path }
  }

  public var count: Int { paths.count }

  public func bytes(of sample: Int) throws -> [UInt8] { try head(of: sample, limit: FileBytes.maximumSize) }

  /// Path relative to the folder.
  public func name(of sample: Int) -> String { paths.text(sample) }

  public func label(of sample: Int) -> Int? { labels.isEmpty ? nil : Int(labels[sample]) }

  public func head(of sample: Int, limit: Int) throws -> [UInt8] {
    try FileBytes.read(fullPath(sample), limit: limit) { stamps.agrees(sample, $0) }
  }

  private func fullPath(_ sample: Int) -> [CChar] {
    var path = root.utf8.map { CChar(bitPattern: $0) }
    path.append(CChar(bitPattern: UInt8(ascii: "/")))
    paths.withPath(sample) { path.append(contentsOf: $0.map { CChar(bitPattern: $0) }) }
    path.append(0)
    return path
  }

  /// Count, and a hash of names and sizes. Costs one look at every file.
  public func identity() throws -> DataIdentity {
    var hash = FNV1a()
    for sample in 0..<count {
      paths.withPath(sample) { hash.combine($0) }
      var status = stat()
      let size = stat(fullPath(sample), &status) == 0 ? Int(status.st_size) : -1
      hash.combine([0])
      withUnsafeBytes(of: Int64(size).littleEndian) { hash.combine($0) }
    }
    return DataIdentity(count: count, hash: hash.hexadecimal)
  }

  /// Classes are the first-level folders, in the order of the sorted paths; images beside the folders mean that there are none.
  private static func classes(of paths: PathTable) -> (names: [String], labels: [Int32]) {
    var (names, labels, last) = ([String](), [Int32](), [UInt8]())
    labels.reserveCapacity(paths.count)
    for index in 0..<paths.count {
      // Sorted paths have all of one folder together, so a class is new where the folder changes.
      let folder = paths.withPath(index) { path in path.firstIndex(of: UInt8(ascii: "/")).map { Array(path[..<$0]) } }
      guard let folder else { return ([], []) }
      if names.isEmpty || folder != last {
        names.append(String(decoding: folder, as: UTF8.self))
        last = folder
      }
      labels.append(Int32(names.count - 1))
    }
    return (names, labels)
  }
}
