internal import Foundation
public import Files
internal import Synchronization

extension AnnotationModel {
  /// Fits the model to an annotation with all of CelebA's 40 attributes.
  ///
  /// Coefficients are rounded to three digits, as they are written.
  ///
  /// - Parameters:
  ///   - annotations: The rows; CelebA has 202 599.
  ///   - identityCount: The number of people on these rows; by default in CelebA's proportion.
  /// - Returns: The model.
  /// - Throws: `FileError` when an attribute is missing, or a combination of `Male` and
  ///   `Attractive` never occurs.
  public static func fit(
    _ annotations: Annotations, identityCount: Int? = nil
  ) throws(FileError) -> AnnotationModel {
    let rows = try annotations.celebARows()
    let order =
      [.young] + FaceAttribute.allCases.filter { ![.young, .male, .attractive].contains($0) }
    // Attribute k of the order is bit 63 - k, so that sorting brings equal beginnings together.
    func bits(_ row: [Bool]) -> UInt64 {
      order.enumerated().reduce(0) { $0 | (row[$1.element] ? 1 << (63 - UInt64($1.offset)) : 0) }
    }
    let kinds = [(false, false), (false, true), (true, false), (true, true)]
    let parts = kinds.map { isMale, isAttractive in
      rows.filter { $0[.male] == isMale && $0[.attractive] == isAttractive }.map(bits).sorted()
    }
    for (kind, part) in zip(kinds, parts) where part.isEmpty {
      throw FileError(
        annotations.path,
        "has no row with Male \(kind.0 ? 1 : -1) and Attractive \(kind.1 ? 1 : -1)")
    }
    let fitted = Mutex(parts.map { _ in Array(repeating: [Double](), count: order.count) })
    DispatchQueue.concurrentPerform(iterations: parts.count * order.count) { job in
      // The long ones first, so that threads end together.
      let (k, part) = (order.count - 1 - job / parts.count, job % parts.count)
      let weights = LogisticRegression(of: k, in: parts[part]).fit()
      fitted.withLock { $0[part][k] = weights.map { ($0 * 1000).rounded() / 1000 } }
    }
    let weights = fitted.withLock { $0 }
    let people = Double(rows.count) * Double(celebAIdentityCount) / 202_599
    return AnnotationModel(
      rowCount: rows.count, identityCount: identityCount ?? max(1, Int(people.rounded())),
      order: order,
      strata: kinds.indices.map { part in
        let rate = Double(parts[part].count) / Double(rows.count)
        return Stratum(
          isMale: kinds[part].0, isAttractive: kinds[part].1,
          rate: (rate * 1e6).rounded() / 1e6, weights: weights[part])
      })
  }
}

/// A logistic regression of one bit on the bits before it, over rows that are sorted.
///
/// Newton's method on the penalised likelihood; halves a step that does not raise it.
///
/// Source: T. Hastie, R. Tibshirani, J. Friedman, *The Elements of Statistical Learning*, 2nd
/// edition, section 4.4.1.
struct LogisticRegression {
  /// The penalty `ridge / 2 * weight^2`, so that weights of what never occurs stay finite.
  static let ridge = 0.5
  static let interceptRidge = 0.01

  /// Rows with the same predictors.
  private struct Pattern {
    var present: Range<Int>
    var count = 0.0
    var positives = 0.0
  }

  private let size: Int
  private var patterns: [Pattern] = []
  /// Which predictors each pattern has; 0 is the constant.
  private var indices: [Int32] = []

  /// Gathers the equal beginnings of `rows`, whose bit `63 - k` is the outcome.
  ///
  /// - Precondition: `rows` is sorted and not empty.
  init(of k: Int, in rows: [UInt64]) {
    size = k + 1
    let mask = k == 0 ? 0 : ~UInt64(0) << (64 - UInt64(k))
    var last: UInt64?
    for row in rows {
      if row & mask != last {
        last = row & mask
        let start = indices.count
        indices.append(0)
        for bit in 0..<k where row >> (63 - UInt64(bit)) & 1 == 1 { indices.append(Int32(bit + 1)) }
        patterns.append(Pattern(present: start..<indices.count))
      }
      patterns[patterns.count - 1].count += 1
      patterns[patterns.count - 1].positives += Double(row >> (63 - UInt64(k)) & 1)
    }
  }

  /// The weights that make the penalised likelihood largest.
  func fit() -> [Double] {
    var weights = [Double](repeating: 0, count: size)
    let positives = patterns.reduce(0.5) { $0 + $1.positives }
    let total = patterns.reduce(1) { $0 + $1.count }
    weights[0] = log(positives / (total - positives))
    var now = derivatives(weights)
    for _ in 0..<50 {
      let step = solve(now.hessian, now.gradient)
      var length = 1.0
      var next = now
      var trial = weights
      while true {
        trial = zip(weights, step).map { $0 + length * $1 }
        next = derivatives(trial)
        if next.likelihood >= now.likelihood || length < 1e-6 { break }
        length /= 2
      }
      let moved = step.reduce(0) { max($0, abs($1)) } * length
      weights = trial
      now = next
      // A tenth of the last digit that is kept.
      if moved < 1e-4 { break }
    }
    return weights
  }

  /// The penalised log-likelihood, its gradient and minus its matrix of second derivatives.
  private func derivatives(_ weights: [Double])
    -> (likelihood: Double, gradient: [Double], hessian: [Double])
  {
    var likelihood = 0.0
    var gradient = [Double](repeating: 0, count: size)
    var hessian = [Double](repeating: 0, count: size * size)
    for i in 0..<size {
      let ridge = i == 0 ? Self.interceptRidge : Self.ridge
      likelihood -= ridge / 2 * weights[i] * weights[i]
      gradient[i] = -ridge * weights[i]
      hessian[i * size + i] = ridge
    }
    for pattern in patterns {
      var logOdds = 0.0
      for at in pattern.present { logOdds += weights[Int(indices[at])] }
      let probability = AnnotationModel.probability(logOdds)
      // log p and log(1 - p) without losing digits at either end.
      let softplus = max(logOdds, 0) + log(1 + exp(-abs(logOdds)))
      likelihood += pattern.positives * logOdds - pattern.count * softplus
      let residual = pattern.positives - pattern.count * probability
      let curvature = pattern.count * probability * (1 - probability)
      for at in pattern.present {
        let i = Int(indices[at])
        gradient[i] += residual
        // Predictors are in ascending order: this fills the lower triangle.
        for other in pattern.present.lowerBound...at {
          hessian[i * size + Int(indices[other])] += curvature
        }
      }
    }
    return (likelihood, gradient, hessian)
  }

  /// Solves `matrix * x = vector` by Cholesky's factors; `matrix` is positive definite and only its
  /// lower triangle is read.
  private func solve(_ matrix: [Double], _ vector: [Double]) -> [Double] {
    var factor = matrix
    for i in 0..<size {
      for j in 0...i {
        var sum = factor[i * size + j]
        for k in 0..<j { sum -= factor[i * size + k] * factor[j * size + k] }
        factor[i * size + j] = i == j ? sum.squareRoot() : sum / factor[j * size + j]
      }
    }
    var x = vector
    for i in 0..<size {
      for k in 0..<i { x[i] -= factor[i * size + k] * x[k] }
      x[i] /= factor[i * size + i]
    }
    for i in stride(from: size - 1, through: 0, by: -1) {
      for k in i + 1..<max(size, i + 1) { x[i] -= factor[k * size + i] * x[k] }
      x[i] /= factor[i * size + i]
    }
    return x
  }
}
