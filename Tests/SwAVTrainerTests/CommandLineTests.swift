import Foundation
import SwAVTestSupport
import Testing

/// What people write, and what other programs taught them to write.
@Suite(.serialized) struct CommandLineTests {
  let folder: TemporaryFolder
  let tiny = "--base-width 8 --hidden 16 --dim 8 --prototypes 6 --crops 2x32+1x24 --batch 4 --epochs 1"

  init() throws {
    folder = try TemporaryFolder()
    try folder.writePictures("images", perClass: 6)
    try folder.writePictures("2024", perClass: 6)
  }

  private func run(_ line: String, home: String? = nil) throws -> TrainerProcess.Outcome {
    try TrainerProcess.run(
      line.split(separator: " ").map { $0 == "''" ? "" : String($0) }, environment: home.map { ["HOME": $0] } ?? [:],
      in: folder.path)
  }

  private func isThere(_ name: String) -> Bool { FileManager.default.fileExists(atPath: folder.path + "/" + name) }

  private func config(_ line: String) throws -> Set<Substring> {
    let outcome = try run(line + " --print-config")
    #expect(outcome.code == 0, "\(line): \(outcome.errors)")
    return Set(outcome.output.split(separator: "\n"))
  }

  @Test func wordsThatAreUnknownGetASuggestion() throws {
    let cases: [(line: String, message: String)] = [
      ("embedd", "'embedd' is no command; did you mean 'embed'?"),
      ("pretrian images", "'pretrian' is no command; did you mean 'pretrain'?"),
      ("fly", "'fly' is no command; there are demo, check-data"),
      ("bench stpe", "'stpe' is no command of bench; did you mean 'step'?"),
      ("help nosuch", "'nosuch' is no command; there are demo"),
      ("help pretrian", "'pretrian' is no command; did you mean 'pretrain'?"),
      ("help bench stpe", "'stpe' is no command of bench; did you mean 'step'?"),
      ("help exit-code", "did you mean 'exit-codes'?"),
      ("pretrain images --lr 1", "--lr is no flag of pretrain; did you mean '--base-lr'?"),
      ("pretrain images --learning_rate 1", "did you mean '--base-lr'?"),
      ("pretrain images --batch-size 4", "--batch-size is no flag of pretrain; did you mean '--batch'?"),
      ("pretrain images --bacth 4", "did you mean '--batch'?"),
      ("pretrain images --min_scale 1 1", "did you mean '--min-scale'?"),
      ("embed images --weight untrained", "--weight is no flag of embed; did you mean '--weights'?"),
      ("knn --trian images", "--trian is no flag of knn; did you mean '--train'?"), ("info --jsn", "did you mean '--json'?"),
      ("preview images -o s.png --epsilon 1", "--epsilon is no flag of preview; "),
      ("--jason", "--jason is no flag of trainer; "),
      ("embed images --output f.csv", "--weights <run|file> is missing; 'trainer help embed' shows the flags"),
      ("check-data", "<images> is missing; 'trainer help check-data' shows how to give it"),
      ("info more", "Unexpected argument 'more'"),
    ]
    for item in cases {
      let outcome = try run(item.line)
      #expect(outcome.code == 64 && outcome.output.isEmpty, "\(item.line)")
      #expect(outcome.errors.hasPrefix("error: ") && outcome.errors.contains(item.message), "\(item.line): \(outcome.errors)")
      #expect(outcome.errors.count { $0 == "\n" } == 1, "\(outcome.errors)")
    }
  }

  @Test func emptyValuesAreAnErrorThatNamesTheFlag() throws {
    let cases: [(line: String, message: String)] = [
      ("pretrain --val= images 2024 -o run", "--val is given an empty value; a folder"),
      ("pretrain --val '' images -o run", "--val is given an empty value"),
      ("pretrain images --output= 2024", "--output is given an empty value"),
      ("pretrain images -o= 2024", "-o is given an empty value"),
      ("pretrain images -o run --config= x", "--config is given an empty value"),
      ("pretrain images -o run --batch=", "--batch is given an empty value; a whole number"),
      ("pretrain images -o run --mean= 0.5", "--mean is given an empty value"),
      ("pretrain '' images -o run", "argument 1 of pretrain is empty"),
      (
        "knn --weights= untrained --train images --val images",
        "--weights is given an empty value; <run|file> is needed"
      ),
      ("knn --weights untrained --train= images --val images", "--train is given an empty value"),
      ("embed images --weights untrained --output ''", "--output is given an empty value"),
      ("pretrain images -o run --batch --epochs 3", "--batch has no value; a whole number from 2"),
      ("pretrain images -o run --base-lr", "--base-lr has no value; a number above 0"),
    ]
    for item in cases {
      let outcome = try run(item.line)
      #expect(outcome.code == 64 && outcome.errors.hasPrefix("error: " + item.message), "\(item.line): \(outcome.errors)")
    }
    #expect(!isThere("run"))
  }

