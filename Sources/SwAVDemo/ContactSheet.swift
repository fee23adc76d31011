import SwAVInspection

/// Square pictures in rows and columns, each in a coloured frame, on a dark ground, with words around them.
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
  /// Pixels of a point of a letter, and around a line of text.
  static let lettering = 2
  private static let textGap = 8
  /// Of a line of text with the space around it.
  static let line = Canvas.size(of: "", scale: lettering).height + 2 * textGap

  /// Room for the names of the rows, and for the lines above the pictures.
  private let (left, top): (Int, Int)
  private var canvas: Canvas
  var width: Int { canvas.width }
  var height: Int { canvas.height }
  /// [height][width][3], 8 bits.
  var samples: [UInt8] { canvas.samples }

  /// Room for rows with these names of `columns` pictures of `side` pixels, so many lines of text above and one below.
  init(rows names: [String], columns: Int, side: Int, lines: Int) {
    let pitch = ContactSheet.pitch(side)
    let widest = names.map { Canvas.size(of: $0, scale: ContactSheet.lettering).width }.max() ?? 0
    self.side = side
    left = widest == 0 ? 0 : widest + 2 * ContactSheet.textGap
    top = lines * ContactSheet.line
    canvas = Canvas(
      width: left + columns * pitch + ContactSheet.gap,
      height: top + names.count * pitch + ContactSheet.gap + (lines > 0 ? ContactSheet.line : 0), level: 24)
    let letter = Canvas.size(of: "", scale: ContactSheet.lettering).height
    for (row, name) in names.enumerated() {
      write(name, left: ContactSheet.textGap, top: corner(row: row, column: 0).top + (pitch - letter) / 2)
    }
  }

  /// From one picture to the next.
  static func pitch(_ side: Int) -> Int { side + 2 * frame + gap }

  private func corner(row: Int, column: Int) -> (left: Int, top: Int) {
    let pitch = ContactSheet.pitch(side)
    return (left + ContactSheet.gap + column * pitch, top + ContactSheet.gap + row * pitch)
  }

  /// Puts a picture, samples [side][side][3], into a place and draws its frame.
  mutating func place(_ picture: [UInt8], row: Int, column: Int, frame: Frame) {
    let (corner, edge) = (corner(row: row, column: column), ContactSheet.frame)
    let area = Canvas.Rectangle(left: corner.left, top: corner.top, width: side + 2 * edge, height: side + 2 * edge)
    canvas.frame(area, thickness: edge, frame.color)
    canvas.place(picture, side: side, left: area.left + edge, top: area.top + edge)
  }

  /// Writes line number `line` above the pictures, from a column on.
  mutating func head(_ text: String, line: Int, column: Int) {
    write(text, left: corner(row: 0, column: column).left, top: line * ContactSheet.line + ContactSheet.textGap)
  }

  /// Writes the line below the pictures: a small frame and its meaning for each.
  mutating func legend(_ entries: [(frame: Frame, text: String)]) {
    var at = left + ContactSheet.gap
    let letter = Canvas.size(of: "", scale: ContactSheet.lettering).height
    let top = height - ContactSheet.textGap - letter
    for entry in entries {
      canvas.frame(
        Canvas.Rectangle(left: at, top: top, width: letter, height: letter), thickness: ContactSheet.frame, entry.frame.color)
      at += letter + ContactSheet.textGap
      write(entry.text, left: at, top: top)
      at += Canvas.size(of: entry.text, scale: ContactSheet.lettering).width + 3 * ContactSheet.textGap
    }
  }

  private mutating func write(_ text: String, left: Int, top: Int) {
    canvas.write(text, left: left, top: top, scale: ContactSheet.lettering, Frame.plain.color)
  }
}
