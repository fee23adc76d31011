import CSwAV
package import SwAVEngine

/// Spherical k-means: directions that rows lie around.
package struct SphericalClusters {
  /// [count][dim], each of unit norm.
  package let centres: [Float]
  /// The nearest centre of each row.
  package let assignment: [Int32]
  /// Sum over the rows of the squared distance to it.
  package let inertia: Double
  /// Of each row and its nearest centre; 1 where all rows lie on centres. Of rows and centres of unit norm the squared distance is
  /// 2 - 2 cos.
  package var meanCosine: Double { 1 - inertia / (2 * Double(max(1, assignment.count))) }

  /// `rows` are [any number][dim], of unit norm; there are `count` of them at least. A function of its arguments alone.
  package init(
    of rows: [Float], dim: Int, count: Int, seed: UInt64, progress: (Int, Int) -> Void = { _, _ in }
  ) throws(EngineError) {
    guard dim >= 1, rows.count % dim == 0 else {
      throw EngineError(code: .argument, message: "\(rows.count) numbers are no rows of \(dim)")
    }
    let total = rows.count / dim
    var centres = [Float](repeating: 0, count: max(0, count) * dim)
    var (assignment, inertia) = ([Int32](repeating: 0, count: total), 0.0)
    let status = withEngineProgress(progress) { report, context in
      var config = swav_kmeans_config_default()
      (config.clusters, config.seed, config.unit_centres) = (Int32(clamping: count), seed, true)
      (config.progress, config.context) = (report, context)
      return swav_kmeans(rows, Int64(total), Int64(dim), &config, &centres, &assignment, &inertia)
    }
    try check(status)
    (self.centres, self.assignment, self.inertia) = (centres, assignment, inertia)
  }
}

extension Network {
  /// Puts prototypes in the place of those of a set, [K][dim] with the K that the set has.
  package func setPrototypes(_ values: [Float], ofSet set: Int) throws(EngineError) {
    let info = try info()
    let count = info.configuration.prototypes.count
    let name = count == 1 ? "prototypes.weight" : "prototypes.prototypes\(set).weight"
    for index in 0..<info.tensorCount where try tensorName(at: index) == name {
      return try check(swav_network_write_tensor(handle, Int64(index), values, Int64(values.count)))
    }
    throw EngineError(code: .argument, message: "set \(set) of prototypes is asked for; there are \(count)")
  }
}
