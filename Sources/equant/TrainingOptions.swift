public import ArgumentParser
import Execution
import Faces
public import Training

/// What decides a training run's outcome besides data and starting weights.
struct TrainingOptions: ParsableArguments {
  @Option(help: "How often every training image is seen.")
  var epochs = 3

  @Option(
    help: ArgumentHelp(
      "Height and width of the network's input (default: 64, with --from the model's).",
      valueName: "pixels"))
  var size: Int?

  @Option(
    help: ArgumentHelp(
      "Cut a square of this side from the middle before resizing; by default the largest.",
      valueName: "pixels"))
  var crop: Int?

  @Option(help: "Images to a step.")
  var batch = 64

  @Option(help: "The arithmetic; auto takes bf16 where the processor has it natively.")
  var precision = PrecisionChoice.auto

  @Option(
    help: ArgumentHelp(
      "The highest learning rate; by default 0.05 from scratch and 0.01 with --weights or --from.",
      valueName: "rate"))
  var lr: Double?

  @Option(help: "How much of the velocity survives a step; one-cycle swings it by itself.")
  var momentum = 0.9

  @Flag(help: "Look ahead along the velocity.")
  var nesterov = false

  @Option(help: "What share of a weight is added to its gradient.")
  var weightDecay = 1e-4

  @Flag(help: "Let norms and biases decay as well.")
  var decayAll = false

  @Option(help: "How the learning rate moves.")
  var schedule = Schedule.oneCycle

  @Flag(inversion: .prefixedNo, help: "Let one-cycle move the momentum against the rate.")
  var cycleMomentum = true

  @Option(help: ArgumentHelp("The cosine schedule's share of rising steps.", valueName: "share"))
  var warmUp = 0.05

  @Option(help: ArgumentHelp("How much of the target all classes share.", valueName: "share"))
  var labelSmoothing = 0.0

  @Option(help: ArgumentHelp("The largest norm of all gradients together.", valueName: "norm"))
  var clip: Double?

  @Flag(help: "Mirror training images at random.")
  var flip = false

  @Option(
    help: ArgumentHelp("Move training images at random by up to so much.", valueName: "pixels"))
  var shift = 0

  @Option(help: "Decides first weights, order and random changes.")
  var seed: UInt64 = 0

  @Option(
    help: ArgumentHelp("Stop after so many epochs without a better one.", valueName: "epochs"))
  var patience: Int?

  @Option(help: ArgumentHelp("Use only the first training images.", valueName: "count"))
  var limit: Int?

  @Flag(help: "Leave damaged images out, and count them, instead of stopping.")
  var skipDamaged = false

  /// The settings that these options stand for.
  ///
  /// - Parameters:
  ///   - fineTuning: Whether the weights are trained already, which asks for smaller steps.
  ///   - preprocessing: What the images were prepared like for the model to start from, if any.
  /// - Returns: The settings, without an objective of their own.
  func settings(fineTuning: Bool, preprocessing: Preprocessing? = nil) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.epochs = epochs
    settings.preprocessing = preprocessing ?? Preprocessing(size: 64)
    if let size { settings.preprocessing.size = size }
    if let crop { settings.preprocessing.crop = crop }
    settings.batch = batch
    settings.precision = precision.precision
    settings.optimizer = SGD(
      learningRate: lr ?? (fineTuning ? 0.01 : 0.05), momentum: momentum, nesterov: nesterov,
      weightDecay: weightDecay, decaysAll: decayAll, clip: clip)
    settings.schedule = schedule
    settings.cyclesMomentum = cycleMomentum
    settings.warmUp = warmUp
    settings.labelSmoothing = labelSmoothing
    if flip || shift > 0 { settings.augmentation = Augmentation(flips: flip, shift: shift) }
    settings.seed = seed
    settings.patience = patience
    settings.limit = limit
    settings.skipsDamaged = skipDamaged
    return settings
  }
}

/// The arithmetic as people choose it.
enum PrecisionChoice: String, ExpressibleByArgument, CaseIterable {
  case f32, bf16, auto

  /// What is meant on this machine.
  var precision: Precision {
    switch self {
    case .f32: .float32
    case .bf16: .bfloat16
    case .auto: .automatic
    }
  }
}

extension Schedule: ExpressibleByArgument {}
