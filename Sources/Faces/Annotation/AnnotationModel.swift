internal import Foundation
internal import Tensors

/// A statistical model of CelebA's annotation, from which rows can be drawn.
///
/// A row is drawn attribute by attribute: `Male` and `Attractive` together by the rates of their
/// four combinations, then each of the other 38 in ``order`` by a logistic regression on those drawn
/// before it. Each combination has coefficients of its own. Rates and pairs of attributes are then
/// right among attractive and other women and men alike, which is what the gaps of a classifier
/// depend on. `docs/annotation-model.md` tells how near drawn rows are to the real ones.
public struct AnnotationModel: Hashable, Sendable {
  /// Rows that agree in `Male` and `Attractive`.
  public struct Stratum: Hashable, Sendable {
    /// Whether these are men.
    public let isMale: Bool

    /// Whether these are called attractive.
    public let isAttractive: Bool

    /// The share of all rows that are in this stratum.
    public let rate: Double

    /// The coefficients of each attribute in ``AnnotationModel/order``.
    ///
    /// Element `k` has `k + 1` numbers: the log-odds when nothing drawn before is present, then what
    /// each attribute of `order[..<k]` adds.
    public let weights: [[Double]]
  }

  /// How many rows the model was fitted on.
  public let rowCount: Int

  /// How many people were on the images of these rows.
  public let identityCount: Int

  /// The other 38 attributes in the order they are drawn.
  public let order: [FaceAttribute]

  /// The four strata: women, attractive women, men, attractive men.
  public let strata: [Stratum]

  /// The number of people on CelebA's images.
  public static let celebAIdentityCount = 10_177

  /// The share of rows with `Male`.
  public var maleRate: Double { strata.reduce(0) { $0 + ($1.isMale ? $1.rate : 0) } }

  /// The model of CelebA's own 202 599 rows that ships with the package.
  public static let celebA: AnnotationModel = {
    do {
      return try AnnotationModel(
        json: PackageResources.annotation_model_json, path: "annotation-model.json")
    } catch {
      preconditionFailure("\(error)")
    }
  }()

  init(rowCount: Int, identityCount: Int, order: [FaceAttribute], strata: [Stratum]) {
    self.rowCount = rowCount
    self.identityCount = identityCount
    self.order = order
    self.strata = strata
  }

  /// Draws row `row` of the annotation that belongs to `seed`.
  ///
  /// - Returns: 40 values in CelebA's order, the same in any order of calls.
  public func sample(row: Int, seed: UInt64) -> [Bool] {
    var random = SplitMix64(seed: seed, stream: UInt64(bitPattern: Int64(row)))
    var values = [Bool](repeating: false, count: FaceAttribute.allCases.count)
    var place = random.uniform()
    // Rates are rounded, so that they may add up to a little less than 1: the last takes the rest.
    let stratum =
      strata.dropLast().first { stratum in
        place -= stratum.rate
        return place < 0
      } ?? strata[strata.count - 1]
    values[.male] = stratum.isMale
    values[.attractive] = stratum.isAttractive
    var present: [Int] = []
    for (k, weights) in stratum.weights.enumerated() {
      var logOdds = weights[0]
      for earlier in present { logOdds += weights[earlier + 1] }
      guard random.uniform() < Self.probability(logOdds) else { continue }
      values[order[k]] = true
      present.append(k)
    }
    return values
  }

  /// Who is on row `row` of an annotation of `count` rows: a number from 1 up.
  ///
  /// The splits have CelebA's proportions; otherwise as ``identity(row:counts:isMale:seed:)``.
  public func identity(row: Int, of count: Int, isMale: Bool, seed: UInt64) -> Int {
    identity(row: row, counts: Split.officialCounts(of: count), isMale: isMale, seed: seed)
  }

  /// Who is on row `row` of an annotation whose rows train, then validate, then test.
  ///
  /// There are as many people for each row as in CelebA, 10 177 for 202 599. A person belongs to one
  /// split and has one value of `Male`; among the people of that split and sex each is equally
  /// likely, so that a person has about 20 images. Beyond `Male`, images of one person resemble each
  /// other no more than those of two: CelebA's do, somewhat.
  ///
  /// - Parameters:
  ///   - row: The row, from 0.
  ///   - counts: The number of rows of each split: train, validation, test.
  ///   - isMale: The value of `Male` in this row.
  ///   - seed: The seed of the annotation.
  /// - Returns: A number from 1 up.
  /// - Precondition: `counts` has three elements.
  public func identity(row: Int, counts: [Int], isMale: Bool, seed: UInt64) -> Int {
    precondition(counts.count == 3, "there are three splits")
    let peoplePerRow = Double(identityCount) / Double(max(1, rowCount))
    let split = Split.of(row: row, counts: counts)
    var first = 1
    for other in Split.allCases {
      let people = peoplePerRow * Double(counts[other.rawValue])
      let women = max(1, Int((people * (1 - maleRate)).rounded()))
      let men = max(1, Int((people * maleRate).rounded()))
      if other == split {
        // A stream of its own, so that people do not depend on how many numbers a row took.
        var random = SplitMix64(seed: seed ^ 0x1d, stream: UInt64(bitPattern: Int64(row)))
        return isMale ? first + women + random.below(men) : first + random.below(women)
      }
      first += women + men
    }
    return first
  }

  static func probability(_ logOdds: Double) -> Double { 1 / (1 + exp(-logOdds)) }
}
