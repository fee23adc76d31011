public import SwAVData

/// What features are written as: by the ending of a file's name.
public enum FeatureFormat: String, Sendable, Codable, CaseIterable {
  /// A line an image: name, class where there is one, numbers.
  case csv
  /// NumPy's: [images][numbers]; names in a file beside it.
  case npy
  /// A JSON object an image, a line each.
  case jsonl
  /// One tensor [images][numbers]; names in a file beside it.
  case safetensors

  /// nil where the name ends in none of these.
  public init?(path: String) {
    guard let found = FeatureFormat.allCases.first(where: { path.lowercased().hasSuffix("." + $0.rawValue) }) else {
      return nil
    }
    self = found
  }

  /// Whether names go into a file of their own.
  var hasNamesBeside: Bool { self == .npy || self == .safetensors }
}

/// How numbers are stored.
public enum FeatureElement: String, Sendable, Codable, CaseIterable {
  case float32, float16
}

/// Features as the bytes of a file.
public struct FeatureRows: Sendable {
  public let format: FeatureFormat
  public let element: FeatureElement
  /// What is written: "features", "embeddings" or "scores".
  public let title: String
  public let dim: Int
  /// Scales each row to unit norm; rows of zeros stay.
  public let normalizes: Bool
  private let source: any ImageSource

  public init(
    _ format: FeatureFormat, of source: any ImageSource, title: String, dim: Int, element: FeatureElement = .float32,
    normalizes: Bool = false
  ) {
    (self.format, self.source, self.title, self.dim) = (format, source, title, dim)
    (self.element, self.normalizes) = (element, normalizes)
  }

  /// What a file of `rows` rows begins with: as long whatever their number, so that it can be put in at the end.
  func header(rows: Int) -> [UInt8] {
    switch format {
    case .csv:
      let columns = ["name"] + (source.classNames.isEmpty ? [] : ["class"]) + (0..<dim).map { "f\($0)" }
      return Array((columns.joined(separator: ",") + "\n").utf8)
    case .jsonl: return []
    case .npy:
      let type = element == .float32 ? "<f4" : "<f2"
      let text = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(rows), \(dim)), }"
      // Magic, version, length and header together are 128 bytes, the last of them a newline.
      return [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + padded(text, to: 117) + [0x0a]
    case .safetensors:
      let (type, size) = element == .float32 ? ("F32", 4) : ("F16", 2)
      let tensor = "{\"dtype\":\"\(type)\",\"shape\":[\(rows),\(dim)],\"data_offsets\":[0,\(rows * dim * size)]}"
      return [248, 0, 0, 0, 0, 0, 0, 0] + padded("{\"\(title)\":\(tensor)}", to: 248)
    }
  }

  private func padded(_ text: String, to length: Int) -> [UInt8] {
    let bytes = Array(text.utf8)
    return bytes + [UInt8](repeating: 0x20, count: max(0, length - bytes.count))
  }

  /// The rows of a batch, and their names, a line each, where these go into a file of their own.
  public func encode(_ batch: Features) -> (data: [UInt8], names: [UInt8]) {
    var (data, names) = ([UInt8](), [UInt8]())
    for row in 0..<batch.count {
      let values = numbers(batch.row(row))
      let (name, sample) = (source.name(of: batch.samples[row]), batch.samples[row])
      let className = source.label(of: sample).map { source.classNames[$0] }
      switch format {
      case .csv:
        data += csvField(name).utf8
        if !source.classNames.isEmpty { data += ("," + csvField(className ?? "")).utf8 }
        for value in values { data += ",\(value)".utf8 }
        data.append(0x0a)
      case .jsonl:
        data += "{\"type\":\"\(title)\",\"schema\":1,\"name\":".utf8
        appendJSON(name, to: &data)
        if let className {
          data += ",\"class\":".utf8
          appendJSON(className, to: &data)
        }
        data += ",\"\(title)\":[".utf8
        for (index, value) in values.enumerated() { data += "\(index == 0 ? "" : ",")\(value)".utf8 }
        data += "]}\n".utf8
      case .npy, .safetensors:
        append(values, to: &data)
        names += (name + "\n").utf8
      }
    }
    return (data, names)
  }

  private func numbers(_ row: ArraySlice<Float>) -> [Float] {
    var values = Array(row)
    if normalizes {
      let norm = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      if norm > 0 { values = values.map { Float(Double($0) / norm) } }
    }
    return element == .float32 ? values : values.map { Float(Float16($0)) }
  }

  private func append(_ values: [Float], to data: inout [UInt8]) {
    for value in values {
      switch element {
      case .float32: withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) }
      case .float16: withUnsafeBytes(of: Float16(value).bitPattern.littleEndian) { data.append(contentsOf: $0) }
      }
    }
  }

  private func appendJSON(_ text: String, to data: inout [UInt8]) {
    data.append(0x22)
    for byte in text.utf8 {
      if byte == 0x22 || byte == 0x5c {
        data += [0x5c, byte]
      } else if byte < 0x20 {
        let digits = String(byte, radix: 16)
        data += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
      } else {
        data.append(byte)
      }
    }
    data.append(0x22)
  }
}
