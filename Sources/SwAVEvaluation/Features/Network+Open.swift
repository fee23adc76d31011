import Foundation
import SwAVData
public import SwAVModel

extension Network {
  /// Opens weights by path: a safetensors file, a checkpoint, or the folder of a run, whose weights are taken, or its
  /// checkpoint where there are none yet.
  public static func open(weightsAt path: String) throws -> Network {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw DataError(.missing, "weights \(path): not there; give a safetensors file, a run's folder, or 'untrained'")
    }
    guard isFolder.boolValue else { return try open(path).network }
    for name in ["weights.safetensors", "checkpoint"] {
      let file = path + "/" + name
      if FileManager.default.fileExists(atPath: file) { return try open(file).network }
    }
    throw DataError(.missing, "weights \(path): the folder holds neither weights.safetensors nor checkpoint")
  }
}
