import SwAVInspection

/// Square pictures in rows and columns, each in a coloured frame, on a dark ground.
struct ContactSheet {
  enum Frame {
    case plain, right, wrong

    var color: Canvas.Color {
      switch self {
      case .plain: (200, 200, 200)
      case .right: (70, 190, 110)
      case .wrong: (205, 75, 65)
      }
    }
  }

  /// Pixels of a picture's side, and of its frame.
  let side: Int
  static let frame = 3
  static let gap = 4

  private var canvas: Canvas
  var width: Int { canvas.width }
  var height: Int { canvas.height }
  /// [height][width][3], 8 bits.
  var samples: [UInt8] { canvas.samples }

  /// Room for `rows` x `columns` pictures of `side` pixels.
  init(rows: Int, columns: Int, side: Int) {
    self.side = side
    let pitch = ContactSheet.pitch(side)
    canvas = Canvas(width: columns * pitch + ContactSheet.gap, height: rows * pitch + ContactSheet.gap, level: 24)
  }

  /// From one picture to the next.
  static func pitch(_ side: Int) -> Int { side + 2 * frame + gap }

  /// Puts a picture, samples [side][side][3], into a place and draws its frame.
  mutating func place(_ picture: [UInt8], row: Int, column: Int, frame: Frame) {
    let (pitch, edge) = (ContactSheet.pitch(side), ContactSheet.frame)
    let area = Canvas.Rectangle(
      left: ContactSheet.gap + column * pitch, top: ContactSheet.gap + row * pitch, width: side + 2 * edge,
      height: side + 2 * edge)
    canvas.frame(area, thickness: edge, frame.color)
    canvas.place(picture, side: side, left: area.left + edge, top: area.top + edge)
  }
}
