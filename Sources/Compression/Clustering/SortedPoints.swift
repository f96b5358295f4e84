import Tensors

/// Numbers in ascending order, equal ones together, with prefix sums that give the squared error of
/// any run of them at once.
///
/// Sums are `Double` and of the distance from the middle value, so that the squared error of a
/// narrow cluster far from zero does not vanish in rounding.
struct SortedPoints {
  /// The different values that have weight, ascending.
  let values: [Float]
  /// What was subtracted from every value in the sums.
  let origin: Double
  /// Sums over the first `i` values: of weights, weighted values and weighted squares.
  private let sums: [SIMD4<Double>]

  /// The number of different values.
  var count: Int { values.count }

  /// Sorts `values`.
  ///
  /// - Parameters:
  ///   - values: Finite numbers.
  ///   - weights: One for each value, not negative; `nil` counts every value once.
  init(_ values: some Collection<Float>, weights: [Float]? = nil) {
    var distinct: [Float] = []
    var masses: [Double] = []
    func add(_ value: Float, _ weight: Double) {
      if distinct.last == value {
        masses[masses.count - 1] += weight
      } else {
        distinct.append(value)
        masses.append(weight)
      }
    }
    distinct.reserveCapacity(values.count)
    masses.reserveCapacity(values.count)
    if let weights {
      precondition(weights.count == values.count, "one weight for each value")
      var keys: [UInt64] = []
      keys.reserveCapacity(values.count)
      for (i, value) in values.enumerated() where weights[i] > 0 {
        keys.append(UInt64(orderedKey(value)) << 32 | UInt64(i))
      }
      radixSort(&keys, shift: 32)
      for key in keys {
        add(number(UInt32(key >> 32)), Double(weights[Int(key & 0xffff_ffff)]))
      }
    } else {
      var keys = values.map(orderedKey)
      radixSort(&keys, shift: 0)
      for key in keys { add(number(key), 1) }
    }
    self.values = distinct
    let middle = distinct.isEmpty ? 0 : Double(distinct[distinct.count / 2])
    origin = middle
    sums = [SIMD4<Double>](unsafeUninitializedCapacity: distinct.count + 1) { buffer, count in
      var sum = SIMD4<Double>.zero
      buffer[0] = sum
      for i in distinct.indices {
        let x = Double(distinct[i]) - middle
        let mass = masses[i]
        sum += SIMD4(mass, mass * x, mass * x * x, 0)
        buffer[i + 1] = sum
      }
      count = distinct.count + 1
    }
  }

  /// Calls `body` with the prefix sums where loops can read them fast.
  func withSums<Result>(_ body: (UnsafeBufferPointer<SIMD4<Double>>) -> Result) -> Result {
    sums.withUnsafeBufferPointer(body)
  }

  /// The weighted mean of the values from number `from` up to but not including `to`.
  func mean(_ from: Int, _ to: Int) -> Double {
    let part = sums[to] - sums[from]
    return part[0] > 0 ? origin + part[1] / part[0] : Double(values[from])
  }

  /// The squared error of the same values around their mean.
  func error(_ from: Int, _ to: Int) -> Double { squaredError(sums[from], sums[to]) }
}

/// The squared error around the mean between two prefix sums; zero for an empty run.
@inline(__always)
func squaredError(_ from: SIMD4<Double>, _ to: SIMD4<Double>) -> Double {
  let part = to - from
  guard part[0] > 0 else { return 0 }
  return max(0, part[2] - part[1] * part[1] / part[0])
}

/// A whole number that orders as the finite number does; both zeros become one.
@inline(__always)
private func orderedKey(_ value: Float) -> UInt32 {
  let bits = (value + 0).bitPattern
  return bits & 0x8000_0000 == 0 ? bits | 0x8000_0000 : ~bits
}

/// The number whose key is `key`.
@inline(__always)
private func number(_ key: UInt32) -> Float {
  Float(bitPattern: key & 0x8000_0000 == 0 ? ~key : key & 0x7fff_ffff)
}

/// Sorts by the 32 bits above `shift`, keeping the order of equal ones.
private func radixSort<Key: FixedWidthInteger & UnsignedInteger>(_ keys: inout [Key], shift: Int) {
  let bits = 11
  let size = 1 << bits
  let count = keys.count
  var other = [Key](repeating: 0, count: count)
  for pass in 0..<3 {
    let low = Key(truncatingIfNeeded: shift + pass * bits)
    let mask = Key(truncatingIfNeeded: size - 1)
    var starts = [Int](repeating: 0, count: size)
    keys.withUnsafeBufferPointer { keys in
      other.withUnsafeMutableBufferPointer { other in
        starts.withUnsafeMutableBufferPointer { starts in
          for key in keys { starts[Int(truncatingIfNeeded: (key &>> low) & mask)] &+= 1 }
          var sum = 0
          for i in 0..<size { (starts[i], sum) = (sum, sum &+ starts[i]) }
          for key in keys {
            let digit = Int(truncatingIfNeeded: (key &>> low) & mask)
            other[starts[digit]] = key
            starts[digit] &+= 1
          }
        }
      }
    }
    swap(&keys, &other)
  }
}
