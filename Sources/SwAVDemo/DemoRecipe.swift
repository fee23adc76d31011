import SwAVAugmentation
import SwAVModel
public import SwAVTraining

extension PretrainConfiguration {
  /// The demo's recipe: a narrow ResNet-18 on views of 48 and 24 pixels, about two minutes on two cores.
  ///
  /// It differs from the published recipe where a short run on small pictures needs it. Views cover more of the picture, so
  /// that two of them share something from the start, and are not blurred: on 24 pixels that erases the patterns. Epsilon
  /// follows the spread of the scores: a fixed one turns the codes uniform before anything is learned. At twice this rate
  /// some seeds stay at ln K for half of the run.
  public static func demo(seed: UInt64) -> PretrainConfiguration {
    var configuration = PretrainConfiguration()
    configuration.arch = .resnet18
    configuration.stem = .imagenet
    configuration.baseWidth = 16
    configuration.hidden = 512
    // About five prototypes for each kind of picture.
    configuration.prototypes = [64]
    configuration.crops = [
      CropGroup(count: 2, size: 48, minScale: 0.4, maxScale: 1),
      CropGroup(count: 4, size: 24, minScale: 0.15, maxScale: 0.4),
    ]
    configuration.blur = 0
    configuration.batch = 64
    configuration.epochs = 16
    configuration.optimizer = .adamw
    configuration.baseLR = 2e-3
    configuration.finalLR = 2e-6
    configuration.warmupEpochs = 1
    configuration.freezeEpochs = 1
    configuration.epsilon = .relative(0.25)
    configuration.knnEvery = 4
    configuration.checkpointMinutes = 1
    configuration.seed = seed
    return configuration
  }
}
