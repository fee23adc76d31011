import SwAVAugmentation

/// Where things are on a ``Preview``: rows of equal height; on the left the image, then a column or more for each group of
/// crops, small crops above each other.
struct PreviewLayout {
  static let frame = 3
  static let gap = 8
  /// Between the columns of two groups, and between the image and the crops.
  static let groupGap = 20
  /// Crops are magnified by whole numbers until the largest has about so many pixels: small ones would be hard to see.
  static let comfortableSide = 192

  let rows: Int
  /// Pixels of the sheet for one pixel of a crop.
  let scale: Int
  let width: Int
  /// Of a row, without the gap below it.
  let rowHeight: Int
  /// Of the field that the whole image is fitted into.
  private let fieldWidth: Int
  /// Left edge, top edge in the row, and side with the frame, of each crop.
  private let places: [(left: Int, top: Int, side: Int)]

  var height: Int { height(rows: rows) }

  func height(rows: Int) -> Int { PreviewLayout.gap + rows * (rowHeight + PreviewLayout.gap) }

  init(recipe: Recipe, rows: Int) {
    self.rows = rows
    let (frame, gap) = (PreviewLayout.frame, PreviewLayout.gap)
    let largest = recipe.groups.map(\.size).max() ?? 1
    let scale = max(1, PreviewLayout.comfortableSide / largest)
    let sides = recipe.groups.map { $0.size * scale + 2 * frame }
    let least = max(largest * scale, PreviewLayout.comfortableSide) + 2 * frame
    // Rows become up to a quarter higher where one more crop then fits above the others.
    let perColumn = sides.map { max(1, (least * 5 / 4 + gap) / ($0 + gap)) }
    let rowHeight = max(
      least,
      zip(zip(sides, perColumn), recipe.groups).map { pair, group in
        min(pair.1, group.count) * (pair.0 + gap) - gap
      }.max() ?? 0)
    fieldWidth = rowHeight * 3 / 2
    var (left, places) = (gap + fieldWidth, [(left: Int, top: Int, side: Int)]())
    for (index, group) in recipe.groups.enumerated() {
      left += PreviewLayout.groupGap
      let (side, perColumn) = (sides[index], perColumn[index])
      for crop in 0..<group.count {
        if crop > 0 && crop % perColumn == 0 { left += side + gap }
        places.append((left, crop % perColumn * (side + gap), side))
      }
      left += side
    }
    (self.scale, self.rowHeight, self.places, width) = (scale, rowHeight, places, left + gap)
  }

  private func top(of row: Int) -> Int { PreviewLayout.gap + row * (rowHeight + PreviewLayout.gap) }

  /// The whole image, as large as its field allows, in the middle of it.
  func original(row: Int, imageWidth: Int, imageHeight: Int) -> Canvas.Rectangle {
    let ratio = min(Double(fieldWidth) / Double(imageWidth), Double(rowHeight) / Double(imageHeight))
    let (width, height) = (max(1, Int(Double(imageWidth) * ratio)), max(1, Int(Double(imageHeight) * ratio)))
    return Canvas.Rectangle(
      left: PreviewLayout.gap + (fieldWidth - width) / 2, top: top(of: row) + (rowHeight - height) / 2, width: width,
      height: height)
  }

  /// The box of a crop on the image that is painted in `area`.
  func box(_ plan: CropPlan, in area: Canvas.Rectangle, imageWidth: Int) -> Canvas.Rectangle {
    let (ratio, box) = (Double(area.width) / Double(imageWidth), plan.box)
    func scaled(_ length: Int) -> Int { Int((Double(length) * ratio).rounded()) }
    return Canvas.Rectangle(
      left: area.left + scaled(box.left), top: area.top + scaled(box.top), width: max(5, scaled(box.width)),
      height: max(5, scaled(box.height)))
  }

  /// A crop with its frame.
  func place(of crop: Int, row: Int) -> Canvas.Rectangle {
    let place = places[crop]
    return Canvas.Rectangle(left: place.left, top: top(of: row) + place.top, width: place.side, height: place.side)
  }

  /// Okabe and Ito's colours, which people with any colour vision can tell apart; from the ninth crop on again from the first.
  static func color(of crop: Int) -> Canvas.Color {
    let colors: [Canvas.Color] = [
      (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167), (0, 114, 178),
      (255, 255, 255),
    ]
    return colors[crop % colors.count]
  }
}
