public import Foundation
public import SwAVData

extension Features {
  /// One line an image: its name, its class where there is one, then the numbers.
  public func csv(of source: any ImageSource) -> String {
    let hasLabels = !source.classNames.isEmpty
    var text = (["name"] + (hasLabels ? ["class"] : []) + (0..<dim).map { "f\($0)" }).joined(separator: ",") + "\n"
    for row in 0..<count {
      let label = source.label(of: samples[row])
      var fields = [csvField(source.name(of: samples[row]))]
      if hasLabels { fields.append(csvField(label.map { source.classNames[$0] } ?? "")) }
      fields.append(contentsOf: values[row * dim..<(row + 1) * dim].map { "\($0)" })
      text += fields.joined(separator: ",") + "\n"
    }
    return text
  }

  /// NumPy's format, version 1.0: float32 [count][dim], little-endian.
  public var npy: Data {
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(count), \(dim)), }"
    // Magic, version, length and header together are a multiple of 64 bytes, the last of them a newline.
    let unpadded = 10 + header.utf8.count + 1
    header += String(repeating: " ", count: (64 - unpadded % 64) % 64) + "\n"
    var data = Data([0x93] + Array("NUMPY".utf8) + [1, 0])
    let length = UInt16(header.utf8.count)
    data.append(contentsOf: [UInt8(length & 0xff), UInt8(length >> 8)])
    data.append(contentsOf: header.utf8)
    values.withUnsafeBytes { data.append(contentsOf: $0) }
    return data
  }
}
