import Graphs
import OneDNN

/// Finds the scale and zero point of every activation by running the float graph.
struct Calibration {
  /// How ranges are estimated.
  var observer: ObserverKind
  /// Which integers activations use.
  var grid: ClosedRange<Int>

  /// The parameters of every observed tensor of `sites`; tensors of a sum have one scale.
  ///
  /// - Throws: ``CompressionError`` when a tensor holds values that are not finite.
  func parameters(
    of graph: Graph, at sites: ActivationSites, with probe: some TensorProbe
  ) throws -> [String: QuantizationParameters] {
    var observers = sites.observed.map { _ in observer.makeObserver() }
    try probe.run(graph, showing: sites.observed) { tensor, values, _ in
      guard allFinite(values) else {
        throw CompressionError(
          "tensor '\(sites.observed[tensor])'", "holds values that are not finite numbers")
      }
      observers[tensor].observe(values)
    }
    let ranges = Self.ranges(of: observers, levels: grid.count)
    var result: [String: QuantizationParameters] = [:]
    for (tensor, range) in zip(sites.observed, ranges) {
      guard let range else {
        throw CompressionError("tensor '\(tensor)'", "had no values to calibrate with")
      }
      result[tensor] = QuantizationParameters(affine: range, grid: grid)
    }
    return sites.sharingScales(result)
  }

  /// The ranges of all observers; the searches take a while, so they run side by side.
  private static func ranges(of observers: [any Observer], levels: Int) -> [ValueRange?] {
    [ValueRange?](unsafeUninitializedCapacity: observers.count) { buffer, count in
      buffer.initialize(repeating: nil)
      nonisolated(unsafe) let slots = buffer  // each piece writes its own element
      Parallel.pieces(observers.count) { slots[$0] = observers[$0].range(levels: levels) }
      count = observers.count
    }
  }
}
