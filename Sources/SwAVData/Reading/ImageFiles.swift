/// What files of pictures are called and how they begin, for folders, archives, lists and tables. The engine's sniff.cpp knows
/// beginnings too, of the formats that it was built with.
enum ImageFiles {
  /// For messages.
  static let formats = "JPEG, PNG, WebP, TIFF, GIF, HEIC, AVIF, BMP and PNM"

  /// Lower-case endings of names that are taken for images unseen; what such a file holds is told by its content.
  static let endings: Set<String> = [
    "jpg", "jpeg", "jpe", "jfif", "jif", "png", "apng", "webp", "tif", "tiff", "gif", "heic", "heif", "hif", "avif", "bmp",
    "dib", "ppm", "pgm", "pbm", "pnm",
  ]

  /// Letters of the longest one.
  static let longestEnding = endings.lazy.map(\.count).max() ?? 0

  /// Cameras' raw files begin as a TIFF whose first page is a thumbnail, and are no pictures yet.
  private static let rawEndings: Set<String> = [
    "3fr", "arw", "cr2", "dcr", "dng", "erf", "fff", "iiq", "kdc", "mef", "mos", "nef", "nrw", "pef", "raw", "rwl", "sr2",
    "srf",
    "srw",
  ]

  static func isRaw(_ name: String) -> Bool { rawEndings.contains(fileEnding(of: name)) }

  static func hasEnding(_ name: String) -> Bool { endings.contains(fileEnding(of: name)) }

  /// Bytes of a file that ``looksLikeImage(_:)`` looks at.
  static let headSize = 12
}

/// Whether bytes begin as a format that the engine decodes.
package func looksLikeImage(_ head: some Collection<UInt8>) -> Bool {
  let bytes = Array(head.prefix(ImageFiles.headSize))
  func begins(_ magic: [UInt8]) -> Bool { bytes.starts(with: magic) }
  func has(_ text: String, at offset: Int) -> Bool { bytes.dropFirst(offset).starts(with: text.utf8) }
  if begins([0xff, 0xd8, 0xff]) || begins([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) { return true }
  if has("RIFF", at: 0) && has("WEBP", at: 8) || has("GIF87a", at: 0) || has("GIF89a", at: 0) { return true }
  // TIFF and BigTIFF in both byte orders.
  if ["II*\0", "II+\0", "MM\0*", "MM\0+"].contains(where: { has($0, at: 0) }) { return true }
  // HEIC and AVIF: brands of pictures among ISO media files, which videos are as well.
  let brands = ["heic", "heix", "hevc", "hevx", "heim", "heis", "avif", "avis", "mif1", "msf1", "mif2", "miaf"]
  if has("ftyp", at: 4) && brands.contains(where: { has($0, at: 8) }) { return true }
  // BMP: "BM", then the file's size and two reserved zero words.
  if has("BM", at: 0) && bytes.count >= 10 && bytes[6..<10].allSatisfy({ $0 == 0 }) { return true }
  // PNM: P1 to P6 followed by white space.
  return bytes.count > 2 && bytes[0] == 0x50 && (0x31...0x36).contains(bytes[1]) && [0x20, 0x09, 0x0a, 0x0d].contains(bytes[2])
}
