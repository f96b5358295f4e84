import ArgumentParser
import Compression
import Faces
import Files
import Foundation
import Graphs
import Store
import Training

/// `equant compress`: makes a model smaller.
struct CompressCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compress",
    abstract: "Make a model smaller.",
    discussion: """
      Writes a model as a smaller standard ONNX file, and prints the sizes in bytes and where the \
      bytes of the new file go. A model that was made elsewhere needs --preprocess. Schemes:

        int8        8-bit weights, one scale per output channel, and 8-bit activations whose ranges
                    are estimated on images of train.
        kmeans:K    The weights of a tensor take K values, chosen with the least squared error
                    there is; a weight is stored in log2 K bits. Needs no images.
        uniform:B   Weights of B bits on an even grid, one scale per output channel. Needs none.
        mixed:B     The same with 2 to 8 bits, chosen for every tensor, B on average.
        prune:S     The share S of the weights, the smallest, is dropped; a bitmap says which.
        filters:S   The share S of the channels is removed with its filters: layers are smaller.

      Steps are joined by +: kmeans:16+int8 (with --codebook int8), uniform:4+int8, \
      prune:0.8+kmeans:16.

      A scheme with limits (--max-drift and others) is certified on validation rows that no choice has \
      seen. Where it does not keep them as it is, remedies are tried. \
      With --budget the tool itself chooses how every tensor is stored, so that the file fits and \
      the limits given are kept, and certifies it on validation rows that no choice has seen. \
      Exits with 2, and writes nothing, when it finds no such file.
      """)

  @Argument(
    help: "The model, an ONNX file: one of Equant's, or any other classifier.",
    completion: .file(extensions: ["onnx"]))
  var model: String

  @Option(help: "How to make it smaller; see above. (default: int8)")
  var scheme: String?

  @OptionGroup(title: "Under limits") var constrained: ConstrainedOptions

  @OptionGroup var dataOptions: DataOptions

  @OptionGroup(title: "Models made elsewhere") var modelOptions: ModelOptions

  @Option(
    help: ArgumentHelp("Where the compressed model goes.", valueName: "file"),
    completion: .file(extensions: ["onnx"]))
  var out: String

  @Option(help: "How the ranges of activations are estimated.")
  var observer = ObserverKind.histogram

  @Option(help: ArgumentHelp("How many images of train are looked at.", valueName: "count"))
  var calibrationCount = 512

  @Flag(help: "Take as many images of every cell of group and label, as far as there are.")
  var balanced = false

  @Option(
    help: ArgumentHelp(
      "Look at images of this group only: what happens when calibration knows but one.",
      valueName: "group"))
  var calibrationGroup: String?

  @Flag(help: "Shift biases so that the mean of every layer stays where it was.")
  var biasCorrection = false

  @OptionGroup(title: "Tuning") var tuningOptions: TuningOptions

  @OptionGroup(title: "Weights") var weightOptions: WeightOptions

  @Flag(
    help: """
      Leave batch norms apart and quantize around them, with PyTorch's reduced range and weight \
      grid: what its eager mode gives when fuse_model() is forgotten. For comparison.
      """)
  var unfused = false

  @Flag(help: "Use 7 bits of activations, as PyTorch does on x86.")
  var reduceRange = false

  @Option(
    help: """
      The integers of int8 weights: reduced, to 64, which every runtime multiplies exactly on \
      every processor; narrow, to 127, a bit more; full, from -128, as PyTorch. Beyond 64, \
      processors without 8-bit dot products (VNNI) take twice as long here and saturate \
      elsewhere. (default: reduced, unfused: full)
      """)
  var weightGrid: ChannelQuantization.Grid?

  @Option(help: "Decides which images are looked at.")
  var seed: UInt64 = 0

  @OptionGroup var storeOptions: StoreOptions

  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard calibrationCount > 0 else {
      throw ValidationError("'--calibration-count' is a number of images: give 1 or more.")
    }
    if tuningOptions.tune == nil && !constrained.maxGap.isEmpty {
      throw ValidationError("'--max-gap' needs '--tune', which is what closes a gap.")
    }
    if constrained.closest != nil && constrained.limits(floatBytes: 0) == nil {
      throw ValidationError("'--closest' is for limits: give '--max-drift' or another of them.")
    }
    if constrained.closest == out {
      throw ValidationError("'--closest' and '--out' are the same file.")
    }
    if constrained.dryRun && tuningOptions.tune != nil {
      throw ValidationError("Give '--dry-run' or '--tune', not both: nothing is run, or tuned.")
    }
    if constrained.budget != nil && tuningOptions.gradual {
      throw ValidationError("'--gradual' is for '--scheme prune:S', not for '--budget'.")
    }
    if constrained.budget != nil && tuningOptions.tuneScales
      && !constrained.choice.contains(where: { $0.contains("uniform") })
    {
      throw ValidationError("'--tune-scales' is for even grids: give '--choice uniform:B' too.")
    }
    if constrained.int8Activations && unfused {
      throw ValidationError("'--unfused' is for '--scheme int8' alone.")
    }
    if constrained.budget != nil && tuningOptions.tuneRanges && !constrained.int8Activations {
      throw ValidationError(
        "'--tune-ranges' is for int8 activations: give '--int8-activations' too.")
    }
    if constrained.budget != nil && scheme != nil {
      throw ValidationError("Give '--scheme' or '--budget', not both.")
    }
    if constrained.budget != nil
      && (weightOptions.rounding != .nearest || weightOptions.sensitivity != .none)
    {
      throw ValidationError(
        "'--rounding' and '--sensitivity' are for '--scheme', not for '--budget'.")
    }
  }

  func run() throws {
    let scheme = try Scheme(schemeName)
    try Files.checkWritable(out)
    if let closest = constrained.closest { try Files.checkWritable(closest) }
    let opened = try modelOptions.open(model)
    let (contents, description) = (opened.contents, opened.description)
    var graph = opened.graph
    var progress = Progress(quiet: output.quiet)
    var images: CompressionImages?
    let limits = constrained.limits(floatBytes: contents.count)
    if limits != nil || scheme.needsImages || dataOptions.data != nil
      || weights.looksAtImages || tuningOptions.tune != nil
    {
      let dataset = try dataOptions.open(
        target: description.target, protected: description.protected)
      for warning in dataset.warnings { progress.say("warning: \(warning)") }
      images = CompressionImages(dataset, preprocessing: description.preprocessing)
      graph = try opened.graph(meaning: dataset)
    }
    if let limits, let images {
      return constrained.budget == nil
        ? try hold(scheme, of: graph, contents, against: limits, images, description)
        : try search(graph, contents, under: limits, images, description)
    }
    if scheme.needsImages || weights.looksAtImages {
      progress.say("calibrating on \(calibrationCount) images of train (\(observer.rawValue))")
    }
    let recording = try record(scheme, description)
    try recording.during {
      let compressed: Graph
      let report: CompressionReport
      do {
        (compressed, report) = try compress(
          graph, scheme: scheme,
          base: .init(contents: contents, beside: ONNXFile.bytesBeside(contents, path: model)),
          images: images, weights: weights, int8: settings, tuning: tuning
        ) { epoch, step, steps in
          progress.show("tuning, epoch \(epoch)", step, of: steps)
        }
        progress.clear()
      } catch let error as CompressionError where error.place != images?.dataset.folder {
        throw FileError(model, error.description)
      }
      try ONNXFile.write(compressed, to: out)
      try finish(recording, report)
      try output.write(report) { Self.text(report, model: model, out: out) }
    }
  }

  private func record(_ scheme: Scheme, _ description: ModelDescription) throws -> Recording {
    var texts = try settingTexts(weights).merging(["scheme": schemeName]) { $1 }
    if scheme.needsImages { texts.merge(try settingTexts(settings)) { $1 } }
    return try record(texts, description)
  }

  /// Records that a compression with the settings begins.
  func record(_ settings: [String: String], _ description: ModelDescription) throws -> Recording {
    var texts = settings
    if let tuning { texts.merge(try settingTexts(tuning)) { $1 } }
    texts["data"] = dataOptions.data
    texts["target"] = dataOptions.target ?? description.target
    let protected = dataOptions.protected
    texts["protected"] = (protected.isEmpty ? description.protected : protected).joined(
      separator: ", ")
    return try Recording(
      Run(.compress, title: out, settings: texts, files: ["base": model, "model": out]),
      in: storeOptions, quiet: output.quiet)
  }

  private func finish(_ recording: Recording, _ report: CompressionReport) throws {
    let digest = SHA256.hex(try Files.read(out))
    recording.finish { run in
      run.bytes = report.bytes
      run.fingerprints["base"] = report.base.sha256
      run.fingerprints["model"] = digest
      run.fingerprints["calibration images"] = report.calibration?.fingerprint
      run.results = [
        "bytes": Double(report.bytes), "base bytes": Double(report.base.bytes),
        "ratio": report.ratio,
      ]
      run.summary =
        "\(schemeName): \(String(format: "%.3f", report.ratio)) times smaller than \(model)"
    }
  }

  var tuning: TuningSettings? {
    tuningOptions.settings(
      seed: seed, drift: constrained.maxDrift, gaps: constrained.maxGap)
  }

  private var schemeName: String { scheme ?? "int8" }

  var weights: WeightSettings {
    var settings = weightOptions.settings
    if biasCorrection && settings.restores == .none { settings.restores = .mean }
    return settings
  }

  var settings: Int8Settings {
    var settings = unfused ? Int8Settings.unfused : Int8Settings()
    settings.observer = observer
    settings.calibration = CalibrationSettings(
      count: calibrationCount, seed: seed, isBalanced: balanced, group: calibrationGroup)
    settings.correctsBias = biasCorrection
    settings.equalizes = weightOptions.equalize
    if reduceRange { settings.reducesRange = true }
    if let weightGrid { settings.weightGrid = weightGrid }
    return settings
  }

  /// The report for people: sizes, then where the bytes go.
  private static func text(_ report: CompressionReport, model: String, out: String) -> String {
    func line(_ name: String, _ bytes: Int) -> String {
      let number = "\(bytes)"
      let digits = number.reversed().enumerated().reduce(into: "") { text, digit in
        if digit.offset > 0 && digit.offset % 3 == 0 { text.append(" ") }
        text.append(digit.element)
      }
      let padding = String(repeating: " ", count: max(0, 14 - digits.count))
      return name.padding(toLength: 24, withPad: " ", startingAt: 0) + padding + digits.reversed()
    }
    let accounting = report.accounting
    let roles = SizeAccounting.Role.allCases.filter { accounting.bytes(of: $0) > 0 }
    var lines = [
      line("before, bytes", report.base.bytes), line("after, bytes", report.bytes),
      "\(out) is \(String(format: "%.3f", report.ratio)) times smaller than \(model)", "",
    ]
    lines += roles.map { line("  \(name(of: $0))", accounting.bytes(of: $0)) }
    lines.append(line("  names and structure", accounting.overhead))
    lines.append(line("  together", accounting.total))
    if let calibration = report.calibration {
      lines.append("")
      lines.append("calibrated on \(calibration.images) images of train")
    }
    if let tuning = report.tuning {
      let losses = tuning.losses.map { String(format: "%.5f", $0) }.joined(separator: ", ")
      lines.append("")
      lines.append("tuned on \(tuning.rows) images of train; mean objective by epoch: \(losses)")
      lines += tuning.drifts.map { drift in
        let found = drift.heldOut.map { String(format: "%+.3f", $0) } ?? "undefined"
        return "  \(drift.gap): drift \(found) on rows held out, multiplier "
          + String(format: "%+.3f", drift.multiplier)
      }
      if let adversary = tuning.adversary {
        lines.append(
          "  groups guessed from decisions at "
            + String(format: "%.4f nats, blindly at %.4f", adversary.loss, adversary.blind))
      }
    }
    return lines.joined(separator: "\n")
  }

  private static func name(of role: SizeAccounting.Role) -> String {
    switch role {
    case .weights: "weights"
    case .codebooks: "codebooks"
    case .biases: "biases"
    case .scales: "scales"
    case .zeroPoints: "zero points"
    case .batchNorms: "batch norms"
    case .unpacking: "shapes and masks"
    case .other: "other constants"
    }
  }
}