  @Test func theHomeFolderIsExpandedInFlagsAndFiles() throws {
    let home = folder.path + "/home"
    try folder.write("home/.keep", [])
    try folder.write("file.yaml", Array("output: ~/from-file\n".utf8))
    #expect(try run("pretrain images --output=~/from-flag \(tiny)", home: home).code == 0)
    #expect(try run("pretrain images --config ./file.yaml \(tiny)", home: home).code == 0)
    #expect(isThere("home/from-flag/weights.safetensors") && isThere("home/from-file/weights.safetensors") && !isThere("~"))
    #expect(try run("embed images --weights ~/from-flag --output=~/f.csv", home: home).code == 0)
    #expect(isThere("home/f.csv") && !isThere("~"))
    #expect(try run("check-data ~/nowhere", home: home).errors.contains(home + "/nowhere"))
  }

  @Test func listsTakeNumbersAndLeaveTheImages() throws {
    #expect(try config("pretrain --mean 0.5 0.5 0.25 images").contains("mean: 0.5,0.5,0.25"))
    #expect(try config("pretrain --min-scale 0.3,0.1 images").contains("min-scale: 0.3,0.1"))
    #expect(try config("pretrain --nmb_crops 2 1 --size_crops 48 32 images").contains("crops: 2x48+1x32"))
    let outcome = try run("pretrain -o run --mean 0.5 0.5 0.5 2024")
    #expect(outcome.code == 64)
    #expect(
      outcome.errors == "error: <images> is missing: '2024' went to --mean; put it before the flags\n", "\(outcome.errors)")
    #expect(try config("pretrain 2024 --mean 0.5 0.5 0.5").contains("mean: 0.5,0.5,0.5"))
    #expect(try run("pretrain images --base-lr -1 -o run").errors.hasPrefix("error: --base-lr is '-1'; a number above 0"))
  }

  /// Every flag of the published program, as its scripts give them.
  @Test func aPublishedCommandLineRuns() throws {
    let line = """
      pretrain --data_path images --nmb_crops 2 1 --size_crops 32 24 --min_scale_crops 0.14 0.05 --max_scale_crops 1. 0.14 \
      --crops_for_assign 0 1 --temperature 0.1 --epsilon 0.05 --sinkhorn_iterations 3 --feat_dim 8 --nmb_prototypes 6 \
      --queue_length 8 --epoch_queue_starts 1 --epochs 2 --batch_size 4 --base_lr 0.6 --final_lr 0.0006 \
      --freeze_prototypes_niters 3 --wd 0.000001 --warmup_epochs 0 --start_warmup 0 --dist_url env:// --world_size -1 --rank 0 \
      --local_rank 0 --arch resnet18 --hidden_mlp 16 --workers 1 --checkpoint_freq 25 --use_fp16 true --sync_bn pytorch \
      --syncbn_process_group_size 8 --dump_path run --seed 31 --base-width 8
      """
    let outcome = try run(line)
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(isThere("run/weights.safetensors"))
    let notes = outcome.output.split(separator: "\n").filter { $0.hasPrefix("note: ") }
    let ignored = notes.filter { $0.hasPrefix("note: no effect here: ") }
    #expect(ignored.count == 1)
    for flag in [
      "dist_url env://", "world_size -1", "rank 0", "local_rank 0", "use_fp16 true", "sync_bn pytorch",
      "syncbn_process_group_size 8",
    ] {
      #expect(ignored.first?.contains("--" + flag) == true, "\(flag)")
    }
    #expect(notes.contains { $0.contains("--batch_size 4 is the whole batch of a step") })
    let yaml = try String(contentsOfFile: folder.path + "/run/config.yaml", encoding: .utf8)
    for text in ["crops: 2x32+1x24", "freeze-steps: 3", "seed: 31", "queue: 8", "weight-decay: 1e-06", "max-scale: 1.0,0.14"] {
      #expect(yaml.contains(text + "\n") || yaml.contains(text), "\(text)")
    }
    #expect(try config("pretrain images --nmb_prototypes 30 40 --freeze_prototypes_niters 1e10").contains("prototypes: 30,40"))
  }

  @Test func thePublishedLinearCommandRuns() throws {
    try folder.writePictures("set/train", perClass: 6)
    try folder.writePictures("set/val", perClass: 3)
    let outcome = try run(
      """
      linear --data_path set --pretrained untrained --size 32 --dump_path . --seed 31 --workers 1 --arch resnet18 \
      --global_pooling true --use_bn false --epochs 100 --batch_size 32 --lr 0.3 --wd 1e-6 --nesterov false \
      --scheduler_type cosine --decay_epochs 60 80 --gamma 0.1 --final_lr 0 --dist_url env:// --world_size -1 --rank 0 \
      --local_rank 0
      """)
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("linear: ") && outcome.output.contains("note: no effect here: "))
  }

  @Test func aFlagBeatsTheFileAcrossSpellings() throws {
    try folder.write("f.yaml", Array("crops: 2x64+6x32\nfreeze-steps: 7\nbatch: 3\nrecipe: published\n".utf8))
    let lines = try config(
      "pretrain images --config f.yaml --nmb_crops 2 4 --size_crops 96 48 --freeze-epochs 2 --batch_size 5 --preset demo")
    for line in ["crops: 2x96+4x48", "freeze-epochs: 2.0", "batch: 5", "epochs: 40"] {
      #expect(lines.contains(Substring(line)), "\(line)")
    }
    #expect(!lines.contains { $0.hasPrefix("freeze-steps") })
  }

  @Test func aRunGoesOnWithThePlanThatItBeganWith() throws {
    let values = "--base-width 8 --crops 2x32+1x24 --batch 4 --epochs 1 --prototypes 6 --base-lr 0.01"
    #expect(try run("pretrain images -o run \(values) --dim 8").code == 0)
    // What would be planned anew stays as it was, also where it was given.
    let again = try run("pretrain images -o run --dim 8")
    #expect(again.code == 0 && again.output.contains("this run is finished"), "\(again.errors)")
    for (flags, difference) in [
      ("--dim 8 --base-lr 0.02", "base-lr 0.01 -> 0.02"), ("", "dim 8 -> 128"),
      ("--dim 8 --preset demo --batch 4", "base-lr 0.01 -> 0.002"),
    ] {
      let other = try run("pretrain images -o run " + flags)
      #expect(other.code == 64 && other.errors.contains(difference), "\(flags): \(other.errors)")
    }
  }

  @Test func decisionsAreRowsWithNameValueAndReason() throws {
    let outcome = try run("pretrain images --batch 4 --print-config --json")
    #expect(outcome.code == 0)
    let decisions = outcome.objects.filter { $0["type"] as? String == "decision" }
    #expect(decisions.count > 35 && decisions.allSatisfy { ($0["reason"] as? String ?? "").count > 5 && $0["value"] is String })
    let sources = Dictionary(decisions.map { ($0["name"] as? String ?? "", $0["source"] as? String ?? "") }) { $1 }
    #expect(sources["batch"] == "given" && sources["crops"] == "planned" && sources["temperature"] == "kept")
  }

  @Test func theOutputOfAPreviewIsCheckedBeforeTheImages() throws {
    // No image at all would be exit 65 or 66: the output is looked at first.
    for (output, reason) in [("no/sheet.png", "no/sheet.png: No such file or directory"), ("/proc/s.png", "/proc/s.png: ")] {
      let outcome = try run("preview nowhere -o \(output)")
      #expect(outcome.code == 74 && outcome.errors.hasPrefix("error: " + reason), "\(outcome.errors)")
      #expect(outcome.errors.count { $0 == "\n" } == 1 && !outcome.errors.contains("Domain"))
    }
    try folder.write("folder.png/file", [1])
    #expect(try run("preview images -o folder.png").errors == "error: folder.png: a folder; a file is needed\n")
  }
}
