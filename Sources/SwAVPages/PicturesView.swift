import SwAVDiscovery
import SwAVEngine
import SwAVEvaluation

/// One picture of the sheet, as the template has it.
func picture(_ look: ReportPictures, _ row: Int, mark: String = "", note: String = "") -> [String: Any] {
  let place = look.sheet.place(row)
  return ["c": place.column, "r": place.row, "name": look.name(of: row) + note, "mark": mark]
}

/// The gallery: the clusters with their pictures, the sharpest first.
struct ClustersView {
  private let look: ReportPictures
  /// Clusters that are seen at once, and that are there with pictures at all.
  private static let (openClusters, mostClusters, mostPictures) = (24, 60, 10)

  init(_ look: ReportPictures) { self.look = look }

  var view: [String: Any] {
    let clustering = look.clustering
    let living = clustering.living.sorted { ($0.sharpness, $1.number) > ($1.sharpness, $0.number) }
    let dead = clustering.dead.map { "\($0.number)" }
    return [
      "shown": living.prefix(ClustersView.openClusters).map(cluster),
      "more": living.prefix(ClustersView.mostClusters).dropFirst(ClustersView.openClusters).map(cluster),
      "moreCount": min(living.count, ClustersView.mostClusters) - ClustersView.openClusters,
      "hasMore": living.count > ClustersView.openClusters,
      "rest": living.dropFirst(ClustersView.mostClusters).map { cluster in
        ["number": "\(cluster.number)", "size": "\(cluster.size)", "sharpness": decimals(cluster.sharpness, 3)]
      },
      "restCount": living.count - ClustersView.mostClusters, "hasRest": living.count > ClustersView.mostClusters,
      "living": living.count, "all": clustering.clusters.count,
      "isPrototypes": clustering.method == .prototypes, "hasDead": !dead.isEmpty, "deadCount": dead.count,
      "dead": dead.prefix(200).joined(separator: ", ") + (dead.count > 200 ? ", ..." : ""),
      "copies": clustering.duplicates.count, "hasCopies": !clustering.duplicates.isEmpty, "pictures": look.after.count,
    ]
  }

  private func cluster(_ cluster: Clustering.Cluster) -> [String: Any] {
    [
      "number": cluster.number, "size": count(cluster.size, "picture"), "sharpness": decimals(cluster.sharpness, 3),
      "spread": decimals(cluster.spread, 3),
      "pictures": cluster.rows.prefix(ClustersView.mostPictures).map { picture(look, $0) },
      "classes": classes(of: cluster), "hasClasses": !look.source.classNames.isEmpty,
      "copy": cluster.duplicateOf.map { "nearly the same as cluster \($0)" } ?? "", "isCopy": cluster.duplicateOf != nil,
    ]
  }

  /// The classes that it has most of, and how many: "tench 8, church 2". Names are apart, as they may run from right to left.
  private func classes(of cluster: Clustering.Cluster) -> [[String: Any]] {
    var counts: [Int: Int] = [:]
    for row in cluster.rows { if let label = look.label(of: row) { counts[label, default: 0] += 1 } }
    let ranked = counts.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
    return ranked.prefix(3).enumerated().map { place, found in
      let end = place < min(3, ranked.count) - 1 ? ", " : ranked.count > 3 ? ", ..." : ""
      return ["name": look.source.classNames[found.key], "count": "\(found.value)", "end": end]
    }
  }
}

/// Some pictures with their nearest ones, before and after training.
struct NeighboursView {
  private let look: ReportPictures
  private static let (queries, shown) = (8, 6)

  init(_ look: ReportPictures) { self.look = look }

  var rows: [[String: Any]] {
    guard look.after.count > 2 else { return [] }
    let chosen = queries
    guard let before = found(look.before, chosen), let after = found(look.after, chosen) else { return [] }
    return chosen.enumerated().map { place, row in
      [
        "query": [picture(look, row)], "name": look.name(of: row), "before": pictures(before[place], of: row),
        "after": pictures(after[place], of: row), "hasClasses": look.label(of: row) != nil,
      ]
    }
  }

  private func found(_ features: Features, _ queries: [Int]) -> [[Int]]? {
    guard let asked = try? features.selecting(queries),
      let nearest = try? features.nearest(to: asked, count: NeighboursView.shown + 1)
    else { return nil }
    return queries.enumerated().map { place, own in
      Array(nearest.of(place).map(\.row).filter { $0 != own }.prefix(NeighboursView.shown))
    }
  }

  private func pictures(_ rows: [Int], of query: Int) -> [[String: Any]] {
    rows.map { row in
      let isSame = look.label(of: query) != nil && look.label(of: row) == look.label(of: query)
      return picture(look, row, mark: isSame ? "same" : "", note: isSame ? " (same class)" : "")
    }
  }

  /// One of each class where there are classes, else the pictures that stand for the largest clusters.
  private var queries: [Int] {
    if !look.source.classNames.isEmpty {
      var seen: Set<Int> = []
      // From all over the classes, where there are more than are shown.
      let firsts = (0..<look.after.count).filter { look.label(of: $0).map { seen.insert($0).inserted } ?? false }
      let step = max(1, firsts.count / NeighboursView.queries)
      return stride(from: 0, to: firsts.count, by: step).prefix(NeighboursView.queries).map { firsts[$0] }
    }
    let largest = look.clustering.living.sorted { ($0.size, $1.number) > ($1.size, $0.number) }
    return largest.prefix(NeighboursView.queries).compactMap(\.medoid)
  }
}

/// Which classes are taken for which: a table where it fits, else the pairs that are mixed up most often.
struct ConfusionView {
  private let look: LabelledLook
  private static let mostClasses = 16

  init(_ look: LabelledLook) { self.look = look }

  var view: [String: Any] {
    let isTable = look.classNames.count <= ConfusionView.mostClasses
    return [
      "isTable": isTable, "classes": isTable ? look.classNames : [], "rows": isTable ? rows : [], "pairs": pairs,
      "images": grouped(look.images), "after": percent(look.after), "before": percent(look.before),
      "largest": percent(look.majorityShare), "alsoLearned": grouped(look.alsoLearned), "isTooGood": look.alsoLearned > 0,
    ]
  }

  private var rows: [[String: Any]] {
    look.confusion.enumerated().map { number, row in
      let sum = max(1, row.reduce(0, +))
      return [
        "name": look.classNames[number], "recall": percent(100 * Double(row[number]) / Double(sum)),
        "cells": row.enumerated().map { place, count in
          [
            "count": count == 0 ? "" : "\(count)", "strength": decimals(Double(count) / Double(sum), 2),
            "class": place == number ? "right" : "wrong",
          ]
        },
      ]
    }
  }

  private var pairs: [[String: String]] {
    let names = look.classNames
    let all = look.confusion.enumerated().flatMap { number, row in
      row.enumerated().filter { $0.offset != number && $0.element > 0 }.map {
        (number, $0.offset, $0.element, row.reduce(0, +))
      }
    }
    return all.sorted { ($0.2, $1.0, $1.1) > ($1.2, $0.0, $0.1) }.prefix(8).map { pair in
      ["true": names[pair.0], "found": names[pair.1], "count": "\(pair.2) of \(pair.3)"]
    }
  }
}
