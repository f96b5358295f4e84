import Execution
import Faces
import Foundation
import Graphs
import Tensors
import Training

extension CompressionWork {
  /// Fits what is stored to the float model's answers on training rows, gaps included.
  ///
  /// The student is the graph with the weights that the file will give, and its activations rounded as
  /// the file's where those are int8, with the ranges that calibration found; codebooks, grids' weights
  /// and biases move, by the gradient of ``DriftDistillation``, which passes straight through what is
  /// rounded. Where gaps have limits, ``CompressionImages/watched`` rows, or a part of the training rows, are
  /// only looked at, to measure gaps. Other rows are not touched.
  ///
  /// - Parameters:
  ///   - settings: How.
  ///   - images: Where the rows are.
  ///   - probe: Where ranges are looked for anew; `nil` where they stay.
  ///   - progress: Told the epoch, counted from 1, the steps done in it and their number.
  /// - Returns: What was done.
  /// - Throws: ``CompressionError`` for settings and schemes that do not go together, and what
  ///   reading images and running graphs throws.
  mutating func tune(
    _ settings: TuningSettings, on images: CompressionImages, probe: CalibrationProbe? = nil,
    progress: (_ epoch: Int, _ step: Int, _ of: Int) -> Void = { _, _, _ in }
  ) throws -> TuningRecord {
    try settings.validate()
    let pruning = try gradualPruning(settings)
    guard !settings.movesRanges || activations != nil else {
      throw CompressionError("tuning", "moves ranges only where activations are int8")
    }
    let dataset = images.dataset
    guard dataset.classNames.count == 2 else {
      throw CompressionError("tuning", "is for two classes, not \(dataset.classNames.count)")
    }
    let all = dataset.rows(in: .train, limit: settings.limit)
    let rows = parts(of: all, settings, watched: images.watched)
    guard rows.fitted.count >= settings.batch else {
      throw CompressionError(
        dataset.folder,
        "its train split has \(rows.fitted.count) rows to tune with, fewer than a "
          + "batch of \(settings.batch)")
    }
    guard settings.limits.isEmpty || rows.heldOut.count >= settings.batch else {
      throw CompressionError(
        "tuning", "the held-out share is \(rows.heldOut.count) rows, fewer than a batch")
    }
    let asked = rows.fitted + rows.heldOut
    var teacher = Teacher(
      try Evaluator(images.preprocessing).run(teacher, on: dataset, rows: asked).output, rows: asked
    )
    teacher.usesLabels = settings.usesLabels
    var distillation = try DriftDistillation(
      settings.limits, groups: dataset.groupNames, counts: dataset.counts(of: rows.fitted))

    if pruning != nil { dropNothingYet() }
    var student = Student(try tuningSession(settings, on: images))
    for (number, slot) in student.session.slots.enumerated() {
      // Weights that were rounded with care start as they are stored.
      let isReal = coded[slot.name] != nil && weights.rounding == .nearest
      guard let tensor = (isReal ? float : graph).initializers[slot.name] else { continue }
      student.add(latent(tensor, as: slot.name, settings), slot: number)
    }

    let fitted = loader(dataset, rows.fitted, images, settings, balances: false)
    let watched =
      settings.limits.isEmpty
      ? nil : loader(dataset, rows.heldOut, images, settings, balances: true)
    let steps = fitted.batchesPerEpoch
    let dropping = pruning.map {
      GradualPruning(pruning: $0, steps: max(1, steps * settings.epochs / 2))
    }
    let dropped = student.places { coded[$0]?.kept != nil }
    var adversary = settings.adversary > 0 ? GroupAdversary(groups: dataset.groupNames.count) : nil
    var guesses = 0.0
    var losses: [Double] = []
    var number = 0
    for epoch in 1...settings.epochs {
      var sum = 0.0
      var done = 0
      guesses = 0
      while let batch = try fitted.next() {
        if let watched, number % settings.interval == 0,
          let next = try watched.next() ?? watched.next()
        {
          let (found, known) = try teacher.asked(about: next, student.session)
          distillation.observe(heldOut: found, teacher: known)
        }
        if let dropping, dropping.looks(at: number) {
          let kept = dropping.kept(dropped.map { student.weights[$0].real }, at: number)
          for (place, kept) in zip(dropped, kept) { try student.keep(kept, at: place) }
          if number == dropping.steps, let clustering {
            try student.replace(dropped) { name, old in
              let stored = clustering.code(old.real, kept: old.coded?.kept)
              coded[name] = stored
              return latent(old.real, as: name, settings)
            }
          }
        }
        if let probe, settings.looksForRanges(at: number, of: steps * settings.epochs) {
          take(student.weights, as: student.names)
          try calibrateActivations(with: probe, activations?.calibration)
          student.session = try tuningSession(settings, on: images)
        }
        let (found, known) = try teacher.asked(about: batch, student.session)
        var (loss, gradients) = distillation.evaluate(found, teacher: known)
        guesses += adversary?.oppose(found, &gradients, weight: settings.adversary) ?? 0
        guard loss.isFinite else {
          throw CompressionError("tuning", "diverged in epoch \(epoch), step \(done + 1)")
        }
        try gradients.withUnsafeBufferPointer { try student.session.backward($0) }
        number += 1
        // The rate falls along half a cosine from its largest to nothing.
        let progressed = Double(number) / Double(steps * settings.epochs)
        let rate = Float(settings.rate * 0.5 * (1 + cos(.pi * progressed)))
        try student.step(rate: rate, number: number)
        sum += loss
        done += 1
        progress(epoch, done, steps)
      }
      losses.append(sum / Double(max(1, done)))
    }
    take(student.weights, as: student.names)
    return TuningRecord(
      settings: settings, rows: rows.fitted.count, losses: losses,
      drifts: distillation.summary.map {
        .init(gap: $0.name, multiplier: $0.multiplier, heldOut: $0.drift)
      },
      adversary: adversary.map { _ in
        .init(
          loss: guesses / Double(steps),
          blind: GroupAdversary.blind(dataset.counts(of: rows.fitted)))
      })
  }

