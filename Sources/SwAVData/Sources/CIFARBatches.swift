import Glibc

/// The binary batches of CIFAR-10 and CIFAR-100: records of one label byte (CIFAR-10) or a coarse and a fine one (CIFAR-100),
/// then 32 x 32 pixels, plane by plane: red, green, blue. Records are read where they lie and handed on as PPM.
///
/// Classes are those of the data set, the fine ones of CIFAR-100, whether all of them occur or not; named as in
/// `batches.meta.txt` or `fine_label_names.txt` beside the first file, else by their numbers.
public struct CIFARBatches: ImageSource {
  /// The files as given.
  public let files: [String]
  public let classNames: [String]
  private let form: Form
  /// The first record of each file.
  private let firsts: [Int]
  private let stamps: [FileStamp]
  private let labels: [UInt8]

  private static let pixels = 32 * 32 * 3

  private enum Form: CaseIterable {
    case cifar10, cifar100
    var labelBytes: Int { self == .cifar10 ? 1 : 2 }
    var record: Int { labelBytes + CIFARBatches.pixels }
    var classes: Int { self == .cifar10 ? 10 : 100 }
    var namesFile: String { self == .cifar10 ? "batches.meta.txt" : "fine_label_names.txt" }

    func allows(_ labels: ArraySlice<UInt8>) -> Bool {
      // The coarse label of CIFAR-100, then the fine one.
      self == .cifar10 ? labels[labels.startIndex] < 10 : labels[labels.startIndex] < 20 && labels[labels.startIndex + 1] < 100
    }
  }

  /// Reads the labels of all records. Throws `.unusable` where a file is not made of such records, or the files are of both
  /// data sets.
  public init(_ files: [String]) throws(DataError) {
    var (firsts, stamps, labels, form) = ([Int](), [FileStamp](), [UInt8](), Form?.none)
    for file in files {
      firsts.append(labels.count)
      var status = stat()
      guard stat(file, &status) == 0 else { throw FileBytes.failure(file, errno) }
      stamps.append(FileStamp(status))
      let (found, own) = try CIFARBatches.labels(of: file)
      guard form == nil || form == found else {
        throw DataError(.unusable, "\(file): the files before it are of the other CIFAR")
      }
      form = found
      labels += own
    }
    guard let form, !labels.isEmpty else { throw DataError(.unusable, "no CIFAR batches: at least one file is needed") }
    (self.files, self.form, self.firsts, self.stamps, self.labels) = (files, form, firsts, stamps, labels)
    classNames = CIFARBatches.names(beside: files[0], form)
  }

  private static func labels(of file: String) throws(DataError) -> (form: Form, labels: [UInt8]) {
    let bytes = try FileBytes.read(file)
    for form in Form.allCases where !bytes.isEmpty && bytes.count % form.record == 0 {
      let heads = stride(from: 0, to: bytes.count, by: form.record).map { bytes[$0..<$0 + form.labelBytes] }
      if heads.allSatisfy(form.allows) { return (form, heads.map { $0[$0.endIndex - 1] }) }
    }
    throw DataError(
      .unusable,
      "\(file): \(bytes.count) bytes that are no CIFAR batch; records of 3073 (CIFAR-10) or 3074 (CIFAR-100) bytes with "
        + "labels below 10, or below 20 and 100, are needed")
  }

  private static func names(beside file: String, _ form: Form) -> [String] {
    let folder = file.lastIndex(of: "/").map { file[...$0] } ?? ""
    let lines = (try? FileBytes.read(folder + form.namesFile, maximum: 1 << 16)).map { bytes in
      bytes.split(separator: 0x0a).map { printable($0.filter { $0 != 0x0d }) }.filter { !$0.isEmpty }
    }
    return lines?.count == form.classes ? lines ?? [] : (0..<form.classes).map(String.init)
  }

  public var count: Int { labels.count }

  /// FILE/NUMBER, counted from 0.
  public func name(of sample: Int) -> String {
    let file = lastIndex(in: firsts, atMost: sample)
    return "\(files[file].split(separator: "/").last ?? "")/\(sample - firsts[file])"
  }

  public func fileState(of sample: Int) -> String? { stamps[lastIndex(in: firsts, atMost: sample)].text }

  public func label(of sample: Int) -> Int? { Int(labels[sample]) }

  /// The picture as PPM.
  public func bytes(of sample: Int) throws -> [UInt8] {
    let file = lastIndex(in: firsts, atMost: sample)
    let record = try FileBytes.read(
      files[file], at: (sample - firsts[file]) * form.record + form.labelBytes, limit: CIFARBatches.pixels
    ) { $0 == stamps[file] }
    guard record.count == CIFARBatches.pixels else { throw DataError(.io, "\(files[file]): ended before \(name(of: sample))") }
    let header = Array("P6\n32 32\n255\n".utf8)
    return [UInt8](unsafeUninitializedCapacity: header.count + record.count) { bytes, count in
      for (index, byte) in header.enumerated() { bytes[index] = byte }
      let plane = 32 * 32
      for pixel in 0..<plane {
        for channel in 0..<3 { bytes[header.count + 3 * pixel + channel] = record[channel * plane + pixel] }
      }
      count = header.count + record.count
    }
  }

  /// Count, and a hash of the files' names, lengths and labels.
  public func identity() throws -> DataIdentity {
    var hash = FNV1a()
    for (file, first) in zip(files, firsts) { hash.combine("\(file.split(separator: "/").last ?? ""):\(first)\0".utf8) }
    hash.combine(labels)
    return DataIdentity(count: count, hash: hash.hexadecimal)
  }
}
