import SwAVAugmentation
import SwAVEngine
import SwAVTestSupport
import Testing

@Suite struct DecodingOptionsTests {
  @Test func coloursAreNamedOrWrittenAsOnWebPages() throws {
    #expect(Background("white") == Background(red: 1, green: 1, blue: 1))
    #expect(Background("Grey") == Background("#808080"))
    #expect(Background("#ff8000") == Background(red: 1, green: 128 / 255, blue: 0))
    for text in ["", "#", "#fff", "ff8000", "#ff800g", "#+f8000", "#-00001", "mauve", "none"] {
      #expect(Background(text) == nil, "\(text)")
    }
    for text in ["white", "gray", "black", "#ff8000", "#000001"] { #expect(Background(text)?.description == text) }
  }

  @Test func theStandardIsWhatPillowAccepts() {
    #expect(DecodingOptions.standard.maximumPixels == 2 * 89_478_485)
    #expect(DecodingOptions() == .standard)
    #expect(DecodingOptions.allowedPixels.contains(DecodingOptions.standard.maximumPixels))
  }

  @Test func picturesOfMorePixelsAreRefusedByDecodingAndByCrops() throws {
    let bytes = try picture(kind: 0, number: 0, side: 40)
    let strict = DecodingOptions(maximumPixels: 1599)
    var recipe = Recipe(groups: try CropGroup.parse("1x16"))
    recipe.decoding = strict
    for attempt in [
      { _ = try Image(decoding: bytes, options: strict) }, { _ = try recipe.crops(of: bytes, seed: 0, epoch: 0, sample: 0) },
    ] as [() throws -> Void] {
      do {
        try attempt()
        Issue.record("a picture of 1600 pixels was decoded")
      } catch let error as EngineError {
        #expect(error.code == .limit)
        #expect(error.message.contains("40 x 40") && error.message.contains("max-pixels"))
      }
    }
    recipe.decoding.maximumPixels = 1600
    _ = try recipe.crops(of: bytes, seed: 0, epoch: 0, sample: 0)
  }

  @Test func transparentPicturesLieOnTheBackgroundInDecodingAndCrops() throws {
    let bytes = try FormatFixtures.bytes("transparent.gif")
    func mean(_ background: String?) throws -> Double {
      let options = DecodingOptions(background: background.flatMap { Background($0) })
      return try Image(decoding: bytes, options: options).moments().mean.reduce(0, +)
    }
    let (hidden, white, black) = (try mean(nil), try mean("white"), try mean("black"))
    #expect(white > hidden && hidden > black)
    var recipe = Recipe(groups: try CropGroup.parse("1x24"))
    func crops(_ background: String?) throws -> [[Float]] {
      recipe.decoding.background = background.flatMap { Background($0) }
      return try recipe.crops(of: bytes, seed: 1, epoch: 0, sample: 0)
    }
    #expect(try crops(nil) != crops("white"))
    #expect(try crops("white") != crops("black"))
  }

  @Test func probingNamesTheFormatAndWhatIsStoredBesidesThePixels() throws {
    func info(_ name: String) throws -> Image.Info { try Image.probe(try FormatFixtures.bytes(name)) }
    #expect(try info("tiles.tif").format == "tiff" && info("rgb.gif").format == "gif" && info("rle8.bmp").format == "bmp")
    #expect(try info("rgba.png").hasAlpha && !info("rgb.png").hasAlpha)
    #expect(try info("cmyk.jpg").inks == .inverted && info("cmyk.tif").inks == .plain && info("rgb.png").inks == .none)
    #expect(try info("pages.tif").hasMore && info("animated.webp").hasMore && !info("one_frame.webp").hasMore)
  }
}
