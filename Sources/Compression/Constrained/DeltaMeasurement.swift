import Execution
import Faces
import Graphs
import Tensors

/// Measures a ``DeltaTable`` with real passes of the engine.
struct DeltaMeasurement {
  let work: CompressionWork
  let images: CompressionImages
  /// The steps to try for every unit.
  let steps: [any CompressionStep]
  /// The names of the tensors of every unit.
  let units: [[String]]
  /// Told how many passes are done, and of how many.
  var progress: (Int, Int) -> Void = { _, _ in }

  /// Neighbouring tensors together until they have a hundredth of all weights.
  static func units(of work: CompressionWork) -> [[String]] {
    let names = work.weightNames
    let sizes = names.map { work.float.initializers[$0]?.count ?? 0 }
    let enough = max(1, sizes.reduce(0, +) / 100)
    var units: [[String]] = []
    var (open, size) = ([String](), 0)
    for (name, count) in zip(names, sizes) {
      open.append(name)
      size += count
      if size >= enough {
        units.append(open)
        (open, size) = ([], 0)
      }
    }
    // What is left at the end is as small as the first layers, and as close to the logits.
    if !open.isEmpty { units.append(open) }
    return units
  }

  /// The weights of every unit and step as they would be stored.
  func coded() throws -> [[[String: CodedWeights]]] {
    var all: [[[String: CodedWeights]]] = units.map { _ in [] }
    for step in steps {
      var stored = work
      try step.apply(to: &stored)
      for (unit, names) in units.enumerated() {
        all[unit].append(stored.coded.filter { names.contains($0.key) })
      }
    }
    return all
  }

  /// The table for `rows`, at least one.
  func table(_ coded: [[[String: CodedWeights]]], rows: [Int]) throws -> DeltaTable {
    let size = images.preprocessing.size
    let cuts = NetworkCuts(work.float)
    let input = work.float.inputs[0].name
    let shapes = try work.float.inferShapes(inputs: [input: [1, 3, size, size]])
    let starts = units.map { names in
      let first = work.float.nodes.firstIndex { node in node.inputs.contains { names.contains($0) }
      }
      return cuts.cut(before: first ?? 0)
    }
    let widest = starts.map { shapes[cuts.cuts[$0].tensor]?.count ?? 0 }.max() ?? 0
    // What crosses a cut is kept for as many rows as fit into 400 MB.
    let chunk = max(1, min(rows.count, 100_000_000 / max(1, widest)))
    var margins: [Float] = []
    var deltas = units.map { _ in steps.map { _ in [Float]() } }
    let passes = (rows.count + chunk - 1) / chunk * units.count * steps.count
    var done = 0
    for from in stride(from: 0, to: rows.count, by: chunk) {
      let members = Array(rows[from..<min(rows.count, from + chunk)])
      var activations = try pixels(members)
      var position = 0
      let base = try run(
        cuts.part(from: 0, to: nil, shapes: shapes), activations, shapes[input], members.count)
      let float = Self.margins(base)
      margins += float
      for unit in units.indices {
        if starts[unit] != position {
          activations = try run(
            cuts.part(from: position, to: starts[unit], shapes: shapes), activations,
            shapes[cuts.cuts[position].tensor], members.count)
          position = starts[unit]
        }
        let plain = cuts.part(from: position, to: nil, shapes: shapes)
        for step in steps.indices {
          var changed = plain
          for (name, weights) in coded[unit][step] { changed.initializers[name] = weights.decoded }
          let logits = try run(
            changed, activations, shapes[cuts.cuts[position].tensor], members.count)
          deltas[unit][step] += zip(Self.margins(logits), float).map { $0 - $1 }
          done += 1
          progress(done, passes)
        }
      }
    }
    return DeltaTable(
      margins: margins,
      cells: rows.map { images.dataset.groups[$0] * 2 + images.dataset.labels[$0] },
      groups: images.dataset.groupNames.count,
      units: try units.indices.map { unit in
        let choices = try steps.indices.map { step in
          DeltaTable.Choice(
            step: "\(steps[step])", bytes: try bytes(of: coded[unit][step]),
            deltas: deltas[unit][step])
        }
        return DeltaTable.Unit(
          tensors: units[unit],
          choices: choices.sorted { ($0.bytes, $0.step) < ($1.bytes, $1.step) })
      })
  }

  /// The bytes that storing some tensors adds to a file.
  private func bytes(of coded: [String: CodedWeights]) throws -> Int {
    var total = 0
    for (name, weights) in coded {
      let graph = Graph(
        name: "", inputs: [], outputs: [Value(name, shape: weights.shape)],
        nodes: [
          Node("", .identity, inputs: [name], outputs: ["\(name)'"])
        ], initializers: [name: weights.decoded])
      let packed = try WeightPacking(coded: [name: weights]).rewrite(graph)
      let shared = packed.initializers.filter { $0.key.hasPrefix("unpack.") }
        .reduce(0) { $0 + $1.value.bytes.count + $1.key.utf8.count + 12 }
      total += try ONNXFile.bytes(of: packed).count - shared
    }
    return total
  }

  /// All images of `rows`, prepared, one after the other.
  private func pixels(_ rows: [Int]) throws -> [Float] {
    var options = BatchLoader.Options()
    options.batchSize = 64
    options.preprocessing = images.preprocessing
    options.cacheBytes = 0
    let loader = BatchLoader(images.dataset, rows: rows, options: options, epochs: 0..<1)
    let size = images.preprocessing.size
    var pixels: [Float] = []
    pixels.reserveCapacity(rows.count * 3 * size * size)
    while let batch = try loader.next() {
      pixels += batch.images.prefix(batch.count * 3 * size * size)
    }
    return pixels
  }

  /// The output of `graph` for every row of `values`.
  private func run(
    _ graph: Graph, _ values: [Float], _ type: TensorType?, _ rows: Int
  ) throws -> [Float] {
    let shape = Array((type?.shape ?? []).dropFirst())
    let perRow = shape.reduce(1, *)
    let batch = min(64, rows)
    let session = try InferenceSession(graph, batch: batch, inputShape: shape)
    let perResult = session.outputs[0].shape.dropFirst().reduce(1) { $0 * ($1 ?? 1) }
    var results: [Float] = []
    results.reserveCapacity(rows * perResult)
    for start in stride(from: 0, to: rows, by: batch) {
      let count = min(batch, rows - start)
      var part = Array(values[start * perRow..<(start + count) * perRow])
      if count < batch { part += [Float](repeating: 0, count: (batch - count) * perRow) }
      try session.run(part)
      results += try session.output(0).prefix(count * perResult)
    }
    return results
  }

  /// How far the logit of class 1 is above that of class 0.
  static func margins(_ logits: [Float]) -> [Float] {
    (0..<logits.count / 2).map { logits[2 * $0 + 1] - logits[2 * $0] }
  }
}
