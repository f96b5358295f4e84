import Tensors
import Testing

@testable import Compression

@Suite struct LearnedStepsTests {
  /// Equation 3 by hand: beyond the grid its ends, inside what rounding added.
  @Test func `the gradient of a step is the paper's`() {
    let weights: [Float] = [-2, -0.25, 0.75, 1.5]
    let gradients: [Float] = [1, 2, 3, 4]
    // -1 × 1, 0.25 × 2, 0.25 × 3, 1 × 4; four weights and one step on either side.
    let found = LearnedSteps.gradient(gradients, behind: weights, scale: 1, grid: -1...1)
    let sum: Float = -1 + 0.5 + 0.75 + 4
    #expect(found == sum / 2)
    // At half the step all but the second lie outside, which rounds to even.
    let halved = LearnedSteps.gradient(gradients, behind: weights, scale: 0.5, grid: -1...1)
    let other: Float = -1 + 1 + 3 + 4
    #expect(halved == other / 2)
  }

  /// With what rounding adds held where it is, the stored weights are a function of the step that
  /// can be moved: `s × clip(w / s + r)`.
  @Test(arguments: 0..<20 as Range<UInt64>, [-1...1, -3...3, -3...12] as [ClosedRange<Float>])
  func `the gradient of a step is what finite differences say`(
    seed: UInt64, grid: ClosedRange<Float>
  ) {
    var random = SplitMix64(seed: seed)
    let scale = random.uniform(0.3...1.4)
    let (low, high) = (Double(grid.lowerBound), Double(grid.upperBound))
    let weights = (0..<64).map { _ in Double(Float(2 * random.normal())) }
    let gradients = (0..<64).map { _ in Double(Float(random.normal())) }
    func value(_ step: Double) -> Double {
      zip(weights, gradients).reduce(0) { sum, next in
        let steps = next.0 / scale
        let isInside = steps > low && steps < high
        let added = isInside ? steps.rounded(.toNearestOrEven) - steps : 0
        let stored = isInside ? next.0 / step + added : min(max(next.0 / step, low), high)
        return sum + next.1 * step * stored
      }
    }
    let size = 1e-5
    let slope = (value(scale + size) - value(scale - size)) / (2 * size)
    let expected = slope / (64 * high).squareRoot()
    let found = LearnedSteps.gradient(
      gradients.map { Float($0) }, behind: weights.map { Float($0) }, scale: Float(scale),
      grid: grid)
    #expect(abs(Double(found) - expected) < 1e-4 * max(1, abs(expected)))
  }

  @Test func `steps move by a share of themselves and stay positive`() {
    var steps = LearnedSteps([1, 0.01])
    steps.step([1, -1], rate: 0.1, number: 1)
    for (scale, expected) in zip(steps.scales, [0.9, 0.011] as [Float]) {
      #expect(abs(scale / expected - 1) < 1e-5)
    }
    for number in 2...40 { steps.step([1, -1], rate: 0.1, number: number) }
    #expect(steps.scales[0] > 0 && steps.scales[0] < 0.01 && steps.scales[1] > 0.03)
  }

  @Test(arguments: [false, true], [false, true])
  func `a grid's scales move where they are to, and codes follow`(
    movesScales: Bool, isAffine: Bool
  ) throws {
    var random = SplitMix64(seed: 9)
    // The last channel has nothing to store.
    let tensor = Tensor(
      shape: [3, 16], (0..<48).map { $0 < 32 ? Float(random.normal()) : 0 })
    let coded = UniformQuantization(bits: 3, isAffine: isAffine).code(tensor)
    var latent = LatentWeights(
      tensor, coded: coded, isAffine: isAffine, movesScales: movesScales)
    #expect(latent.coded == coded)
    let pull = (0..<48).map { $0 < 32 ? Float(random.normal()) : 0 }
    for number in 1...5 { latent.step(pull, rate: 0.02, number: number) }
    let moved = try #require(latent.coded)
    guard case .affine(let old, let oldZeros) = coded.meaning,
      case .affine(let new, let newZeros) = moved.meaning
    else {
      Issue.record("not a grid")
      return
    }
    #expect(oldZeros == newZeros && old[2] == new[2])
    #expect((old[0] != new[0] && old[1] != new[1]) == movesScales)
    let bottom = isAffine ? 0 : 1
    for i in 0..<32 {
      let (scale, zero) = (new[i / 16], Float(newZeros[i / 16]))
      let code = (latent.values[i] / scale).rounded(.toNearestOrEven) + zero
      let clipped = min(max(code, Float(bottom)), 7)
      #expect(clipped == Float(moved.codes[i]))
    }
    #expect(latent.decoded.floats[32...].allSatisfy { $0 == 0 })
  }
}
