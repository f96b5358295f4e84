import Graphs
import Tensors

/// The numbers that the weights of a tensor may become without a change of scales or codebooks.
struct StorageGrid: Sendable {
  /// `(code - zero) × scale` for the codes from `bottom` to `top`.
  struct Even: Sendable {
    var scale: Float
    var zero: Float
    var bottom: Float
    var top: Float
  }

  private enum Kind: Sendable {
    case even(Even)
    /// Entries in ascending order with their codes, and what they are multiplied with.
    case entries([Float], codes: [UInt8], scale: Float)
    /// Every number of half precision; there are no codes.
    case halves
  }

  private let kinds: [Kind]
  private let perKind: Int

  /// The grid of `coded`.
  ///
  /// - Parameters:
  ///   - coded: Stored weights.
  ///   - isAffine: Whether the lowest code of an even grid is used.
  init(_ coded: CodedWeights, isAffine: Bool) {
    let outputs = max(1, coded.shape.first ?? 1)
    switch coded.meaning {
    case .affine(let scales, let zeroPoints):
      let top = Float(1 << coded.bits - 1)
      kinds = zip(scales, zeroPoints).map { scale, zero in
        // A channel of zeros has no grid but its zero.
        .even(
          Even(
            scale: scale, zero: Float(zero), bottom: isAffine || zero == 0 ? 0 : 1, top: top))
      }
    case .codebook(let codebook):
      let (groups, size) = (codebook.entries.shape[0], codebook.entries.shape[1])
      let scales = codebook.scales ?? [1]
      let entries =
        codebook.entries.elementType == .int8
        ? codebook.entries.values(as: Int8.self).map { Float($0) }
        : codebook.entries.widened?.floats ?? []
      kinds = (0..<max(groups, scales.count)).map { i in
        let group = i * groups / max(groups, scales.count)
        let own = Array(entries[group * size..<(group + 1) * size])
        let order = own.indices.sorted { (own[$0], $0) < (own[$1], $1) }
        return .entries(
          order.map { own[$0] }, codes: order.map { UInt8($0) },
          scale: scales[i * scales.count / max(groups, scales.count)])
      }
    case .halves: kinds = [.halves]
    }
    perKind = max(1, outputs / max(1, kinds.count))
  }

  /// The even grid of an output channel; `nil` where it has none.
  func even(output: Int) -> Even? {
    if case .even(let grid) = kinds[min(output / perKind, kinds.count - 1)] { grid } else { nil }
  }

  /// The code whose value is nearest to `target` in an output channel, and that value.
  func nearest(to target: Float, output: Int) -> (code: UInt8, value: Float) {
    switch kinds[min(output / perKind, kinds.count - 1)] {
    case .even(let grid):
      let steps = (target / grid.scale).rounded(.toNearestOrEven)
      let code = min(max(steps + grid.zero, grid.bottom), grid.top)
      return (UInt8(code), (code - grid.zero) * grid.scale)
    case .entries(let entries, let codes, let scale):
      let wanted = target / scale
      var (low, high) = (0, entries.count - 1)
      while low < high {
        let middle = (low + high) / 2
        let border = (Double(entries[middle]) + Double(entries[middle + 1])) / 2
        if Float(border) < wanted { low = middle + 1 } else { high = middle }
      }
      return (codes[low], entries[low] * scale)
    case .halves: return (0, Float(Float16(target)))
    }
  }
}
