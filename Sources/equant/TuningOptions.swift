import ArgumentParser
import Compression
import Training

/// How what a compressed model stores is fitted to the float model's answers: `--tune`.
struct TuningOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Fit codebooks, grids and biases to the float model's answers on images of train, for so many \
      epochs. Labels only say which cell a row is in, where '--max-drift' limits a gap.
      """, valueName: "epochs"))
  var tune: Int?

  @Option(help: ArgumentHelp("Tune on no more images than this.", valueName: "count"))
  var tuneRows: Int?

  @Option(
    help: ArgumentHelp(
      "The largest step of a number, as a share of how large its tensor's weights are.",
      valueName: "share"))
  var tuneRate = 0.002

  @Option(
    help: """
      The arithmetic of tuning: auto takes bf16 where the processor has it natively, f32 elsewhere \
      and where activations are int8.
      """)
  var tunePrecision = PrecisionChoice.auto

  @Flag(help: "Tune the entries of codebooks, but leave every weight with the entry that it has.")
  var tuneEntriesOnly = false

  @Flag(help: "Learn the scales of even grids too (LSQ), for uniform:B and int8.")
  var tuneScales = false

  @Flag(
    help: """
      Let the ranges of int8 activations follow the weights in the first half of tuning, and freeze \
      them then, instead of leaving them as calibrated before it.
      """)
  var tuneRanges = false

  @Option(
    help: ArgumentHelp(
      """
      Mislead an adversary that guesses a row's group from its decision and label, so that nothing can \
      be guessed; the number is how much that counts beside the float model's answers.
      """, valueName: "weight"))
  var adversary: Double?

  @Flag(
    help: """
      With 'prune:S', drop weights little by little in the first half of tuning instead of all at \
      once before it.
      """)
  var gradual = false

  func validate() throws {
    if let tune, !(1...1000 ~= tune) {
      throw ValidationError("'--tune' is a number of epochs: give 1 to 1000.")
    }
    if let tuneRows, tuneRows < 1 {
      throw ValidationError("'--tune-rows' is a number of images: give 1 or more.")
    }
    guard tuneRate > 0, tuneRate <= 1 else {
      throw ValidationError("'--tune-rate' is a share above 0 and at most 1.")
    }
    if tune == nil && tuneEntriesOnly {
      throw ValidationError("'--tune-entries-only' is for tuning: give '--tune' too.")
    }
    if tune == nil && tuneScales {
      throw ValidationError("'--tune-scales' is for tuning: give '--tune' too.")
    }
    if tune == nil && tuneRanges {
      throw ValidationError("'--tune-ranges' is for tuning: give '--tune' too.")
    }
    if tune == nil && adversary != nil {
      throw ValidationError("'--adversary' is for tuning: give '--tune' too.")
    }
    if let adversary, !(adversary > 0 && adversary <= 1000) {
      throw ValidationError("'--adversary' is a number above 0 and at most 1000.")
    }
    if tune == nil && gradual {
      throw ValidationError("'--gradual' is for tuning: give '--tune' too.")
    }
    if tune == nil && tuneRows != nil {
      throw ValidationError("'--tune-rows' is for tuning: give '--tune' too.")
    }
  }

  /// The settings; `nil` where nothing is tuned.
  func settings(
    seed: UInt64, drift: [DriftLimit], gaps: [DriftLimit]
  ) -> TuningSettings? {
    guard let tune else { return nil }
    var settings = TuningSettings(epochs: tune)
    settings.limit = tuneRows
    settings.rate = tuneRate
    settings.precision = tunePrecision.precision
    settings.isGradual = gradual
    settings.seed = seed
    settings.movesCodes = !tuneEntriesOnly
    settings.movesScales = tuneScales
    settings.movesRanges = tuneRanges
    settings.adversary = adversary ?? 0
    settings.limits = FairnessConstraint.allCases.flatMap { constraint in
      [
        drift.last { $0.kind == constraint.gap }.map { .init(constraint, tolerance: $0.limit) },
        gaps.last { $0.kind == constraint.gap }.map {
          .init(constraint, tolerance: $0.limit, from: .equality)
        },
      ].compactMap(\.self)
    }
    return settings
  }
}
