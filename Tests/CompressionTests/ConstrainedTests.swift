import Faces
import Fairness
import Files
import Foundation
import GraphReference
import Graphs
import TestSupport
import Tensors
import Testing
import Training

@testable import Compression

@Suite struct ConstrainedTests {
  /// A table of made-up deltas: a choice moves margins the less, the more bytes it takes.
  private func table(units: Int, choices: Int, rows: Int, seed: UInt64) -> DeltaTable {
    var random = SplitMix64(seed: seed)
    return DeltaTable(
      margins: (0..<rows).map { _ in Float(random.normal()) },
      cells: (0..<rows).map { _ in Int32(random.below(4)) }, groups: 2,
      units: (0..<units).map { unit in
        let weight = random.uniform(0.2...1)
        return DeltaTable.Unit(
          tensors: ["w\(unit)"],
          choices: (0..<choices).map { choice in
            let size = weight / Double(1 + choice)
            let lean = 0.3 * random.normal()
            return DeltaTable.Choice(
              step: "kmeans:\(2 << choice)", bytes: 100 * (choice + 1) + random.below(40),
              deltas: (0..<rows).map { _ in Float(size * (random.normal() + lean) * 0.3) })
          })
      })
  }

  private var limits: CompressionLimits {
    var limits = CompressionLimits(bytes: 0)
    limits.maxDrift = [.equalOpportunity: 0.05, .fprDifference: 0.05]
    limits.maxAccuracyDrop = 0.02
    return limits
  }

  /// Oracle: every combination judged, one after the other, in plain words.
  @Test(arguments: 0..<6 as Range<UInt64>)
  func `few combinations are all tried`(seed: UInt64) throws {
    let table = table(units: 4, choices: 3, rows: 300, seed: seed)
    let search = AllocationSearch(table, limits: limits, budget: 900)
    let found = try #require(search.best())
    #expect(table.bytes(of: found.choices) <= 900)
    var best = Double.infinity
    for code in 0..<81 {
      let choices = [code % 3, code / 3 % 3, code / 9 % 3, code / 27]
      guard table.bytes(of: choices) <= 900 else { continue }
      best = min(best, search.judge(choices).use)
    }
    #expect(found.use <= best + 1e-12)
  }

