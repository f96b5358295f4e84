import OneDNN
import Tensors

/// The lower factor `L` of a symmetric positive definite matrix `A = L Lᵀ`, in blocks.
///
/// A block on the diagonal is factored by plain loops in `Double`; what is below it and to its right
/// follows by matrix products.
///
/// Source: G. Golub, C. Van Loan, *Matrix Computations*, 4th edition, algorithms 4.2.1 and 4.2.3.
struct Cholesky {
  /// The number of rows of a block.
  var block = 128
  let products: MatrixProducts

  /// Replaces the lower half of `matrix`, row-major `[size, size]`, by its factor; what is above the
  /// diagonal is left as anything.
  ///
  /// - Returns: Whether the matrix is positive definite as far as `float32` tells.
  func factor(_ matrix: AlignedBuffer<Float>, size: Int) throws -> Bool {
    let a = matrix.pointer
    let copy = AlignedBuffer<Float>(count: size * block)
    let inverse = AlignedBuffer<Float>(count: block * block)
    for first in stride(from: 0, to: size, by: block) {
      let count = min(block, size - first)
      let below = size - first - count
      let corner = a + first * size + first
      guard factorCorner(corner, stride: size, count: count) else { return false }
      guard below > 0 else { break }
      invert(corner, stride: size, count: count, into: inverse.pointer)
      let panel = corner + count * size
      for row in 0..<below {
        (copy.pointer + row * count).update(from: panel + row * size, count: count)
      }
      try products.multiply(
        [below, count, count], .rows(copy.pointer, stride: count),
        MatrixProducts.Operand.rows(inverse.pointer, stride: count).transposed,
        into: .rows(panel, stride: size))
      for row in 0..<below {
        for column in 0..<count { copy.pointer[row * count + column] = -panel[row * size + column] }
      }
      // Only the lower half, in bands.
      for start in stride(from: 0, to: below, by: 512) {
        let rows = min(512, below - start)
        try products.multiply(
          [rows, count, start + rows], .rows(copy.pointer + start * count, stride: count),
          MatrixProducts.Operand.rows(panel, stride: size).transposed,
          into: .rows(panel + start * size + count, stride: size), .add)
      }
    }
    return true
  }

  private func factorCorner(_ a: UnsafeMutablePointer<Float>, stride: Int, count: Int) -> Bool {
    for j in 0..<count {
      var sum = Double(a[j * stride + j])
      for k in 0..<j { sum -= Double(a[j * stride + k]) * Double(a[j * stride + k]) }
      guard sum > 0, sum.isFinite else { return false }
      let pivot = sum.squareRoot()
      a[j * stride + j] = Float(pivot)
      for i in j + 1..<max(j + 1, count) {
        var sum = Double(a[i * stride + j])
        for k in 0..<j { sum -= Double(a[i * stride + k]) * Double(a[j * stride + k]) }
        a[i * stride + j] = Float(sum / pivot)
      }
    }
    return true
  }

  /// The inverse of a lower triangle, dense with zeros above.
  private func invert(
    _ l: UnsafeMutablePointer<Float>, stride: Int, count: Int,
    into result: UnsafeMutablePointer<Float>
  ) {
    for column in 0..<count {
      for i in 0..<count {
        guard i >= column else {
          result[i * count + column] = 0
          continue
        }
        var sum = i == column ? 1.0 : 0
        for k in column..<i {
          sum -= Double(l[i * stride + k]) * Double(result[k * count + column])
        }
        result[i * count + column] = Float(sum / Double(l[i * stride + i]))
      }
    }
  }
}
