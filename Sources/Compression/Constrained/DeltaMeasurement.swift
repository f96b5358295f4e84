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

  /// The rows on which choices that leave nothing of the decisions are found out.
  static let firstRows = 512

  /// Neighbouring tensors together until they have a fiftieth of all weights: the first layers are
  /// the smallest, and measuring them costs the longest passes.
  static func units(of work: CompressionWork) -> [[String]] {
    let names = work.weightNames
    let sizes = names.map { work.float.initializers[$0]?.count ?? 0 }
    let enough = max(1, sizes.reduce(0, +) / 50)
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
      guard !(step is FilterStep), !(step is MixedStep) else {
        throw CompressionError("choice '\(step)'", "is no way to store one tensor by itself")
      }
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
    let cuts = NetworkCuts(work.float)
    let input = work.float.inputs[0].name
    let shapes = try work.float.inferShapes(inputs: [input: [1] + images.preprocessing.shape])
    let starts = units.map { names in
      let first = work.float.nodes.firstIndex { node in node.inputs.contains { names.contains($0) }
      }
      return cuts.cut(before: first ?? 0)
    }
    let widest = starts.map { shapes[cuts.cuts[$0].tensor]?.count ?? 0 }.max() ?? 0
    // What crosses a cut is kept for as many rows as fit into 800 MB.
    let chunk = max(1, 200_000_000 / max(1, widest))
    var margins: [Float] = []
    var deltas = units.map { _ in steps.map { _ in [Float]() } }
    // What is measured: after the first rows not those that leave nothing of the decisions.
    var remaining = units.map { _ in Array(steps.indices) }
    var done = 0
    var from = 0
    while from < rows.count {
      let count = from == 0 ? min(Self.firstRows, chunk) : chunk
      let members = Array(rows[from..<min(rows.count, from + count)])
      from += members.count
      var activations = try images.pixels(of: members)
      var position = 0
      let base = try cuts.part(from: 0, to: nil, shapes: shapes)
        .results(for: activations, shape: shapes[input], rows: members.count)
      let float = Self.margins(base)
      margins += float
      for unit in units.indices {
        if starts[unit] != position {
          activations = try cuts.part(from: position, to: starts[unit], shapes: shapes).results(
            for: activations, shape: shapes[cuts.cuts[position].tensor], rows: members.count)
          position = starts[unit]
        }
        let plain = cuts.part(from: position, to: nil, shapes: shapes)
        for step in remaining[unit] {
          var changed = plain
          for (name, weights) in coded[unit][step] { changed.initializers[name] = weights.decoded }
          let logits = try changed.results(
            for: activations, shape: shapes[cuts.cuts[position].tensor], rows: members.count)
          deltas[unit][step] += zip(Self.margins(logits), float).map { $0 - $1 }
          done += members.count
          let expected =
            done + (rows.count - from) * remaining.reduce(0) { $0 + $1.count }
            + members.count * remaining[(unit + 1)...].reduce(0) { $0 + $1.count }
          progress(done, expected)
        }
      }
      if margins.count == members.count {
        remaining = remaining.indices.map { unit in
          Self.worthwhile(remaining[unit].map { ($0, deltas[unit][$0]) }, margins: margins)
        }
      }
    }
    return DeltaTable(
      margins: margins,
      cells: rows.map { images.dataset.groups[$0] * 2 + images.dataset.labels[$0] },
      groups: images.dataset.groupNames.count,
      units: try units.indices.map { unit in
        let choices = try remaining[unit].map { step in
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

  /// The steps of a unit whose changes are smaller than the margins differ among themselves; the
  /// one with the smallest changes, where none is.
  static func worthwhile(_ found: [(step: Int, deltas: [Float])], margins: [Float]) -> [Int] {
    func square(_ values: [Float]) -> Double {
      values.reduce(0) { $0 + Double($1) * Double($1) } / Double(max(1, values.count))
    }
    let mean = margins.reduce(0, +) / Float(max(1, margins.count))
    let spread = square(margins.map { $0 - mean })
    let sizes = found.map { (step: $0.step, square: square($0.deltas)) }
    let kept = sizes.filter { $0.square <= spread }
    return kept.isEmpty
      ? sizes.min { $0.square < $1.square }.map { [$0.step] } ?? [] : kept.map(\.step)
  }

  /// How far the logit of class 1 is above that of class 0.
  static func margins(_ logits: [Float]) -> [Float] {
    (0..<logits.count / 2).map { logits[2 * $0 + 1] - logits[2 * $0] }
  }
}
