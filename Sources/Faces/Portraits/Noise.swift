import Tensors

/// Tables of random numbers, made once: looking a number up is cheaper than drawing it.
struct Noise: Sendable {
  /// Strands of hair: `rows` along a strand, `columns` across; -1 to 1.
  let strands: [Float]
  /// Grain of a sensor, normal with deviation 1, as a multiple of 1/16.
  let grain: [Int16]
  /// Specks from 0 to 1, unrelated from one to the next.
  let specks: [Float]
  /// Smooth clouds, 64 x 64, that tile; -1 to 1.
  let clouds: [Float]

  static let rows = 32
  static let columns = 512
  static let grainCount = 1 << 17
  static let side = 64

  static let shared = Noise()

  private init() {
    var random = SplitMix64(seed: 0x0c0f_fee0)
    strands = Self.makeStrands(&random)
    grain = (0..<Self.grainCount).map { _ in Int16(max(-64, min(64, random.normal() * 16))) }
    specks = (0..<4096).map { _ in Float(random.uniform()) }
    clouds = Self.makeClouds(&random)
  }

  /// Fine and coarse streaks across, that change slowly along.
  private static func makeStrands(_ random: inout SplitMix64) -> [Float] {
    var table = [Float](repeating: 0, count: rows * columns)
    for (period, weight, knots) in [(3, 0.5, 8), (9, 0.35, 4), (40, 0.35, 2)] {
      let across = columns / period
      let values = (0..<knots).map { _ in (0..<across).map { _ in random.uniform(-1...1) } }
      for row in 0..<rows {
        let along = Double(row) * Double(knots) / Double(rows)
        for column in 0..<columns {
          let at = Double(column) * Double(across) / Double(columns)
          let (v, u) = (Int(along), Int(at))
          let (fv, fu) = (along - Double(v), at - Double(u))
          let a = mix(values[v % knots][u], values[v % knots][(u + 1) % across], fu)
          let b = mix(values[(v + 1) % knots][u], values[(v + 1) % knots][(u + 1) % across], fu)
          table[row * columns + column] += Float(mix(a, b, fv) * weight)
        }
      }
    }
    return table
  }

  private static func makeClouds(_ random: inout SplitMix64) -> [Float] {
    var table = [Float](repeating: 0, count: side * side)
    for (cells, weight) in [(4, 0.5), (8, 0.3), (16, 0.2), (32, 0.2)] {
      let values = (0..<cells * cells).map { _ in random.uniform(-1...1) }
      for y in 0..<side {
        for x in 0..<side {
          let (fx, fy) = (Double(x * cells) / Double(side), Double(y * cells) / Double(side))
          let (ix, iy) = (Int(fx), Int(fy))
          let (jx, jy) = ((ix + 1) % cells, (iy + 1) % cells)
          let top = mix(values[iy * cells + ix], values[iy * cells + jx], fx - Double(ix))
          let bottom = mix(values[jy * cells + ix], values[jy * cells + jx], fx - Double(ix))
          table[y * side + x] += Float(mix(top, bottom, fy - Double(iy)) * weight)
        }
      }
    }
    return table
  }
}
