/// Everything a program needs to embed images or to train: `import SwAV`.
@_exported public import SwAVAugmentation
@_exported public import SwAVData
@_exported public import SwAVEngine
@_exported public import SwAVEvaluation
@_exported public import SwAVInspection
@_exported public import SwAVModel
@_exported public import SwAVTraining