  /// What computes a batch of the model as the file will, and its gradients.
  private func tuningSession(
    _ settings: TuningSettings, on images: CompressionImages
  ) throws -> TrainingSession {
    // Rounding that gradients pass straight through has single precision around it.
    let rounding = activations.map {
      Int8Quantization(sites: $0.sites, activations: $0.parameters)
    }
    return try TrainingSession(
      rounding?.simulated(graph) ?? graph, batch: settings.batch,
      inputShape: images.preprocessing.shape,
      precision: activations == nil ? settings.precision : .float32)
  }

  /// The numbers behind a tensor as it is stored by now.
  private func latent(_ tensor: Tensor, as name: String, _ settings: TuningSettings)
    -> LatentWeights
  {
    LatentWeights(
      tensor, coded: coded[name], isAffine: weights.isAffine,
      limits: integers.contains(name) ? int8.weightGrid.limits : nil,
      movesCodes: settings.movesCodes, dropsGradually: settings.isGradual,
      movesScales: settings.movesScales)
  }

  /// Stores what was tuned.
  private mutating func take(_ weights: [LatentWeights], as names: [String]) {
    for (name, moved) in zip(names, weights) {
      if let stored = moved.coded {
        store(stored, as: name)
      } else {
        graph.initializers[name] = moved.decoded
      }
    }
  }

  /// The rows to fit to, and those that drift is measured on, chosen by the seed where none are given.
  private func parts(
    of rows: [Int], _ settings: TuningSettings, watched: [Int]?
  ) -> (fitted: [Int], heldOut: [Int]) {
    guard !settings.limits.isEmpty else { return (rows, []) }
    if let watched { return (rows, watched) }
    var random = SplitMix64(seed: settings.seed, stream: 0x7e1d)
    var order = rows
    random.shuffle(&order)
    let count = Int((Double(rows.count) * settings.heldOut).rounded())
    return (order.dropFirst(count).sorted(), order.prefix(count).sorted())
  }

  private func loader(
    _ dataset: FaceDataset, _ rows: [Int], _ images: CompressionImages, _ settings: TuningSettings,
    balances: Bool
  ) -> BatchLoader {
    var options = BatchLoader.Options()
    options.batchSize = settings.batch
    options.preprocessing = images.preprocessing
    options.shuffles = true
    options.balances = balances
    options.seed = settings.seed
    options.lastBatch = .drop
    return BatchLoader(
      dataset, rows: rows, options: options,
      epochs: 0..<(balances ? 1_000_000 : settings.epochs))
  }
}
