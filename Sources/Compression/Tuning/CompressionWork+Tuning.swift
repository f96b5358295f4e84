import Execution
import Faces
import Foundation
import Graphs
import OneDNN
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
  ///   - progress: Told the epoch, counted from 1, the steps done in it and their number.
  /// - Returns: What was done.
  /// - Throws: ``CompressionError`` for settings and schemes that do not go together, and what
  ///   reading images and running graphs throws.
  mutating func tune(
    _ settings: TuningSettings, on images: CompressionImages,
    progress: (_ epoch: Int, _ step: Int, _ of: Int) -> Void = { _, _, _ in }
  ) throws -> TuningRecord {
    try settings.validate()
    let pruning = try gradualPruning(settings)
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

    // Rounding that gradients pass straight through has single precision around it.
    let rounding = activations.map {
      Int8Quantization(sites: $0.sites, activations: $0.parameters)
    }
    let session = try TrainingSession(
      rounding?.simulated(graph) ?? graph, batch: settings.batch,
      inputShape: images.preprocessing.shape,
      precision: activations == nil ? settings.precision : .float32)
    var student = Student(session)
    for (number, slot) in session.slots.enumerated() {
      // Weights that were rounded with care start as they are stored.
      let isReal = coded[slot.name] != nil && weights.rounding == .nearest
      guard let tensor = (isReal ? float : graph).initializers[slot.name] else { continue }
      student.add(
        LatentWeights(
          tensor, coded: coded[slot.name], isAffine: weights.isAffine,
          limits: integers.contains(slot.name) ? int8.weightGrid.limits : nil,
          movesCodes: settings.movesCodes, dropsGradually: settings.isGradual,
          movesScales: settings.movesScales), slot: number)
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
    var losses: [Double] = []
    var number = 0
    for epoch in 1...settings.epochs {
      var sum = 0.0
      var done = 0
      while let batch = try fitted.next() {
        if let watched, number % settings.interval == 0,
          let next = try watched.next() ?? watched.next()
        {
          let (found, known) = try teacher.asked(about: next, session)
          distillation.observe(heldOut: found, teacher: known)
        }
        if let dropping, dropping.looks(at: number) {
          let kept = dropping.kept(dropped.map { student.weights[$0].real }, at: number)
          for (place, kept) in zip(dropped, kept) { try student.keep(kept, at: place) }
        }
        let (found, known) = try teacher.asked(about: batch, session)
        let (loss, gradients) = distillation.evaluate(found, teacher: known)
        guard loss.isFinite else {
          throw CompressionError("tuning", "diverged in epoch \(epoch), step \(done + 1)")
        }
        try gradients.withUnsafeBufferPointer { try session.backward($0) }
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
    for (name, moved) in zip(student.names, student.weights) {
      if let stored = moved.coded {
        store(stored, as: name)
      } else {
        graph.initializers[name] = moved.decoded
      }
    }
    return TuningRecord(
      settings: settings, rows: rows.fitted.count, losses: losses,
      drifts: distillation.summary.map {
        .init(gap: $0.name, multiplier: $0.multiplier, heldOut: $0.drift)
      })
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

/// The model that is tuned: a session that computes with what the file would hold, and the numbers
/// behind each of its parameters.
private struct Student {
  let session: TrainingSession
  private(set) var weights: [LatentWeights] = []
  private var slots: [Int] = []
  /// Room for each tensor's gradient.
  private var gradients: [[Float]] = []

  init(_ session: TrainingSession) { self.session = session }

  /// The names of the tensors.
  var names: [String] { slots.map { session.slots[$0].name } }

  /// The places of the tensors whose name is wanted.
  func places(where isWanted: (String) -> Bool) -> [Int] {
    slots.indices.filter { isWanted(session.slots[slots[$0]].name) }
  }

  mutating func add(_ tensor: LatentWeights, slot: Int) {
    weights.append(tensor)
    slots.append(slot)
    gradients.append([Float](repeating: 0, count: session.slots[slot].shape.reduce(1, *)))
  }

  /// Drops all weights but some from the tensor at a place.
  mutating func keep(_ kept: [Bool], at place: Int) throws {
    weights[place].keep(kept)
    try load(place)
  }

  /// One step of every tensor along the gradients of the last backward pass.
  mutating func step(rate: Float, number: Int) throws {
    for place in slots.indices {
      try gradients[place].withUnsafeMutableBufferPointer {
        try session.read(.gradients, slot: slots[place], into: $0)
      }
    }
    let gradients = gradients
    weights.withUnsafeMutableBufferPointer { weights in
      // In place: a tensor that is known twice would be copied before it moves.
      nonisolated(unsafe) let weights = weights
      Parallel.forEach(weights.count, grain: 1) { places in
        for place in places { weights[place].step(gradients[place], rate: rate, number: number) }
      }
    }
    for place in slots.indices { try load(place) }
  }

  /// Makes the session compute with what the file would hold.
  private func load(_ place: Int) throws {
    try weights[place].decodedElements.withUnsafeBufferPointer {
      try session.write($0, slot: slots[place])
    }
  }
}

/// The float model's answers on all training rows, computed once.
private struct Teacher {
  private let output: LabelledLogits
  private let places: [Int: Int]
  /// Whether labels are the data's or the teacher's own decisions.
  var usesLabels = true

  init(_ output: LabelledLogits, rows: [Int]) {
    self.output = output
    places = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1, $0) })
  }

  /// The student's answers on a batch, and the teacher's.
  func asked(
    about batch: Batch, _ session: TrainingSession
  ) throws -> (student: LabelledLogits, teacher: [Float]) {
    let logits = try batch.images.withUnsafeBufferPointer {
      Array(try session.forward($0, movesStatistics: false))
    }
    var known: [Float] = []
    for row in batch.rows {
      guard let place = places[row] else { preconditionFailure("a row that was not asked about") }
      known += output.logits[2 * place..<2 * place + 2]
    }
    var labels = batch.labels
    if !usesLabels {
      labels = labels.indices.map { known[2 * $0 + 1] >= known[2 * $0] ? 1 : 0 }
    }
    return (
      LabelledLogits(logits: logits, classes: 2, labels: labels, groups: batch.groups), known
    )
  }
}
