import ArgumentParser
import Compression
import Faces
import Fairness
import Files
import Graphs
import Store
import Training

extension CompressCommand {
  /// Compresses under limits, and writes the certificate beside the model.
  ///
  /// - Throws: `ExitCode` 2 where the limits cannot be kept; the run is recorded all the same.
  func search(
    _ graph: Graph, _ contents: [UInt8], under limits: CompressionLimits,
    _ images: CompressionImages, _ description: ModelDescription
  ) throws {
    let compression = try compression(under: limits)
    if constrained.dryRun {
      let found = try follow(nil, images) { report in
        try compression.predict(graph, base: .init(contents: contents), on: images, report: report)
      }
      try output.write(found) { found.text(limits: limits) }
      if !found.keepsLimits { throw ExitCode(2) }
      return
    }
    let recording = try record(try searchTexts(compression), description)
    var isFeasible = false
    try recording.during {
      let found = try follow(recording, images) { report in
        try compression.run(graph, base: .init(contents: contents), on: images, report: report)
      }
      if let result = found.graph, let certificate = found.outcome.certificate {
        try write(result, certificate)
      } else {
        try writeClosest(found.closest)
      }
      isFeasible = found.graph != nil
      try finish(recording, found.outcome, limits)
      try output.write(found.outcome) {
        found.outcome.text(
          out: out, limits: limits, closest: constrained.closest, isTuned: tuning != nil)
      }
    }
    if !isFeasible { throw ExitCode(2) }
  }

  /// Runs a scheme, repairs it where it does not keep the limits, and writes it with its certificate.
  ///
  /// - Throws: `ExitCode` 2 where the limits cannot be kept; the run is recorded all the same.
  func hold(
    _ scheme: Scheme, of graph: Graph, _ contents: [UInt8], against limits: CompressionLimits,
    _ images: CompressionImages, _ description: ModelDescription
  ) throws {
    var compression = SchemeUnderLimits(scheme, limits: limits)
    compression.weights = weights
    compression.int8 = settings
    compression.tuning = tuning
    compression.selectionCount = constrained.selectionCount
    compression.seed = seed
    let base = CompressionReport.ModelFile(
      contents: contents, beside: try ONNXFile.bytesBeside(contents, path: model))
    var texts = limitTexts(limits).merging(try settingTexts(weights)) { $1 }
    texts["scheme"] = "\(scheme)"
    if scheme.needsImages { texts.merge(try settingTexts(settings)) { $1 } }
    let recording = try record(texts, description)
    var isFeasible = false
    try recording.during {
      let (outcome, result, closest) = try follow(recording, images) { report in
        try compression.run(graph, base: base, on: images, report: report)
      }
      if let result, let certificate = outcome.certificate {
        try write(result, certificate)
      } else {
        try writeClosest(closest)
      }
      isFeasible = result != nil
      let digest = isFeasible ? SHA256.hex(try Files.read(out)) : nil
      recording.finish { run in
        run.take(outcome.verification, bytes: outcome.report.bytes, ratio: outcome.report.ratio)
        run.fingerprints["model"] = digest
        run.fingerprints["base"] = base.sha256
        run.summary =
          outcome.binding.map { "\(scheme): \($0) is not kept" }
          ?? "\(scheme), \(outcome.attempts[outcome.chosen].name): limits kept, and certified"
        if digest == nil { run.files["model"] = nil }
      }
      try output.write(outcome) {
        outcome.text(scheme: "\(scheme)", out: out, closest: constrained.closest)
      }
    }
    if !isFeasible { throw ExitCode(2) }
  }

  private func write(_ graph: Graph, _ certificate: Certificate) throws {
    try ONNXFile.write(graph, to: out)
    try Files.replace(
      "\(out).certificate.json", with: Array(try prettyJSON(certificate).utf8) + [10])
  }

  /// Writes what was refused where that is asked for.
  private func writeClosest(_ graph: Graph) throws {
    guard let path = constrained.closest else { return }
    try ONNXFile.write(graph, to: path)
  }