  /// With too many combinations to try all, the search comes within a twentieth of the best.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func `the search is near the best combination`(seed: UInt64) throws {
    let table = table(units: 7, choices: 4, rows: 200, seed: seed)
    let search = AllocationSearch(table, limits: limits, budget: 1700)
    let found = try #require(search.best())
    #expect(found.bytes <= 1700)
    let best = try #require(search.exhaustive())
    #expect(found.use <= 1.05 * best.use)
  }

  @Test func `more bytes never make it worse where all combinations are tried`() throws {
    let table = table(units: 4, choices: 4, rows: 300, seed: 3)
    var last = Double.infinity
    for budget in stride(from: 500, through: 2000, by: 150) {
      guard let found = AllocationSearch(table, limits: limits, budget: budget).best() else {
        continue
      }
      #expect(found.use <= last + 1e-9)
      last = found.use
    }
    #expect(AllocationSearch(table, limits: limits, budget: 10).best() == nil)
  }

  @Test func `a common shift restores the share of positive decisions`() {
    var random = SplitMix64(seed: 2)
    let margins = (0..<5000).map { _ in Float(random.normal() + 0.4) }
    for positives in [500, 2500, 4800] {
      let shift = AllocationSearch.shift(margins, positives: positives)
      let found = margins.count { $0 + shift >= 0 }
      #expect(abs(found - positives) < 40)
    }
  }

  /// Where everybody is refused there is no gap: the operating point may not go there.
  @Test func `a gap is not closed by refusing everybody`() {
    var random = SplitMix64(seed: 5)
    let cells = (0..<3000).map { _ in Int32(random.below(4)) }
    // Of group 0 some positives are below zero that in group 1 are a little above: no gap is left where
    // those are refused too.
    let margins = cells.map { cell -> Float in
      guard cell & 1 == 1 else { return Float(random.uniform(-1.1...0.02)) }
      let margin = Float(random.uniform(-0.1...1.1))
      return cell == 1 && 0..<0.3 ~= margin ? -0.05 : margin
    }
    let table = DeltaTable(margins: margins, cells: cells, groups: 2, units: [])
    // What is stored has lost positives of everybody.
    let found = margins.map { $0 - 0.5 }
    func right(_ shift: Float) -> Int {
      found.indices.count { (found[$0] + shift >= 0) == (cells[$0] & 1 == 1) }
    }
    var limits = CompressionLimits(bytes: 0)
    limits.maxGap = [.equalOpportunity: 0.05, .fprDifference: 0.05]
    let search = AllocationSearch(table, limits: limits, budget: 0)
    let shifts = AllocationSearch.neighbours(of: 0.5, found)
    let most = shifts.map(right).max() ?? 0
    let shift = search.bestShift(found)
    #expect(right(shift) >= most - 30)
    // That is what the smallest gap alone would cost.
    let smallest = shifts.min { search.use(found, shift: $0) < search.use(found, shift: $1) }
    #expect(right(smallest ?? 0) < most - 60)
  }

  /// Decisions that flip at this operating point and hardly anywhere near it count too.
  @Test func `what is used up here is counted at the operating point itself`() {
    let cells = (0..<1600).map { Int32($0 % 4) }
    // A fifth of the positives of group 0 lie just above zero.
    let near = (0..<1600).map { $0 % 4 == 1 && ($0 / 4) % 5 == 0 }
    let margins = cells.indices.map { i -> Float in
      near[i] ? 0.01 : cells[i] & 1 == 1 ? 1 : -1
    }
    let after = margins.indices.map { near[$0] ? -0.01 : margins[$0] }
    var limits = CompressionLimits(bytes: 0)
    limits.maxDrift = [.equalOpportunity: 0.05]
    let search = AllocationSearch(
      DeltaTable(margins: margins, cells: cells, groups: 2, units: []), limits: limits, budget: 0)
    #expect(search.use(after, shift: 0) < 1)
    #expect(abs(search.usedHere(after, shift: 0) - 4) < 1e-9)
    #expect(search.usedHere(after, shift: 0.02) == 0)
  }

  /// Reference: decisions of both models at many operating points, counted one by one.
  @Test func `flips are the mean over operating points nearby`() {
    let table = table(units: 2, choices: 2, rows: 120, seed: 4)
    let search = AllocationSearch(table, limits: limits, budget: 900)
    let margins = table.margins(of: [0, 1])
    let found = search.flips(margins, shift: 0.1)
    let points = 4000
    typealias Cell = (rows: Double, gained: Double, lost: Double, selected: Double)
    var cells = [Cell](repeating: (0, 0, 0, 0), count: 4)
    for i in margins.indices {
      let cell = Int(table.cells[i])
      cells[cell].rows += 1
      for point in 0..<points {
        let place = search.reach * ((Float(point) + 0.5) / Float(points) * 2 - 1)
        let (before, after) = (table.margins[i] >= place, margins[i] + 0.1 >= place)
        if after { cells[cell].selected += 1 / Double(points) }
        if after && !before { cells[cell].gained += 1 / Double(points) }
        if before && !after { cells[cell].lost += 1 / Double(points) }
      }
    }
    for (one, other) in zip(found.cells, cells) {
      #expect(one.rows == other.rows)
      #expect(abs(one.gained - other.gained) < 0.02 && abs(one.lost - other.lost) < 0.02)
      #expect(abs(one.selected - other.selected) < 0.02)
    }
    #expect(cells.contains { $0.gained > 0 } && cells.contains { $0.lost > 0 })
  }

  @Test func `people are on one side, and a quarter of the rows is for choices`() throws {
    let (folder, families) = try faces([.validation: 236], perPerson: 4)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let parts = try ValidationParts(of: families, seed: 3)
    #expect(parts.selection.count >= 59 && parts.selection.count < 63)
    #expect(Set(parts.selection).isDisjoint(with: parts.verification))
    #expect(parts.selection.count + parts.verification.count == 236)
    let people = parts.selection.map { $0 / 4 }
    #expect(Set(people).isDisjoint(with: parts.verification.map { $0 / 4 }))
    #expect(try ValidationParts(of: families, limit: 20, seed: 3).selection.count == 20)
    #expect(try ValidationParts(of: families, seed: 4) != parts)
  }

  /// The quick bound of the search is close to the intervals that decide.
  @Test func `quick bounds are near the exact ones`() throws {
    var random = SplitMix64(seed: 12)
    let labels = (0..<4000).map { _ in random.below(2) == 1 }
    let groups = (0..<4000).map { _ in Int32(random.below(2)) }
    let before = (0..<4000).map { _ in random.below(2) == 1 }
    let after = before.indices.map { i in
      random.uniform() < (groups[i] == 0 ? 0.03 : 0.06) ? !before[i] : before[i]
    }
    func outcomes(_ decisions: [Bool]) -> Outcomes {
      Outcomes(
        decisions: decisions, labels: labels,
        groups: Fairness.Attribute("g", groups: ["a", "b"], codes: groups))
    }
    let comparison = try Comparison(before: outcomes(before), after: outcomes(after))
    typealias Cell = (rows: Double, gained: Double, lost: Double, selected: Double)
    var cells = [Cell](repeating: (0, 0, 0, 0), count: 4)
    for i in labels.indices {
      let cell = Int(groups[i]) * 2 + (labels[i] ? 1 : 0)
      cells[cell].rows += 1
      if after[i] { cells[cell].selected += 1 }
      if after[i] && !before[i] { cells[cell].gained += 1 }
      if before[i] && !after[i] { cells[cell].lost += 1 }
    }
    var limits = self.limits
    limits.maxGroupDrop = 0.02
    limits.maxGap = [.equalizedOdds: 0.05, .demographicParity: 0.05, .accuracy: 0.05]
    #expect(limits.single.count == 7 && limits.withoutGaps.single.count == 4)
    for (name, one) in limits.single {
      let checks = try LimitCheck.all(one, comparison, after: outcomes(after))
      #expect(limits.without(name).single.count == 6)
      let exact = checks.map { max(0, $0.bound! / $0.limit) }.max()!
      let quick = FlipCounts(cells: cells).use(of: one, quantile: Normal.quantile(0.95))
      #expect(abs(quick - exact) < 0.1 * exact + 0.02, "\(name)")
    }
  }

  @Test func `a network is cut where one tensor carries everything`() throws {
    let graph = try BatchNormFolding().rewrite(SmallNetwork.graph(seed: 3))
    let cuts = NetworkCuts(graph)
    let tensors = cuts.cuts.map(\.tensor)
    #expect(tensors.first == "input")
    // Between the branches of the block two tensors are alive.
    #expect(tensors.contains("maxpool_out"))
    #expect(!tensors.contains("a_relu_out"))
    let images = SmallNetwork.images(2, seed: 1)
    let shapes = try graph.inferShapes(inputs: ["input": [1, 3, 8, 8]])
    let whole = try SmallNetwork.run(graph, images)
    for (position, cut) in cuts.cuts.enumerated() {
      let part = cuts.part(from: position, to: nil, shapes: shapes)
      let tensor = cut.tensor == "input" ? Tensor(shape: [2, 3, 8, 8], images) : whole[cut.tensor]!
      let found = try ReferenceInterpreterRun.logits(part, [cut.tensor: tensor])
      #expect(found == whole["logits"])
    }
  }

  /// A network, and faces to compress it on in a folder that the caller removes.
  private func subject(
    train: Int
  ) throws -> (
    folder: String, float: Graph, images: CompressionImages, base: CompressionReport.ModelFile
  ) {
    let (folder, dataset) = try faces([.train: train, .test: 4, .validation: 236])
    let float = SmallNetwork.graph(seed: 3)
    return (
      folder, float, CompressionImages(dataset, preprocessing: Preprocessing(size: 8)),
      .init(contents: try ONNXFile.bytes(of: float))
    )
  }

  @Test func `a feasible file carries a certificate that can be recomputed`() throws {
    let (folder, float, images, base) = try subject(train: 20)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var limits = CompressionLimits(bytes: 40_000)
    limits.maxDrift = [.equalOpportunity: 0.4]
    limits.maxAccuracyDrop = 0.4
    var compression = try ConstrainedCompression(limits: limits)
    compression.choices = try ["kmeans:4", "kmeans:16"].flatMap { try Scheme($0).steps }
    compression.cache = "\(folder)/table"
    let (outcome, graph, _) = try compression.run(float, base: base, on: images)
    let result = try #require(graph)
    #expect(outcome.isFeasible)
    #expect(outcome.certificate?.checks.allSatisfy(\.isKept) == true)
    let bytes = try ONNXFile.bytes(of: result)
    #expect(bytes.count == outcome.bytes)
    #expect(bytes.count <= limits.bytes)
    let again = try Certificate(of: ONNXFile.graph(bytes, path: "a"))
    #expect(again == outcome.certificate)
    #expect(
      SHA256.hex(try ONNXFile.contents(bytes, path: "a", without: Certificate.key))
        == outcome.certificate?.model)
    let parts = try ValidationParts(of: images.dataset, limit: 5000, seed: 0)
    #expect(Set(parts.selection).isDisjoint(with: parts.verification))
    #expect(parts.selection.count + parts.verification.count == 236)
    #expect(
      Set(parts.selection + parts.verification).isSubset(of: images.dataset.rows(in: .validation)))
    // The second time the table is there, and the result is the same file.
    let (second, same, _) = try compression.run(float, base: base, on: images)
    #expect(second.tableWasCached)
    #expect(try ONNXFile.bytes(of: #require(same)) == bytes)
    // A damaged table is measured anew.
    try Files.replace("\(folder)/table", with: "damaged")
    #expect(try compression.run(float, base: base, on: images).outcome.tableWasCached == false)
  }

  /// With and without tuning, what is certified is a file that multiplies whole numbers, and its own
  /// decisions are those in the certificate.
  @Test(arguments: [nil, 1])
  func `activations can be rounded under limits too`(epochs: Int?) throws {
    let (folder, float, images, base) = try subject(train: 140)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var limits = CompressionLimits(bytes: 60_000)
    limits.maxDrift = [.equalOpportunity: 0.5]
    limits.maxAccuracyDrop = 0.5
    var compression = try ConstrainedCompression(limits: limits)
    compression.choices = try ["kmeans:16", "kmeans:64"].flatMap { try Scheme($0).steps }
    compression.int8 = Int8Settings()
    compression.tuning = epochs.map { TuningSettings(epochs: $0) }
    compression.tuning?.batch = 16
    #expect(throws: CompressionError.self) { try compression.run(float, base: base, on: images) }
    compression.weights.codebook = .int8
    let (outcome, graph, _) = try compression.run(float, base: base, on: images)
    let result = try #require(graph)
    #expect(outcome.allocation.activationBits == 8)
    #expect(try ONNXFile.bytes(of: result).count <= limits.bytes)
    let quantized = Set(
      result.nodes.filter { $0.operation == .quantizeLinear }.flatMap(\.outputs))
    #expect(quantized.count >= 5)
    // Every convolution reads activations that were rounded.
    let integers = Set(
      result.nodes.filter { $0.operation == .dequantizeLinear }.flatMap(\.outputs))
    let layers = result.nodes.filter { $0.operation == .convolution || $0.operation == .gemm }
    #expect(layers.allSatisfy { integers.contains($0.inputs[0]) })
    let certificate = try #require(outcome.certificate)
    let parts = try ValidationParts(of: images.dataset, limit: 5000, seed: 0)
    let margins = try RealPasses(images: images, limits: limits)
      .margins(result, rows: parts.verification)
    let before = try RealPasses(images: images, limits: limits)
      .margins(float, rows: parts.verification)
    let flips = zip(before, margins).count { ($0 >= 0) != ($1 >= 0) }
    #expect(certificate.checks.first { $0.name.contains("accuracy") }?.isKept == true)
    #expect(certificate.comparison.flips.reduce(0) { $0 + $1.gained + $1.lost } == flips)
  }

  @Test func `limits that cannot be kept are called infeasible`() throws {
    let (folder, float, images, base) = try subject(train: 20)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var limits = CompressionLimits(bytes: 40_000)
    limits.maxDrift = [.equalOpportunity: 0.0001]
    var compression = try ConstrainedCompression(limits: limits)
    compression.explains = true
    let (outcome, graph, closest) = try compression.run(float, base: base, on: images)
    #expect(graph == nil)
    #expect(!outcome.isFeasible)
    // What comes closest is at hand, without a certificate.
    #expect(try Certificate(of: closest) == nil)
    #expect(try ONNXFile.bytes(of: closest).count < limits.bytes)
    #expect(outcome.binding == "drift of equalOpportunity")
    #expect(outcome.costs?.first?.bytes == nil)
    compression.limits.maxGap = [.equalOpportunity: 0.05]
    #expect(throws: CompressionError.self) { try compression.run(float, base: base, on: images) }
    compression.limits.maxGap = nil
    compression.limits.bytes = 100
    let error = #expect(throws: CompressionError.self) {
      try compression.run(float, base: base, on: images)
    }
    #expect(error?.place == "budget")
  }
}

/// Runs a part of a network in the plain loops.
private enum ReferenceInterpreterRun {
  static func logits(_ graph: Graph, _ inputs: [String: Tensor]) throws -> Tensor {
    try ReferenceInterpreter(graph).run(inputs, output: "logits")
  }
}
