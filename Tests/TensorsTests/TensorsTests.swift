import Tensors
import Testing

@Suite struct TensorTests {
  @Test func `elements narrower than a byte are packed`() {
    #expect(ElementType.uint4.byteCount(of: 3) == 2)
    #expect(ElementType.int2.byteCount(of: 5) == 2)
    #expect(ElementType.float32.byteCount(of: 0) == 0)
  }

  @Test func `values survive the way into bytes and back`() {
    let tensor = Tensor(shape: [2, 3], [1, -2, .infinity, 0.5, -0.0, 3] as [Float])
    #expect(tensor.floats == [1, -2, .infinity, 0.5, -0.0, 3])
    #expect(tensor.bytes[..<4] == [0, 0, 0x80, 0x3f])
    #expect(tensor.reshaped([6]).floats == tensor.floats)
  }
}

@Suite struct SplitMix64Tests {
  /// The first outputs for seed 1234567, as in the reference implementation's published test.
  @Test func `gives the reference sequence`() {
    var random = SplitMix64(seed: 1_234_567)
    #expect(random.next() == 6_457_827_717_110_365_317)
    #expect(random.next() == 3_203_168_211_198_807_973)
  }

  @Test func `streams of one seed differ and repeat`() {
    var a = SplitMix64(seed: 1, stream: 0)
    var b = SplitMix64(seed: 1, stream: 1)
    var again = SplitMix64(seed: 1, stream: 0)
    let first = a.next()
    #expect(first != b.next())
    #expect(first == again.next())
  }

  @Test func `normal numbers have mean 0 and variance 1`() {
    var random = SplitMix64(seed: 3)
    let values = (0..<100_000).map { _ in random.normal() }
    let mean = values.reduce(0, +) / 100_000
    let variance = values.reduce(0) { $0 + $1 * $1 } / 100_000
    // Five standard errors.
    #expect(abs(mean) < 5 / 316)
    #expect(abs(variance - 1) < 5 * 0.00447)
  }
}
