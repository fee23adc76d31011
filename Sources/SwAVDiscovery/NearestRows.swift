import CSwAV
public import SwAVEngine
public import SwAVEvaluation

/// The nearest rows of a bank of features, of each of some queries.
public struct NearestRows: Sendable, Equatable {
  /// Of each query.
  public let neighbours: Int
  /// [queries][neighbours], the nearest first.
  public let rows: [Int]
  /// Their cosines.
  public let cosines: [Float]

  /// Those of one query, the nearest first.
  public func of(_ query: Int) -> [(row: Int, cosine: Float)] {
    (query * neighbours..<(query + 1) * neighbours).map { (rows[$0], cosines[$0]) }
  }
}

extension Features {
  /// The rows with the greatest cosine to each row of `queries`, exactly; `count` of them, or as many as there are. nil: each row
  /// of these features is asked about among the others. `areUnit` says that all rows have unit norm, which makes few queries quick.
  public func nearest(
    to queries: Features? = nil, count: Int, areUnit: Bool = false, progress: (Int, Int) -> Void = { _, _ in }
  ) throws(EngineError) -> NearestRows {
    if let queries, queries.dim != dim {
      throw EngineError(
        code: .argument, message: "rows of \(queries.dim) numbers cannot be compared with rows of \(dim)")
    }
    let asked = queries?.count ?? self.count
    let limit = min(count, queries == nil ? self.count - 1 : self.count)
    guard asked > 0, limit > 0 else { return NearestRows(neighbours: 0, rows: [], cosines: []) }
    var (rows, cosines) = ([Int64](repeating: 0, count: asked * limit), [Float](repeating: 0, count: asked * limit))
    let status = withEngineProgress(progress) { report, context in
      var config = swav_nearest_config(
        neighbours: Int32(clamping: limit), unit_rows: areUnit, leave_one_out: queries == nil, progress: report,
        context: context)
      return swav_nearest(
        values, Int64(self.count), queries?.values, Int64(asked), Int64(dim), &config, &rows, &cosines)
    }
    try check(status)
    return NearestRows(neighbours: limit, rows: rows.map(Int.init), cosines: cosines)
  }

  /// Some of the rows, in the order of `rows`.
  public func selecting(_ rows: [Int]) throws(EngineError) -> Features {
    try Features(
      dim: dim, values: rows.flatMap { row($0) }, samples: rows.map { samples[$0] },
      contents: contents.isEmpty ? [] : rows.map { contents[$0] })
  }
}
