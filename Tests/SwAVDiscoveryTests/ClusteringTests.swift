import SwAVEngine
import SwAVEvaluation
import SwAVModel
import Testing

@testable import SwAVDiscovery

/// Rows around `groups` directions, group by group in turn, with noise.
func grouped(_ count: Int, groups: Int, dim: Int = 8, noise: Float = 0.05, seed: UInt64 = 1) throws -> Features {
  var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
  func random() -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(state >> 40) / Float(1 << 24) - 0.5
  }
  let values = (0..<count).flatMap { row in (0..<dim).map { d in (d == row % groups ? 1 : 0) + noise * random() } }
  return try Features(dim: dim, values: values)
}

private func rows(_ values: [[Float]]) throws -> Features { try Features(dim: values[0].count, values: values.flatMap { $0 }) }

@Suite struct ClusteringTests {
  @Test func eachImageBelongsToItsMostSimilarPrototypeAndTheMostTypicalComesFirst() throws {
    let prototypes = try rows([[1, 0], [0, 1], [-1, 0]])
    let images = try rows([[0.9, 0.1], [1, 0], [0.2, 0.9], [0.8, 0.6]])
    let found = try Clustering.byPrototypes(images, prototypes: prototypes)
    #expect(found.assignment == [0, 0, 1, 0])
    #expect(found.clusters[0].rows == [1, 0, 3])
    #expect(found.clusters[0].medoid == 1)
    #expect(found.dead.map(\.number) == [2])
    // Cosines of the rows as written; float32.
    #expect(abs(found.similarities[3] - 0.8) < 1e-6)
    #expect(abs(found.margins[3] - 0.2) < 1e-6)
    let mean = (1 + 0.8 + 0.9 / (0.82).squareRoot()) / 3
    #expect(abs(found.clusters[0].spread - (1 - mean)) < 1e-6)
  }

  @Test func copiesOfPrototypesAreNamedAndMergedOnRequest() throws {
    let prototypes = try rows([[0, 1], [1, 0], [0.02, 1], [0.99, 0.05]])
    let images = try rows([[0.02, 1], [0, 1], [1, 0], [0.9, 0.1]])
    let found = try Clustering.byPrototypes(images, prototypes: prototypes)
    #expect(found.duplicates.map(\.number) == [2, 3])
    #expect(found.clusters[2].duplicateOf == 0 && found.clusters[3].duplicateOf == 1)
    #expect(found.assignment == [2, 0, 1, 3])
    var options = ClusteringOptions()
    options.mergesDuplicates = true
    let merged = try Clustering.byPrototypes(images, prototypes: prototypes, options)
    #expect(merged.assignment == [0, 0, 1, 1])
    #expect(merged.dead.map(\.number) == [2, 3])
    // To the next cluster that is left, the other one: a cosine of 0.02 for the first row.
    #expect(abs(merged.margins[0] - (1 - 0.02)) < 1e-3 && merged.clusters[0].sharpness > 0.9)
  }

  @Test func kMeansFindsGroupsAndIsTheSameForTheSameSeed() throws {
    let images = try grouped(90, groups: 3)
    let found = try Clustering.byKMeans(images, clusters: 3)
    for group in 0..<3 { #expect(Set(stride(from: group, to: 90, by: 3).map { found.assignment[$0] }).count == 1) }
    #expect(Set(found.assignment).count == 3)
    #expect(found == (try Clustering.byKMeans(images, clusters: 3)))
    #expect(found.duplicates.isEmpty)
  }

  @Test func balancedClustersHaveAboutEqualSizes() throws {
    // Nearly all images are most like the first prototype.
    let prototypes = try rows([[1, 0], [0.8, 0.6]])
    let images = try rows((0..<40).map { [1, Float($0) * 0.005] })
    #expect(try Clustering.byPrototypes(images, prototypes: prototypes).clusters.map(\.size) == [40, 0])
    var options = ClusteringOptions()
    options.isBalanced = true
    let sizes = try Clustering.byPrototypes(images, prototypes: prototypes, options).clusters.map(\.size)
    #expect(sizes.allSatisfy { (16...24).contains($0) }, "\(sizes)")
  }

  @Test func fewImagesAndOneClusterAreNoSpecialCase() throws {
    let three = try grouped(3, groups: 3)
    #expect(try Clustering.byKMeans(three, clusters: 20).clusters.count == 3)
    #expect(try Clustering.byKMeans(three, clusters: 1).clusters.map(\.size) == [3])
    let one = try Clustering.byPrototypes(try grouped(1, groups: 1), prototypes: try grouped(1, groups: 1))
    #expect(one.assignment == [0] && one.margins == one.similarities)
  }

  @Test func thePrototypesOfANetworkAreThoseOfItsScores() throws {
    let network = try Network(
      NetworkConfiguration(architecture: .resnet18, stem: .small, baseWidth: 8, hidden: 16, dim: 8, prototypes: [6]), seed: 3)
    let prototypes = try #require(try network.prototypes())
    #expect(prototypes.count == 6 && prototypes.dim == 8)
    let images = (0..<2 * 32 * 32 * 3).map { Float($0 % 71) / 71 }
    let embeddings = try network.embed(images: images, count: 2, height: 32, width: 32, output: .embeddings)
    let scores = try network.embed(images: images, count: 2, height: 32, width: 32, output: .scores)
    let found = try Clustering.byPrototypes(try Features(dim: 8, values: embeddings), prototypes: prototypes)
    for image in 0..<2 {
      let own = scores[image * 6..<(image + 1) * 6]
      #expect(abs((own.max() ?? 0) - found.similarities[image]) < 1e-5)
    }
  }
}

@Suite struct ImageMapTests {
  @Test func groupsOfLikeImagesLieTogether() throws {
    let images = try grouped(120, groups: 4, noise: 0.3)
    let points = try ImageMap(images).points
    #expect(points.count == 120)
    #expect(points.allSatisfy { (0...1).contains($0.x) && (0...1).contains($0.y) })
    // The nearest point of each is of its group.
    for (index, point) in points.enumerated() {
      let others = points.indices.filter { $0 != index }
      let nearest = try #require(
        others.min {
          func distance(_ other: Int) -> Double {
            (points[other].x - point.x) * (points[other].x - point.x) + (points[other].y - point.y)
              * (points[other].y - point.y)
          }
          return distance($0) < distance($1)
        })
      #expect(nearest % 4 == index % 4, "\(index) is next to \(nearest)")
    }
  }

  @Test func theSameImagesGiveTheSameMap() throws {
    let images = try grouped(40, groups: 3)
    #expect(try ImageMap(images) == ImageMap(images))
  }

  @Test(arguments: [1, 2, 3, 5]) func fewImagesAndEqualOnesHaveAMap(_ count: Int) throws {
    for noise: Float in [0, 0.1] {
      let points = try ImageMap(try grouped(count, groups: 1, noise: noise)).points
      #expect(points.count == count && points.allSatisfy { $0.x.isFinite && $0.y.isFinite })
    }
  }

  @Test func moreImagesThanAMapIsMadeForAreRefused() throws {
    #expect(throws: EngineError.self) { try ImageMap(try Features(dim: 1, values: [Float](repeating: 1, count: 5001))) }
  }
}
