/// Square pictures in rows and columns, each in a coloured frame, on a dark ground.
struct ContactSheet {
  enum Frame {
    case plain, right, wrong

    /// Red, green, blue.
    var color: (UInt8, UInt8, UInt8) {
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

  let width, height: Int
  /// [height][width][3], 8 bits.
  private(set) var samples: [UInt8]

  /// Room for `rows` x `columns` pictures of `side` pixels.
  init(rows: Int, columns: Int, side: Int) {
    self.side = side
    let pitch = ContactSheet.pitch(side)
    (width, height) = (columns * pitch + ContactSheet.gap, rows * pitch + ContactSheet.gap)
    samples = [UInt8](repeating: 24, count: width * height * 3)
  }

  /// From one picture to the next.
  static func pitch(_ side: Int) -> Int { side + 2 * frame + gap }

  /// Puts a picture, samples [side][side][3], into a place and draws its frame.
  mutating func place(_ picture: [UInt8], row: Int, column: Int, frame: Frame) {
    let (size, edge) = (side + 2 * ContactSheet.frame, ContactSheet.frame)
    let (left, top) = (ContactSheet.gap + column * ContactSheet.pitch(side), ContactSheet.gap + row * ContactSheet.pitch(side))
    let (red, green, blue) = frame.color
    for y in 0..<size {
      for x in 0..<size {
        let target = 3 * ((top + y) * width + left + x)
        let (u, v) = (x - edge, y - edge)
        if u >= 0, v >= 0, u < side, v < side {
          let source = 3 * (v * side + u)
          for channel in 0..<3 { samples[target + channel] = picture[source + channel] }
        } else {
          (samples[target], samples[target + 1], samples[target + 2]) = (red, green, blue)
        }
      }
    }
  }
}
