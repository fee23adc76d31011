import Foundation
import SwAVTestSupport
import Testing

/// Whatever is wrong: one line that says what, and the documented exit code.
@Suite(.serialized) struct ErrorTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
    try folder.writePictures("flat/one", classes: 1, perClass: 3)
    try folder.write("texts/a.txt", Array("hello".utf8))
    try folder.write("texts/b.jpg", Array("hello".utf8))
    try folder.write("empty/.keep", [])
    try folder.write("packed.tgz", [1])
    try folder.writePictures("stray", perClass: 2)
    try folder.write("stray/0.jpg", picture(kind: 0, number: 0))
    try folder.write("used/file", [1])
    try folder.write("broken.safetensors", Array("hello".utf8))
    try folder.write("bad.yaml", Array("bacth: 3\n".utf8))
  }

  @Test func everyErrorIsOneLineWithItsExitCode() throws {
    let cases: [(arguments: String, code: Int32, text: String)] = [
      ("pretrain nowhere -o r", 66, "nowhere: No such file or directory"),
      ("pretrain empty -o r", 65, "empty: no images"),
      ("pretrain texts -o r", 65, "none of 1 files looked at is an image"),
      ("pretrain images/class0/1.jpg -o r", 65, "there is 1 image; at least 2 are needed"),
      ("pretrain packed.tgz -o r", 65, "packed.tgz: compressed; unpack it to a plain .tar first"),
      (
        "knn --weights untrained --train stray --val images", 65,
        "train: no classes, because of 0.jpg, which is in no sub-folder"
      ),
      ("pretrain images nowhere -o r", 66, "nowhere: No such file or directory"),
      ("pretrain images flat -o r --source-weights 1", 65, "source-weights: 1 weights for 2 sources"),
      ("pretrain images flat -o r --source-weights 1 0", 64, "--source-weights is '1,0'; a number above 0 and at most 1000"),
      ("pretrain bad.yaml -o r", 65, "bad.yaml: not a folder, a picture, a list"),
      ("pretrain images", 64, "--output is missing"),
      ("pretrain images -o r --batch 0", 64, "--batch is '0'; a whole number from 2"),
      ("pretrain images -o r --batch 500", 64, "--batch is '500'; there are only 12 images"),
      ("pretrain images -o r --crops 3z4", 64, "--crops is '3z4'; groups of COUNTxSIZE"),
      ("pretrain images -o r --resume maybe", 64, "--resume is 'maybe'; auto or never"),
      ("pretrain images -o r --config nowhere.yaml", 66, "nowhere.yaml: No such file"),
      ("pretrain images -o r --config bad.yaml", 64, "bad.yaml: bacth is no setting; did you mean 'batch'?"),
      ("pretrain images -o r --channels 2", 64, "--channels is '2'; 1 or 3 is needed"),
      ("pretrain images -o r --channels 1 --mean 0.1 0.2 0.3", 64, "--mean is '0.1,0.2,0.3'; one number for each channel"),
      ("knn --weights untrained --channels 2 --train images --val images", 64, "--channels is 2; 1 or 3 is needed"),
      ("preview images -o sheet.jpg", 64, "--output is 'sheet.jpg'; a name that ends in .png"),
      ("preview images -o sheet.png --count 0", 64, "--count is 0; a number from 1 on"),
      ("check-data images --channels 2", 64, "--channels is 2; 1 or 3 is needed"),
      ("preview images -o sheet.png --crops 3z4", 64, "--crops is '3z4'; groups of COUNTxSIZE"),
      ("preview texts -o sheet.png", 65, "none of 1 files looked at is an image"),
      ("preview images -o no/sheet.png", 74, "sheet.png"),
      ("pretrain images -o used", 73, "used: not empty, and not the folder of a run"),
      ("pretrain images -o r --val flat", 65, "val: class 'one' is not in train"),
      ("pretrain images -o /proc/no/run", 74, "/proc/no: "),
      ("knn --weights nowhere --train images --val images", 66, "weights nowhere: not there"),
      ("knn --weights broken.safetensors --train images --val images", 65, "broken.safetensors"),
      ("knn --weights empty --train images --val images", 66, "holds neither weights.safetensors nor checkpoint"),
      ("knn --weights untrained --train flat --val images", 65, "train: one class, 'one'; at least two"),
      ("linear --weights untrained --arch vgg --train images --val images", 64, "--arch is 'vgg'; one of resnet18"),
      ("embed images --weights untrained --output f.txt", 64, "--output is 'f.txt'; a name that ends in .csv, .jsonl"),
      ("embed images --weights untrained --size 32 --layer top --output f.csv", 64, "--layer is 'top'"),
      ("bench step --crops 2x", 64, "crops '2x': '2x' is not COUNTxSIZE"),
      ("bench step --precision int8", 64, "--precision is 'int8'; float32, bfloat16 or auto is needed"),
      ("bench data --list nowhere.txt", 66, "nowhere.txt: No such file"),
      ("bench embed --batch 0", 64, "--batch is 0; a number from 1 on"),
    ]
    for item in cases {
      let outcome = try TrainerProcess.run(item.arguments.split(separator: " ").map(String.init), in: folder.path)
      #expect(outcome.code == item.code, "\(item.arguments): \(outcome.errors)")
      #expect(outcome.errors.contains(item.text), "\(item.arguments): \(outcome.errors)")
      #expect(outcome.errors.hasPrefix("error: ") && outcome.errors.count { $0 == "\n" } == 1, "\(outcome.errors)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/used") == ["file"])
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/r"))
  }

  @Test func jsonErrorsAreAnObjectToo() throws {
    let outcome = try TrainerProcess.run(["pretrain", "nowhere", "-o", "r", "--json"], in: folder.path)
    let object = try #require(outcome.objects.last)
    #expect(object["exit_code"] as? Int == 66)
    #expect((object["error"] as? String)?.contains("nowhere") == true)
  }

  @Test func aDiskThatIsFullLosesNothing() throws {
    let flags = "--crops 2x32 --base-width 8 --hidden 16 --dim 8 --prototypes 6 --batch 4 --epochs 3"
    func pretrain(_ output: String, before: String = "", _ more: String = "") throws -> (code: Int32, errors: String) {
      try TrainerProcess.shell("\(before) trainer pretrain images -o \(output) \(flags) \(more)", in: folder.path)
    }
    func file(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + name)) }
    #expect(try pretrain("whole").code == 0)
    #expect(try pretrain("run", "--checkpoint-steps 1").code == 0)
    let checkpoint = try file("run/checkpoint")
    try FileManager.default.removeItem(atPath: folder.path + "/run/weights.safetensors")
    // A limit on the size of files, 64 KiB, stands for the full disk: writing beyond it fails in the same way.
    let full = try pretrain("run", before: "trap '' XFSZ; ulimit -f 128;")
    #expect(full.code == 74, "\(full.errors)")
    #expect(full.errors.hasPrefix("error: ") && full.errors.contains("run/weights.safetensors"), "\(full.errors)")
    #expect(try file("run/checkpoint") == checkpoint)
    #expect(try pretrain("run").code == 0)
    #expect(try file("run/weights.safetensors") == file("whole/weights.safetensors"))
    // The first checkpoint of a run fails in the same way, and the run begins anew.
    let first = try pretrain("other", before: "trap '' XFSZ; ulimit -f 128;", "--checkpoint-steps 1")
    #expect(first.code == 74 && first.errors.contains("other/checkpoint"), "\(first.errors)")
    #expect(try pretrain("other").code == 0)
    #expect(try file("other/weights.safetensors") == file("whole/weights.safetensors"))
  }
}
