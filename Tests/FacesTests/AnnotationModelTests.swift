import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Faces

/// Rates of the real annotation; written by `Scripts/golden/annotation.py`.
struct AnnotationGolden: Decodable {
  struct Rates: Decodable {
    var accuracy: Double
    var maleTPR: Double
    var femaleTPR: Double
    var maleFPR: Double
    var femaleFPR: Double
  }

  var names: [String]
  var rates: [Double]
  var femaleRates: [Double]
  var maleRates: [Double]
  var phi: [Double]
  var logisticRegression: Rates
}

@Suite struct AnnotationModelTests {
  static let count = 120_000
  static let rows = (0..<count).map { AnnotationModel.celebA.sample(row: $0, seed: 11) }
  let real: AnnotationGolden

  init() throws { real = try golden(AnnotationGolden.self, "annotation", in: .module) }

  func rates(_ rows: [[Bool]]) -> [Double] {
    var counts = [Int](repeating: 0, count: 40)
    for row in rows { for (k, value) in row.enumerated() where value { counts[k] += 1 } }
    return counts.map { Double($0) / Double(rows.count) }
  }

  /// The tolerances are those of `docs/annotation-model.md`.
  @Test func `drawn rows have the real rates, overall and within each sex`() {
    #expect(real.names == FaceAttribute.names)
    let all = rates(Self.rows)
    let women = rates(Self.rows.filter { !$0[.male] })
    let men = rates(Self.rows.filter { $0[.male] })
    for k in 0..<40 {
      #expect(abs(all[k] - real.rates[k]) < 0.008, "\(real.names[k])")
      #expect(abs(women[k] - real.femaleRates[k]) < 0.01, "\(real.names[k])")
      #expect(abs(men[k] - real.maleRates[k]) < 0.01, "\(real.names[k])")
    }
  }

  @Test func `drawn pairs of attributes are related as the real ones`() {
    let means = rates(Self.rows)
    var together = [Int](repeating: 0, count: 1600)
    for row in Self.rows {
      let present = row.indices.filter { row[$0] }
      for i in present { for j in present { together[i * 40 + j] += 1 } }
    }
    var place = 0
    for i in 0..<40 {
      for j in i + 1..<40 {
        let both = Double(together[i * 40 + j]) / Double(Self.count)
        let spread = (means[i] * (1 - means[i]) * means[j] * (1 - means[j])).squareRoot()
        let phi = (both - means[i] * means[j]) / spread
        #expect(abs(phi - real.phi[place]) < 0.03, "\(real.names[i]) and \(real.names[j])")
        place += 1
      }
    }
  }

  @Test func `a classifier fitted on drawn rows has the gaps of one fitted on real rows`() {
    // The outcome is bit 63 - 39, all other attributes are before it.
    let order = FaceAttribute.allCases.filter { $0 != .attractive } + [.attractive]
    func bits(_ row: [Bool]) -> UInt64 {
      order.enumerated().reduce(0) { $0 | (row[$1.element] ? 1 << (63 - UInt64($1.offset)) : 0) }
    }
    let half = Self.count / 2
    let weights = LogisticRegression(of: 39, in: Self.rows[..<half].map(bits).sorted()).fit()
    // [sex][label]: rows, rows called attractive.
    var cells = Array(repeating: Array(repeating: (rows: 0, positive: 0), count: 2), count: 2)
    for row in Self.rows[half...] {
      let logOdds = (0..<39).reduce(weights[0]) { $0 + (row[order[$1]] ? weights[$1 + 1] : 0) }
      let (sex, label) = (row[.male] ? 1 : 0, row[.attractive] ? 1 : 0)
      cells[sex][label].rows += 1
      if logOdds > 0 { cells[sex][label].positive += 1 }
    }
    func rate(_ sex: Int, _ label: Int) -> Double {
      Double(cells[sex][label].positive) / Double(cells[sex][label].rows)
    }
    let expected = real.logisticRegression
    #expect(abs(rate(1, 1) - expected.maleTPR) < 0.035)
    #expect(abs(rate(0, 1) - expected.femaleTPR) < 0.02)
    #expect(abs(rate(1, 0) - expected.maleFPR) < 0.02)
    #expect(abs(rate(0, 0) - expected.femaleFPR) < 0.03)
    let right = cells.reduce(0) { $0 + $1[1].positive + $1[0].rows - $1[0].positive }
    #expect(abs(Double(right) / Double(half) - expected.accuracy) < 0.015)
  }

  @Test func `what excludes itself seldom comes together`() {
    let colours: [FaceAttribute] = [.bald, .blackHair, .blondHair, .brownHair, .grayHair]
    let several = Self.rows.filter { row in colours.filter { row[$0] }.count > 1 }.count
    // 2.0 % of the real rows.
    #expect(Double(several) / Double(Self.count) < 0.025)
  }

