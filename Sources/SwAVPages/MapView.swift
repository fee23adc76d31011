import SwAVDiscovery

/// The map of the pictures: points, and what a touch of one shows.
struct MapView {
  private let look: ReportPictures
  static let size = 1000.0
  private static let margin = 20.0
  /// Classes that have colours of their own.
  private static let mostColors = 12

  init(_ look: ReportPictures) { self.look = look }

  static let script = String(decoding: PackageResources.map_js, as: UTF8.self)

  private struct Data: Encodable {
    var columns: Int
    var size: Double
    /// Of each picture: x, y, number of its group, and the cluster.
    var points: [[Double]]
    var names: [String]
    var groups: [String]
    var colored: Int
  }

  var view: [String: Any] {
    get throws {
      let classes = look.source.classNames
      // With as many classes as that the colours would say nothing.
      let isColored = !classes.isEmpty && classes.count <= MapView.mostColors
      func group(_ row: Int) -> Int { look.label(of: row) ?? 0 }
      let places = look.map.points.map { point in
        (
          MapView.margin + point.x * (MapView.size - 2 * MapView.margin),
          MapView.margin + point.y * (MapView.size - 2 * MapView.margin)
        )
      }
      let data = Data(
        columns: look.sheet.columns, size: MapView.size,
        points: places.enumerated().map { row, place in
          [place.0.rounded(), place.1.rounded(), Double(group(row)), Double(look.clustering.assignment[row])]
        },
        names: (0..<look.after.count).map { visible(look.name(of: $0)) }, groups: classes.map(visible),
        colored: isColored ? classes.count : 0)
      return [
        "points": places.enumerated().map { row, place in
          ["x": "\(Int(place.0))", "y": "\(Int(place.1))", "class": isColored ? "k\(group(row))" : "k0"]
        },
        "json": try scriptJSON(data), "size": Int(MapView.size), "count": grouped(look.after.count),
        "legend": isColored ? classes.enumerated().map { ["name": $1, "class": "k\($0)"] } : [],
        "isColored": isColored,
      ]
    }
  }
}
