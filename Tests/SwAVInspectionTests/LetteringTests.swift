import Testing

@testable import SwAVInspection

@Suite struct LetteringTests {
  /// What is inked of a text, row by row.
  private func drawn(_ text: String, scale: Int = 1) -> [String] {
    let size = Canvas.size(of: text, scale: scale)
    var canvas = Canvas(width: size.width, height: size.height, level: 0)
    canvas.write(text, left: 0, top: 0, scale: scale, (255, 255, 255))
    return (0..<size.height).map { y in
      String((0..<size.width).map { canvas.samples[3 * (y * size.width + $0)] == 255 ? "#" : "." })
    }
  }

  @Test func lettersAreSevenPointsHighAndAPointApart() {
    let rows = ["#...#......", "#...#..##..", "#...#..##..", "#####......", "#...#..##..", "#...#..##..", "#...#......"]
    #expect(drawn("H:") == rows)
    #expect(Canvas.size(of: "ABC", scale: 3) == (51, 21) && Canvas.size(of: "", scale: 2).width == 0)
  }

  @Test func everyLetterFitsItsFieldAndIsDrawnInItsOwnWay() {
    let letters = Canvas.letters
    #expect(letters.isSuperset(of: "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:-+%/()"))
    let shapes = letters.map { drawn(String($0)) }
    #expect(shapes.allSatisfy { $0.count == 7 && $0.allSatisfy { $0.count == 5 } && $0.contains { $0.contains("#") } })
    #expect(Set(shapes).count == letters.count)
  }

  @Test func smallLettersAreCapitalsAndUnknownSignsQuestionMarks() {
    #expect(drawn("rays") == drawn("RAYS") && drawn("ä~") == drawn("??") && drawn(" ").allSatisfy { !$0.contains("#") })
  }

  @Test func eachPointBecomesASquareAndWhatLiesOutsideIsCutOff() {
    let (small, large) = (drawn("R"), drawn("R", scale: 2))
    #expect(large == small.flatMap { row in Array(repeating: row.map { "\($0)\($0)" }.joined(), count: 2) })
    var canvas = Canvas(width: 4, height: 3, level: 0)
    canvas.write("WIDE", left: -3, top: -2, scale: 1, (255, 255, 255))
    #expect(canvas.samples.contains(255))
  }
}
