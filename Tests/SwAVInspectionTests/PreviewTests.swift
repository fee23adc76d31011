import SwAVAugmentation
import SwAVData
import SwAVTestSupport
import Testing

@testable import SwAVInspection

@Suite struct PreviewTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func recipe(_ crops: String) throws -> Recipe { Recipe(groups: try CropGroup.parse(crops)) }

  /// The pixel of a sheet.
  private func pixel(_ sheet: Preview.Sheet, _ x: Int, _ y: Int) -> [UInt8] {
    Array(sheet.samples[(3 * (y * sheet.width + x))...].prefix(3))
  }

  @Test func showsTheCropsThatTrainingMakes() throws {
    for number in 0..<5 { try folder.write("\(number).jpg", try picture(kind: 1, number: number, side: 120)) }
    let source = try ImageFolder(folder.path)
    var preview = Preview(recipe: try recipe("2x224+6x96"))
    (preview.count, preview.seed, preview.epoch) = (3, 11, 2)
    let sheet = try preview.paint(source)
    #expect(sheet.rows == (0..<3).map { EpochOrder.sample(seed: 11, epoch: 2, count: 5, position: $0) })
    let layout = PreviewLayout(recipe: preview.recipe, rows: 3)
    #expect(layout.scale == 1)
    for (row, sample) in sheet.rows.enumerated() {
      let crops = try preview.recipe.crops(of: try source.bytes(of: sample), seed: 11, epoch: 2, sample: sample)
      for (crop, pixels) in crops.enumerated() {
        let place = layout.place(of: crop, row: row).grown(by: -PreviewLayout.frame)
        #expect(place.width * place.width * 3 == pixels.count)
        // Normalisation undone: its float32 arithmetic is off by far less than half a level.
        let wrong = pixels.indices.count { index in
          let (x, y, channel) = (index / 3 % place.width, index / 3 / place.width, index % 3)
          let level = (pixels[index] * preview.recipe.std[channel] + preview.recipe.mean[channel]) * 255
          return Int(level.rounded()) != Int(pixel(sheet, place.left + x, place.top + y)[channel])
        }
        #expect(wrong == 0, "row \(row), crop \(crop)")
      }
    }
  }

  @Test func framesAndBoxesHaveTheColourOfTheirCrop() throws {
    try folder.write("1.jpg", try picture(kind: 1, number: 1, side: 200))
    var preview = Preview(recipe: try recipe("1x64"))
    preview.count = 1
    let source = try ImageFolder(folder.path)
    let (sheet, layout) = (try preview.paint(source), PreviewLayout(recipe: preview.recipe, rows: 1))
    #expect(layout.scale == 3)
    let color = PreviewLayout.color(of: 0)
    let plan = try CropPlan(
      recipe: preview.recipe, seed: 0, epoch: 0, sample: 0, crop: 0, imageWidth: 200, imageHeight: 200)
    let area = layout.original(row: 0, imageWidth: 200, imageHeight: 200)
    let (place, box) = (layout.place(of: 0, row: 0), layout.box(plan, in: area, imageWidth: 200))
    for corner in [(place.left, place.top), (box.left + 1, box.top + 1), (box.left + box.width - 2, box.top + box.height - 2)] {
      #expect(pixel(sheet, corner.0, corner.1) == [color.red, color.green, color.blue])
    }
    // A pixel of a crop is a square of nine on the sheet.
    let inner = place.grown(by: -PreviewLayout.frame)
    for x in 0..<64 {
      #expect(pixel(sheet, inner.left + 3 * x, inner.top) == pixel(sheet, inner.left + 3 * x + 2, inner.top + 2))
    }
  }

  @Test(arguments: ["2x224+6x96", "2x64+4x32", "1x8", "3x40+1x100+9x24", "2x1024"])
  func nothingOverlapsOrLeavesTheSheet(_ crops: String) throws {
    let recipe = try recipe(crops)
    let layout = PreviewLayout(recipe: recipe, rows: 2)
    for (imageWidth, imageHeight) in [(100, 100), (4000, 8), (6, 3000), (1, 1)] {
      var areas: [Canvas.Rectangle] = []
      for row in 0..<2 {
        areas.append(layout.original(row: row, imageWidth: imageWidth, imageHeight: imageHeight))
        areas += (0..<recipe.cropCount).map { layout.place(of: $0, row: row) }
      }
      for (index, a) in areas.enumerated() {
        #expect(a.left >= 0 && a.top >= 0 && a.left + a.width <= layout.width && a.top + a.height <= layout.height)
        for b in areas[(index + 1)...] {
          #expect(
            a.left + a.width <= b.left || b.left + b.width <= a.left || a.top + a.height <= b.top || b.top + b.height <= a.top)
        }
      }
    }
  }

  @Test func brokenImagesArePassedOverAndNamed() throws {
    for number in 0..<4 { try folder.write("\(number).jpg", try picture(kind: 0, number: number)) }
    for name in ["a.jpg", "b.jpg"] { try folder.write(name, Array("no picture".utf8)) }
    var preview = Preview(recipe: try recipe("2x16"))
    preview.count = 10
    let sheet = try preview.paint(ImageFolder(folder.path))
    #expect(sheet.rows.sorted() == [0, 1, 2, 3] && sheet.bad.map(\.name).sorted() == ["a.jpg", "b.jpg"])
    #expect(sheet.samples.count == sheet.width * sheet.height * 3)
    #expect(try Image.probe(sheet.png()).width == sheet.width)
    let bad = try TemporaryFolder()
    try bad.write("a.jpg", Array("no picture".utf8))
    #expect(throws: DataError.self) { try preview.paint(ImageFolder(bad.path)) }
  }

  @Test func darkScansAreStretchedToWhatTheyUse() throws {
    let samples = (0..<64 * 64).flatMap { (index: Int) -> [UInt8] in [UInt8(index % 64 / 8), UInt8(index % 256)] }
    try folder.write("scan.pgm", Array("P5 64 64 65535\n".utf8) + samples)
    var recipe = try recipe("1x32")
    (recipe.channels, recipe.mean, recipe.std, recipe.jitterProbability) = (1, [0.5], [0.5], 0)
    let sheet = try Preview(recipe: recipe).paint(ImageFolder(folder.path))
    let layout = PreviewLayout(recipe: recipe, rows: 1)
    let area = layout.original(row: 0, imageWidth: 64, imageHeight: 64)
    let row = (0..<area.width).map { pixel(sheet, area.left + $0, area.top + 1) }
    // Of the 65536 levels only 2048 are used; unstretched, all would be 8 of 255 at most.
    let brightest = row.map { $0[0] }.max() ?? 0
    #expect(brightest > 200)
    #expect(row.allSatisfy { $0[0] == $0[1] && $0[1] == $0[2] })
  }

  @Test func sheetsThatNoMemoryHoldsAreRefused() throws {
    for number in 0..<300 { try folder.write("\(number).jpg", [1]) }
    var preview = Preview(recipe: try recipe("8x1024"))
    preview.count = 300
    #expect(throws: DataError.self) { try preview.paint(ImageFolder(folder.path)) }
  }
}