  @Test func `a row depends on its number and the seed alone`() {
    let model = AnnotationModel.celebA
    #expect(model.sample(row: 77, seed: 11) == Self.rows[77])
    #expect(model.sample(row: 77, seed: 12) != Self.rows[77])
    #expect(Set(Self.rows[..<1000]).count > 900)
  }

  @Test func `people stay in one split and keep their sex`() {
    let model = AnnotationModel.celebA
    let count = 20_000
    var seen: [Int: (Split, Bool)] = [:]
    for row in 0..<count {
      let male = Self.rows[row][.male]
      let split = Split.official(row: row, of: count)
      let person = model.identity(row: row, of: count, isMale: male, seed: 11)
      if let known = seen.updateValue((split, male), forKey: person) {
        #expect(known == (split, male))
      }
    }
    // 10 177 for 202 599 rows.
    #expect(abs(seen.count - 1005) < 10)
    #expect(seen.keys.min() == 1)
    #expect(Split.officialCounts(of: 202_599) == [162_770, 19_867, 19_962])
    for small in 0..<40 { #expect(Split.officialCounts(of: small).reduce(0, +) == small) }
  }

  @Test func `fitting drawn rows gives the model back`() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = "\(folder)/list_attr_celeba.csv"
    var text = "image_id," + FaceAttribute.names.joined(separator: ",") + "\n"
    for (index, row) in Self.rows[..<20_000].enumerated() {
      text += "\(index).jpg," + row.map { $0 ? "1" : "-1" }.joined(separator: ",") + "\n"
    }
    try Files.replace(path, with: text)
    let model = try AnnotationModel.fit(Annotations.read(path))
    #expect(model.rowCount == 20_000 && model.identityCount == 1005)
    #expect(try AnnotationModel(json: Array(model.json.utf8), path: "m.json") == model)
    let again = rates((0..<20_000).map { model.sample(row: $0, seed: 3) })
    for (found, expected) in zip(again, rates(Array(Self.rows[..<20_000]))) {
      // Two samples of 20 000: 4.5 standard deviations of their difference at one half.
      #expect(abs(found - expected) < 0.023)
    }
  }

  @Test func `an annotation that cannot be fitted is refused`() throws {
    let header = "image_id," + FaceAttribute.names.joined(separator: ",") + "\n"
    let row = "a.jpg" + String(repeating: ",1", count: 40) + "\n"
    for (text, told) in [
      (header + row, "has no row with Male -1 and Attractive -1"),
      ("image_id,Male\na.jpg,1\n", "has no attribute \"5_o_Clock_Shadow\"; it has Male"),
    ] {
      let table = TextTable(path: "a.csv", bytes: Array(text.utf8), separator: .commas)
      let error = #expect(throws: FileError.self) {
        try AnnotationModel.fit(Annotations.read(table))
      }
      #expect(error?.problem == told)
    }
  }

  @Test func `a model file that is not whole is refused`() throws {
    let text = AnnotationModel.celebA.json
    for (spoiled, told) in [
      ("{}", "is not a model of an annotation"),
      (String(text.dropLast(9)), "is not a model of an annotation"),
      (text.replacing("\"Bald\"", with: "\"Bold\""), "\"Bold\" is not a new attribute of CelebA"),
      (text.replacing("\"Bald\"", with: "\"Male\""), "\"Male\" is not a new attribute of CelebA"),
      (text.replacing("\"Bald\", ", with: ""), "found 37"),
      (text.replacing("\"identities\": 1", with: "\"identities\": -1"), "-10177 people"),
      (text.replacing("\"attractive\": true", with: "\"attractive\": false"), "combinations"),
    ] {
      let error = #expect(throws: FileError.self) {
        try AnnotationModel(json: Array(spoiled.utf8), path: "m.json")
      }
      #expect(error?.problem.contains(told) == true, "\(told)")
    }
  }

  /// Property: no change of one weight raises the penalised likelihood, computed plainly.
  @Test(arguments: 0..<20 as Range<UInt64>)
  func `the regression is at the top of its likelihood`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let k = random.below(6)
    let rows = (0..<200).map { _ in random.next() & random.next() }
    let weights = LogisticRegression(of: k, in: rows.sorted()).fit()
    #expect(weights.count == k + 1)
    func likelihood(_ weights: [Double]) -> Double {
      var sum = -LogisticRegression.interceptRidge / 2 * weights[0] * weights[0]
      for weight in weights.dropFirst() {
        sum -= LogisticRegression.ridge / 2 * weight * weight
      }
      for row in rows {
        let bits = (0...k).map { row >> (63 - UInt64($0)) & 1 == 1 }
        let logOdds = (0..<k).reduce(weights[0]) { $0 + (bits[$1] ? weights[$1 + 1] : 0) }
        sum -= log(1 + exp(bits[k] ? -logOdds : logOdds))
      }
      return sum
    }
    let best = likelihood(weights)
    for i in weights.indices {
      for change in [-0.01, 0.01] {
        var other = weights
        other[i] += change
        #expect(likelihood(other) < best)
      }
    }
  }
}
