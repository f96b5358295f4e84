import Foundation
import Graphs
import Tensors

/// `mixed:B`: even grids whose width is chosen for every tensor, B bits a weight on average.
public struct MixedStep: CompressionStep {
  /// The word on the command line.
  public static let name = "mixed"
  /// The word with its parameter.
  public static let usage = "mixed:B (B from 2 to 8, the bits of a weight on average)"
  /// When it is done.
  public static let order = 2
  /// Whether the step looks at images; with a sensitivity it does all the same.
  public var needsImages: Bool { false }
  /// The text on the command line.
  public var description: String {
    "\(Self.name):\(bits == bits.rounded() ? "\(Int(bits))" : "\(bits)")"
  }
  /// How many bits a weight has on average, at most.
  public var bits: Double

  /// The widths to choose from.
  static let widths = [2, 3, 4, 5, 6, 8]

  /// Reads the parameter.
  public init(_ parameter: String?) throws(CompressionError) {
    guard let parameter, let bits = Double(parameter), bits >= 2, bits <= 8 else {
      throw CompressionError(
        Self.name, "mixed has '\(parameter ?? "")' bits, expected a number from 2 to 8")
    }
    self.bits = bits
  }

  /// Does it.
  public func apply(to work: inout CompressionWork) throws {
    guard work.kept.isEmpty else {
      throw CompressionError("scheme", "prune goes with kmeans or stands alone, not with mixed")
    }
    let names = work.weightNames
    let sensitivity = work.weights.sensitivity
    let fisher =
      sensitivity == .none || sensitivity == .hessian
      ? nil
      : try work.fisherInformation(
        of: names, for: "sensitivity", everyGroup: sensitivity != .fisher)
    let tensors = names.compactMap { work.graph.initializers[$0] }
    let counts = tensors.map(\.count)
    let curvatures =
      sensitivity == .hessian
      ? try work.hessianTraces(of: names).meanCurvatures(of: names, counts: counts)
      : names.map { _ in 1 }
    let budget = Int(bits * Double(counts.reduce(0, +)))
    let isAffine = work.weights.isAffine
    if let fisher, sensitivity == .fairquant {
      let importance = GroupImportance.importance(
        fisher.squares.map { own in names.map { own[$0] ?? [] } }, tensors.map(\.floats))
      let widths = GroupImportance.widths(importance, counts: counts, budget: budget)
      for (i, name) in names.enumerated() {
        work.store(
          UniformQuantization(bits: widths[i], isAffine: isAffine).code(tensors[i]), as: name)
      }
      return
    }
    let coded = tensors.map { tensor in
      Self.widths.map { UniformQuantization(bits: $0, isAffine: isAffine).code(tensor) }
    }
    // The error of every group, for every tensor and width; of a single group without a sensitivity.
    let errors = names.indices.map { i in
      coded[i].map { stored in
        Self.errors(of: stored.decoded.floats, from: tensors[i].floats, fisher, names[i])
          .map { curvatures[i] * $0 }
      }
    }
    let choices = Self.choices(
      errors, sizes: counts.map { count in Self.widths.map { $0 * count } }, budget: budget,
      shares: fisher.map { sensitivity == .fisher ? $0.pooledShares : $0.equalShares } ?? [1],
      rounds: sensitivity == .minimax ? 20 : 1)
    for (i, name) in names.enumerated() { work.store(coded[i][choices[i]], as: name) }
  }

  /// The squared errors of stored weights: weighted by every group's gradients, whose squares are taken
  /// as shares of their sum, or not at all.
  private static func errors(
    of stored: [Float], from real: [Float], _ fisher: FisherInformation?, _ name: String
  ) -> [Double] {
    guard let fisher else {
      return [zip(stored, real).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }]
    }
    return fisher.errors(of: [name: stored], from: [name: real])
  }

  /// The widths that make the groups' errors smallest, counting as `shares` say.
  ///
  /// In every round but the first the share of a group grows with its part of the errors; the round
  /// whose largest error is smallest counts (multiplicative weights, as in ``SensitiveClustering``).
  ///
  /// - Parameters:
  ///   - errors: By tensor, width and group.
  ///   - sizes: The bits of every tensor with every width.
  ///   - budget: The bits that there are, no fewer than the smallest widths take.
  ///   - shares: How much groups count at first.
  ///   - rounds: How many rounds there are.
  /// - Returns: The number of the width of every tensor.
  static func choices(
    _ errors: [[[Double]]], sizes: [[Int]], budget: Int, shares: [Double], rounds: Int
  ) -> [Int] {
    var shares = shares
    var best: (largest: Double, choices: [Int])?
    for _ in 0..<rounds {
      let allocation = BitAllocation(
        sizes: sizes,
        errors: errors.map { $0.map { zip($0, shares).reduce(0) { $0 + $1.0 * $1.1 } } })
      guard let found = allocation.best(within: budget) else {
        preconditionFailure("the smallest widths fit")
      }
      let sums = shares.indices.map { group in
        zip(errors, found).reduce(0) { $0 + $1.0[$1.1][group] }
      }
      let largest = sums.max() ?? 0
      if best.map({ largest < $0.largest }) ?? true { best = (largest, found) }
      let mean = sums.reduce(0, +) / Double(max(1, sums.count))
      guard mean > 0 else { break }
      shares = zip(shares, sums).map { $0 * exp($1 / mean - 1) }
      let all = shares.reduce(0, +)
      shares = shares.map { $0 / all }
    }
    return best?.choices ?? []
  }
}