  private func compression(under limits: CompressionLimits) throws -> ConstrainedCompression {
    var compression = try ConstrainedCompression(limits: limits)
    if !constrained.choice.isEmpty {
      compression.choices = try constrained.choice.flatMap { try Scheme($0).steps }
    }
    compression.weights = weights
    compression.calibration = settings.calibration
    if constrained.int8Activations {
      compression.int8 = settings
      compression.weights.codebook = .int8
    }
    compression.tuning = tuning
    compression.selectionCount = constrained.selectionCount
    compression.seed = seed
    compression.cache = "\(out).deltas"
    compression.explains = constrained.explain
    return compression
  }

  /// Shows what goes on, and records it.
  private func follow<Found>(
    _ recording: Recording?, _ images: CompressionImages,
    _ body: ((ConstrainedCompression.Event) -> Void) throws -> Found
  ) throws -> Found {
    var progress = Progress(quiet: output.quiet)
    defer { progress.clear() }
    func show(_ title: String, _ done: Int, of all: Int) {
      progress.show(title, done, of: all)
      recording?.note("\(title): \(done) of \(all)")
    }
    do {
      return try body { event in
        switch event {
        case .note(let text):
          progress.say(text)
          recording?.tell(text)
        case .passes(let done, let all): show("measuring choices", done, of: all)
        case .tuning(let epoch, let step, let steps):
          show("tuning, epoch \(epoch)", step, of: steps)
        }
      }
    } catch let error as CompressionError where error.place != images.dataset.folder {
      throw FileError(model, error.description)
    }
  }

  private func searchTexts(_ compression: ConstrainedCompression) throws -> [String: String] {
    var texts = limitTexts(compression.limits).merging(
      try settingTexts(compression.weights)
    ) { $1 }
    if let int8 = compression.int8 { texts.merge(try settingTexts(int8)) { $1 } }
    texts["budget"] = "\(compression.limits.bytes)"
    texts["choices"] = compression.choices.map { "\($0)" }.joined(separator: ", ")
    return texts
  }

  private func limitTexts(_ limits: CompressionLimits) -> [String: String] {
    var texts: [String: String] = [:]
    texts["maxDrift"] = CompressionLimits.kinds.compactMap { kind in
      limits.maxDrift[kind].map { "\(kind.rawValue)=\($0)" }
    }.joined(separator: ", ")
    texts["maxGap"] = CompressionLimits.kinds.compactMap { kind in
      limits.maxGap?[kind].map { "\(kind.rawValue)=\($0)" }
    }.joined(separator: ", ")
    texts["maxAccuracyDrop"] = limits.maxAccuracyDrop.map { "\($0)" }
    texts["maxGroupDrop"] = limits.maxGroupDrop.map { "\($0)" }
    texts["confidence"] = "\(limits.confidence)"
    texts["selectionCount"] = "\(constrained.selectionCount)"
    texts["seed"] = "\(seed)"
    return texts
  }

  private func finish(
    _ recording: Recording, _ outcome: ConstrainedCompression.Outcome, _ limits: CompressionLimits
  ) throws {
    let digest = outcome.isFeasible ? SHA256.hex(try Files.read(out)) : nil
    recording.finish { run in
      run.take(
        outcome.verification.isEmpty ? outcome.selection : outcome.verification,
        bytes: outcome.bytes, ratio: outcome.ratio)
      run.fingerprints["model"] = digest
      run.fingerprints["base"] = outcome.certificate?.base.sha256
      run.summary =
        outcome.binding.map { "infeasible: \($0) binds" }
        ?? "feasible and certified: \(outcome.bytes) bytes of \(limits.bytes)"
      if !outcome.isFeasible { run.files["model"] = nil }
    }
  }
}

extension Run {
  /// Takes over sizes, and every limit with what was found.
  fileprivate mutating func take(_ checks: [LimitCheck], bytes: Int, ratio: Double) {
    self.bytes = bytes
    results = ["bytes": Double(bytes), "ratio": ratio]
    for check in checks {
      results[check.name] = check.value
      results["\(check.name), bound"] = check.bound
    }
  }
}
