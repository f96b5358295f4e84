import Graphs
import OneDNN
import Tensors

extension CompressionWork {
  /// Makes sure that what is stored can be rounded as the settings say.
  ///
  /// - Throws: ``CompressionError`` at `place` where it cannot.
  func checkRounding(of place: String) throws(CompressionError) {
    guard weights.rounding != .nearest else { return }
    guard !coded.isEmpty else {
      throw CompressionError(place, "stores no weights that could be rounded in other ways")
    }
    guard weights.rounding.isUpOrDown else { return }
    for stored in coded.values {
      guard case .affine = stored.meaning else {
        throw CompressionError(
          place,
          "has no even grid to round up or down on: \(weights.rounding.rawValue) is for uniform:B "
            + "and mixed:B")
      }
    }
  }

  /// Chooses anew which of their stored values the weights take, so that what layers write changes
  /// least on the images of `probe`.
  ///
  /// Layer by layer in the order of the graph, each with the inputs that the layers before it give as
  /// they are stored by then. Scales, zero points and codebooks stay as they are, and so does the
  /// length of the file.
  ///
  /// - Throws: ``CompressionError`` for layers that cannot be laid out, and what running graphs throws.
  mutating func round(with probe: some TensorProbe) throws {
    let products = try MatrixProducts()
    for name in weightNames {
      guard var stored = coded[name], let real = float.initializers[name]?.floats else { continue }
      let inputs = try inputs(of: name, shape: stored.shape, with: probe, products)
      let (groups, size) = (inputs.moments.count, inputs.size)
      let outputs = stored.shape[0] / groups
      let grid = StorageGrid(stored, isAffine: weights.isAffine)
      var (codes, values) = (stored.everyCode, stored.decoded.floats)
      for group in 0..<groups {
        let members = group * outputs * size..<(group + 1) * outputs * size
        let channels = try rounded(
          Array(real[members]), stored: Array(values[members]),
          kept: stored.kept.map { Array($0[members]) }, grid: grid,
          outputs: group * outputs..<(group + 1) * outputs, moments: inputs.moments[group],
          size: size, products)
        for (output, channel) in channels.enumerated() {
          guard let chosen = channel.codes else { continue }
          let first = members.lowerBound + output * size
          codes.replaceSubrange(first..<first + size, with: chosen)
          values.replaceSubrange(first..<first + size, with: channel.values)
        }
      }
      stored.replace(codes: codes, values: values)
      store(stored, as: name)
    }
  }

  /// The output channels of one group, rounded as the settings say.
  private func rounded(
    _ real: [Float], stored: [Float], kept: [Bool]?, grid: StorageGrid, outputs: Range<Int>,
    moments: AlignedBuffer<Float>, size: Int, _ products: MatrixProducts
  ) throws -> [RoundedChannel] {
    if weights.rounding == .adaround {
      return try AdaRound(products: products).round(
        real, stored: stored, grids: outputs.compactMap { grid.even(output: $0) },
        moments: moments, size: size)
    }
    return try ErrorFeedback(products: products).round(
      real, stored: stored, kept: kept, grid: grid, first: outputs.lowerBound, moments: moments,
      size: size)
  }

  /// The second moments of what is multiplied with the weights called `name`, in the graph as it is.
  private func inputs(
    of name: String, shape: [Int], with probe: some TensorProbe, _ products: MatrixProducts
  ) throws -> LayerInputs {
    let readers = BiasCorrection.layers(of: graph).filter { graph.nodes[$0].inputs[1] == name }
    let shapes = try graph.inferShapes(inputs: [graph.inputs[0].name: [1] + probe.imageShape])
    var inputs = try LayerInputs(of: graph.nodes[readers[0]], weights: shape, products: products)
    for reader in readers {
      let tensor = graph.nodes[reader].inputs[0]
      let perImage = Array((shapes[tensor]?.shape ?? []).dropFirst())
      try probe.run(graph, showing: [tensor]) { _, values, images in
        try inputs.add(values, shape: [images] + perImage)
      }
    }
    inputs.finish()
    return inputs
  }
}

extension CodedWeights {
  /// The code of every weight; zero where a weight is not stored or has none.
  var everyCode: [UInt8] {
    if case .halves = meaning { return [UInt8](repeating: 0, count: shape.reduce(1, *)) }
    guard let kept else { return codes }
    var next = codes.makeIterator()
    return kept.map { $0 ? next.next() ?? 0 : 0 }
  }

  /// Takes other codes, or other numbers where there are no codes; one for every weight.
  mutating func replace(codes all: [UInt8], values: [Float]) {
    func stored<Element>(_ every: [Element]) -> [Element] {
      guard let kept else { return every }
      return every.indices.filter { kept[$0] }.map { every[$0] }
    }
    if case .halves(let old) = meaning {
      meaning = .halves(Tensor(halves: stored(values), shape: old.shape))
    } else {
      codes = stored(all)
    }
  }
}
