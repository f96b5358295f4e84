public import Tensors

/// Which weights are set to zero because they are small.
public struct MagnitudePruning: Sendable {
  /// How weights are compared.
  public enum Scope: String, Hashable, Codable, Sendable, CaseIterable {
    /// With all weights of the network.
    case global
    /// With those of the same layer.
    case layer
    /// Two of every four neighbours stay, whatever the share asked for.
    case twoOfFour
  }

  /// The share of weights to drop, from 0 to below 1.
  public var sparsity: Double
  /// How weights are compared.
  public var scope: Scope

  /// A pruning as given.
  public init(sparsity: Double, scope: Scope = .global) {
    self.sparsity = sparsity
    self.scope = scope
  }

  /// For every tensor which weights stay; of equal ones the earlier stay, tensors in order.
  public func kept(_ tensors: [Tensor]) -> [[Bool]] {
    let values = tensors.map(\.floats)
    switch scope {
    case .twoOfFour: return values.map(Self.twoOfFour)
    case .layer: return values.map { Self.largest(of: [$0], dropping: sparsity)[0] }
    case .global: return Self.largest(of: values, dropping: sparsity)
    }
  }

  private static func largest(of values: [[Float]], dropping share: Double) -> [[Bool]] {
    let magnitudes = values.joined().map { $0.magnitude }.sorted(by: >)
    // A tensor of nothing but zeros could not be stored.
    let wanted = max(1, magnitudes.count - Int(Double(magnitudes.count) * share))
    guard wanted < magnitudes.count else { return values.map { $0.map { _ in true } } }
    let limit = magnitudes[wanted - 1]
    let above = magnitudes.firstIndex(of: limit) ?? 0
    var ties = wanted - above
    return values.map { tensor in
      var kept = tensor.map { value -> Bool in
        if value.magnitude == limit, ties > 0 {
          ties -= 1
          return true
        }
        return value.magnitude > limit
      }
      if !kept.contains(true), !kept.isEmpty {
        let largest = tensor.indices.max { tensor[$0].magnitude < tensor[$1].magnitude } ?? 0
        kept[largest] = true
      }
      return kept
    }
  }

  private static func twoOfFour(_ values: [Float]) -> [Bool] {
    var kept = [Bool](repeating: true, count: values.count)
    for start in stride(from: 0, to: values.count / 4 * 4, by: 4) {
      let order = (start..<start + 4).sorted {
        (values[$1].magnitude, $0) < (values[$0].magnitude, $1)
      }
      for i in order.suffix(2) { kept[i] = false }
    }
    return kept
  }
}
