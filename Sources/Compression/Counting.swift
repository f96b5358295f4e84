import OneDNN
import Tensors

/// The smallest and largest finite value; `nil` when there is none.
func finiteRange(of values: [Float]) -> ValueRange? {
  typealias Lanes = SIMD8<Float>
  let limit = Lanes(repeating: .greatestFiniteMagnitude)
  var lowest = Lanes(repeating: .infinity)
  var highest = Lanes(repeating: -.infinity)
  let whole = values.count / Lanes.scalarCount * Lanes.scalarCount
  values.withUnsafeBytes { bytes in
    for i in stride(from: 0, to: whole, by: Lanes.scalarCount) {
      let x = bytes.loadUnaligned(fromByteOffset: i * 4, as: Lanes.self)
      // A comparison with a not-a-number is false, which leaves it out too.
      let finite = (x .<= limit) .& (x .>= -limit)
      lowest.replace(with: x, where: finite .& (x .< lowest))
      highest.replace(with: x, where: finite .& (x .> highest))
    }
  }
  var (lower, upper) = (lowest.min(), highest.max())
  for x in values[whole...] where x.isFinite {
    lower = min(lower, x)
    upper = max(upper, x)
  }
  return lower <= upper ? ValueRange(lower, upper) : nil
}

/// How many values fall into each of `bins` equal parts of `lower ... upper`.
///
/// Bin `i` holds the values with `i <= (x - lower) * bins / (upper - lower) < i + 1` in `Float`
/// arithmetic, and the last bin `upper` itself; other values are not counted. Large batches are
/// counted on all threads; counts are whole numbers, so the result does not depend on the split.
///
/// - Precondition: `lower < upper`.
func binCounts(of values: [Float], from lower: Float, to upper: Float, bins: Int) -> [UInt32] {
  precondition(lower < upper, "an empty interval has no bins")
  // Rounding with 2^23 needs positions below it.
  precondition(bins > 0 && bins < 1 << 20, "\(bins) bins")
  let pieceSize = 1 << 17
  let pieces = (values.count + pieceSize - 1) / pieceSize
  let tallies = AlignedBuffer<UInt32>(count: pieces * bins)
  values.withUnsafeBufferPointer { values in
    nonisolated(unsafe) let tables = tallies.mutableBuffer  // each piece writes its own table
    nonisolated(unsafe) let values = values
    Parallel.pieces(pieces) { piece in
      let members = piece * pieceSize..<min(values.count, (piece + 1) * pieceSize)
      count(
        UnsafeBufferPointer(rebasing: values[members]), from: lower, to: upper, bins: bins,
        into: UnsafeMutableBufferPointer(rebasing: tables[piece * bins..<(piece + 1) * bins]))
    }
  }
  var total = [UInt32](repeating: 0, count: bins)
  for piece in 0..<pieces {
    for i in 0..<bins { total[i] &+= tallies.buffer[piece * bins + i] }
  }
  return total
}

/// Adds the counts of one piece of the values to `table`.
private func count(
  _ values: UnsafeBufferPointer<Float>, from lower: Float, to upper: Float, bins: Int,
  into table: UnsafeMutableBufferPointer<UInt32>
) {
  // Equal values in a row, as after a ReLU, would wait for each other in one table; the extra bin
  // takes what is left out.
  let tables = 4
  let stride = bins + 1
  let width = upper - lower
  let count = Float(bins)
  let last = UInt32(bins - 1)
  let outside = UInt32(bins)
  let big: Float = 0x1p23
  withUnsafeTemporaryAllocation(of: UInt32.self, capacity: tables * stride) { tally in
    tally.initialize(repeating: 0)
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 256) { positions in
      var from = 0
      while from < values.count {
        let many = min(256, values.count - from)
        for i in 0..<many {
          let x = values[from + i]
          let position = (x - lower) * count / width
          // The integer part without a conversion that may trap, so that the loop vectorises:
          // near 2^23 a Float has no fraction and its low bits are the integer.
          let rounded = (position + big) - big
          let whole = rounded > position ? rounded - 1 : rounded
          let bits = (whole + big).bitPattern & 0x7f_ffff
          let index = bits > last ? last : bits
          positions[i] = x >= lower && x <= upper ? index : outside
        }
        var i = 0
        while i + tables <= many {
          tally[Int(positions[i])] &+= 1
          tally[stride + Int(positions[i + 1])] &+= 1
          tally[2 * stride + Int(positions[i + 2])] &+= 1
          tally[3 * stride + Int(positions[i + 3])] &+= 1
          i += tables
        }
        while i < many {
          tally[Int(positions[i])] &+= 1
          i += 1
        }
        from += many
      }
    }
    for part in 0..<tables {
      for i in 0..<bins { table[i] &+= tally[part * stride + i] }
    }
  }
}

/// Whether there is neither an infinity nor a not-a-number among `values`.
func allFinite(_ values: [Float]) -> Bool {
  var unusual: UInt32 = 0
  // The exponent of such a value has all bits set; adding one to it carries into the sign bit.
  for value in values { unusual |= (value.bitPattern & 0x7f80_0000) &+ 0x80_0000 }
  return unusual & 0x8000_0000 == 0
}
