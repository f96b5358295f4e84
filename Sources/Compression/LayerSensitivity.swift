import Faces
import Fairness
public import Graphs
import Tensors

/// What compressing one layer alone does to decisions, group by group.
///
/// The weights of one layer are stored by the scheme while all others stay as they are, and real
/// passes show what becomes of every margin, the logit of class 1 less that of class 0. Layers of a
/// network are not independent: what all of them do together is more or less than the sum.
public struct LayerSensitivity: Hashable, Codable, Sendable {
  /// The people of one group and label.
  public struct Cell: Hashable, Codable, Sendable {
    /// The group's name.
    public var group: String
    /// 1 or 0.
    public var label: Int
    /// How many people there are.
    public var count: Int
    /// How many of them only the float model calls positive.
    public var lost: Int
    /// How many of them only the changed model calls positive.
    public var gained: Int
    /// The mean change of the margin; `nil` without people.
    public var shift: Double?
    /// The lower end of Student's 95 % interval; `nil` with fewer than two people.
    public var shiftLow: Double?
    /// The upper end.
    public var shiftHigh: Double?

    init(_ group: String, _ label: Int, margins: [Float], deltas: [Float]) {
      (self.group, self.label) = (group, label)
      count = margins.count
      let changes = zip(margins, deltas)
      lost = changes.count { $0 >= 0 && $0 + $1 < 0 }
      gained = changes.count { $0 < 0 && $0 + $1 >= 0 }
      let values = deltas.map(Double.init)
      if let mean = Estimate.mean(of: values) {
        (shift, shiftLow, shiftHigh) = (mean.value, mean.interval.low, mean.interval.high)
      } else {
        shift = values.first
      }
    }
  }

  /// One layer.
  public struct Layer: Hashable, Codable, Sendable {
    /// The node's name.
    public var layer: String
    /// How many weights it has.
    public var weights: Int
    /// The bytes that they take when stored so.
    public var bytes: Int
    /// Every group and label, label 1 first.
    public var cells: [Cell]
  }

  /// How the layer's weights are stored; of `int8` the weights alone, since activations lie between
  /// layers.
  public var scheme: String
  /// The number of rows.
  public var rows: Int
  /// The layers in the order of the network.
  public var layers: [Layer]

  /// Measures every layer of `graph`.
  ///
  /// - Parameters:
  ///   - graph: The float model, of two classes.
  ///   - scheme: One step that stores weights: `int8`, `kmeans:K` or `uniform:B`.
  ///   - int8: Which integers int8 weights use.
  ///   - images: The data.
  ///   - rows: The rows that are measured, at least one.
  ///   - progress: Told how many passes are done, and of how many.
  /// - Returns: Every layer with every group and label.
  /// - Throws: ``CompressionError`` when graph, scheme and data do not go together, and what reading
  ///   images and running graphs throws.
  public static func measure(
    _ graph: Graph, scheme: Scheme, int8: Int8Settings = Int8Settings(),
    on images: CompressionImages, rows: [Int], progress: @escaping (Int, Int) -> Void = { _, _ in }
  ) throws -> LayerSensitivity {
    guard scheme.steps.count == 1 else {
      throw CompressionError(
        "scheme '\(scheme)'", "does several things; layers are compared by one")
    }
    guard !rows.isEmpty else { throw CompressionError(images.dataset.folder, "has no such rows") }
    guard images.dataset.classNames.count == 2 else {
      throw CompressionError(
        images.dataset.folder, "has \(images.dataset.classNames.count) classes, expected 2")
    }
    let work = try CompressionWork(graph, int8: int8)
    let measurement = DeltaMeasurement(
      work: work, images: images, steps: scheme.steps, units: work.weightNames.map { [$0] },
      progress: progress)
    let table = try measurement.table(
      scheme.steps[0] is Int8Step
        ? int8Weights(of: work, grid: int8.weightGrid) : measurement.coded(),
      rows: rows)
    return LayerSensitivity(
      table, scheme: "\(scheme)", graph: work.float, groups: images.dataset.groupNames)
  }

  init(_ table: DeltaTable, scheme: String, graph: Graph, groups: [String]) {
    self.scheme = scheme
    rows = table.margins.count
    let members = (0..<2 * groups.count).map { cell in
      table.cells.indices.filter { table.cells[$0] == cell }
    }
    layers = table.units.map { unit in
      let choice = unit.choices[0]
      let node = graph.nodes.first { !Set($0.inputs).isDisjoint(with: unit.tensors) }
      return Layer(
        layer: node?.name ?? unit.tensors[0],
        weights: unit.tensors.reduce(0) { $0 + (graph.initializers[$1]?.count ?? 0) },
        bytes: choice.bytes,
        cells: groups.indices.flatMap { group in
          [1, 0].map { label in
            let rows = members[2 * group + label]
            return Cell(
              groups[group], label, margins: rows.map { table.margins[$0] },
              deltas: rows.map { choice.deltas[$0] })
          }
        })
    }
  }

  /// Every layer's weights as an int8 model has them.
  private static func int8Weights(
    of work: CompressionWork, grid: ChannelQuantization.Grid
  ) -> [[[String: CodedWeights]]] {
    work.weightNames.map { name in
      guard let tensor = work.float.initializers[name] else { return [[:]] }
      let found = ChannelQuantization.symmetric(tensor, grid: grid)
      return [
        [
          name: CodedWeights(
            shape: tensor.shape, bits: 8, codes: found.integers.map { UInt8(Int($0) + 128) },
            meaning: .affine(
              scales: found.scales, zeroPoints: [UInt8](repeating: 128, count: found.scales.count)))
        ]
      ]
    }
  }
}
