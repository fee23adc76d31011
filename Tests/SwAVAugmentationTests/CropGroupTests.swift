import SwAVAugmentation
import Testing

@Suite struct CropGroupTests {
  @Test func readsThePublishedCropsWithTheirScales() throws {
    let groups = try CropGroup.parse("2x224+6x96")
    #expect(
      groups == [
        CropGroup(count: 2, size: 224, minScale: 0.14, maxScale: 1),
        CropGroup(count: 6, size: 96, minScale: 0.05, maxScale: 0.14),
      ])
    #expect(groups == Recipe.published.groups)
  }

  @Test func aSingleGroupCoversMoreOfTheImage() throws {
    let group = try CropGroup.parse("2x160")[0]
    #expect(group.minScale == 0.08 && group.maxScale == 1)
  }

  @Test(arguments: ["2x224+6x96", "1x8", "2x64+4x32+1x1024"])
  func printsWhatItReads(_ text: String) throws {
    #expect(CropGroup.describe(try CropGroup.parse(text)) == text)
  }

  @Test(arguments: [
    ("", "'' is not COUNTxSIZE"), ("2x", "'2x' is not COUNTxSIZE"), ("2x224+", "'' is not COUNTxSIZE"),
    ("-2x224", "'-2x224' is not COUNTxSIZE"), ("2X224", "'2X224' is not"), ("0x224", "0 crops"), ("65x32", "65 crops"),
    ("2x7", "7 pixels"), ("2x1025", "1025 pixels"), ("2x99999999999999999999", "is not COUNTxSIZE"),
    ("²x32", "is not COUNTxSIZE"),
    ("1x8+1x8+1x8+1x8+1x8+1x8+1x8+1x8+1x8", "9 groups"),
  ])
  func refusesOtherTextAndSaysWhy(_ text: String, _ reason: String) {
    do {
      _ = try CropGroup.parse(text)
      Issue.record("'\(text)' was read")
    } catch {
      #expect(error.description.contains(reason), "\(error)")
      #expect(error.description.hasPrefix("crops '\(text)': "))
    }
  }
}
