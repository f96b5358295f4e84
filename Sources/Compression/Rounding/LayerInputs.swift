import Graphs
import OneDNN
import Tensors

/// What a layer's weights are multiplied with, as second moments over images and positions.
///
/// A convolution is a product of its weights `[outputs, n]` with columns of `n` inputs each, those
/// under the kernel at one position of one image. With `X` those columns, the mean squared change of
/// the outputs when weights change by `D` is `tr(D H Dᵀ)`, `H = X Xᵀ / columns`, so that nothing else
/// has to be known of the images. Grouped convolutions have an `H` for each group.
struct LayerInputs {
  /// The number of weights of an output channel.
  let size: Int
  /// `H` of every group, row-major `[size, size]`.
  let moments: [AlignedBuffer<Float>]
  /// The number of columns seen.
  private(set) var columns = 0

  private let channels: Int
  private let window: Graphs.Window?
  private let products: MatrixProducts

  /// Starts with nothing seen.
  ///
  /// - Throws: ``CompressionError`` for a layer whose inputs cannot be laid out as columns.
  init(of node: Node, weights: [Int], products: MatrixProducts) throws {
    let groups = node.operation == .convolution ? node.int("group", default: 1) : 1
    size = weights.dropFirst().reduce(1, *)
    channels = weights[1]
    if node.operation == .convolution {
      guard weights.count == 4 else {
        throw CompressionError("node '\(node.name)'", "is no convolution of images")
      }
      window = try Graphs.Window(node, kernel: Array(weights[2...]))
    } else {
      guard node.int("transA", default: 0) == 0 else {
        throw CompressionError("node '\(node.name)'", "reads its inputs transposed")
      }
      window = nil
    }
    let count = size * size
    moments = (0..<groups).map { _ in AlignedBuffer(count: count) }
    self.products = products
  }

  /// Adds a batch of inputs, `[images, channels, height, width]` or `[rows, columns]`.
  mutating func add(_ values: [Float], shape: [Int]) throws {
    let images = shape[0]
    let area = window.map { window in
      (0..<2).map { window.outputExtent(shape[2 + $0], axis: $0) ?? 0 }
    }
    let perImage = area.map { $0[0] * $0[1] } ?? 1
    guard perImage > 0 else { return }
    // Columns of some 32 MB at a time.
    let step = max(1, min(images, 8_000_000 / max(1, size * perImage)))
    for first in stride(from: 0, to: images, by: step) {
      let count = min(step, images - first)
      for group in moments.indices {
        let laidOut = AlignedBuffer<Float>(count: size * count * perImage)
        fill(laidOut, values, shape, area, images: first..<first + count, group: group)
        try addProduct(of: laidOut, columns: count * perImage, to: moments[group])
      }
      columns += count * perImage
    }
  }

  /// Divides by the number of columns and fills in what is symmetric.
  func finish() {
    let factor = 1 / Float(max(1, columns))
    let size = size
    for matrix in moments {
      nonisolated(unsafe) let h = matrix.pointer  // each row of the lower half has one writer
      Parallel.forEach(size, grain: 1) { rows in
        for i in rows {
          for j in 0...i { h[i * size + j] *= factor }
        }
      }
      Parallel.forEach(size, grain: 1) { rows in
        for i in rows {
          for j in i + 1..<max(i + 1, size) { h[i * size + j] = h[j * size + i] }
        }
      }
    }
  }

  /// The lower half of `x xᵀ`, in bands of rows.
  private func addProduct(
    of x: AlignedBuffer<Float>, columns: Int, to sum: AlignedBuffer<Float>
  ) throws {
    let all = MatrixProducts.Operand.rows(x.pointer, stride: columns)
    for first in stride(from: 0, to: size, by: 512) {
      let rows = min(512, size - first)
      try products.multiply(
        [rows, columns, first + rows], .rows(x.pointer + first * columns, stride: columns),
        all.transposed, into: .rows(sum.pointer + first * size, stride: size), .add)
    }
  }

  /// Lays the inputs under the kernel out, one row for every weight of an output channel.
  private func fill(
    _ result: AlignedBuffer<Float>, _ values: [Float], _ shape: [Int], _ area: [Int]?,
    images: Range<Int>, group: Int
  ) {
    let (size, channels) = (size, channels)
    nonisolated(unsafe) let out = result.pointer  // each row has one writer
    values.withUnsafeBufferPointer { values in
      nonisolated(unsafe) let values = values
      guard let window, let area else {
        Parallel.forEach(size, grain: 1) { rows in
          for row in rows {
            for (i, image) in images.enumerated() {
              out[row * images.count + i] = values[image * size + row]
            }
          }
        }
        return
      }
      let (height, width) = (shape[2], shape[3])
      let kernel = window.kernel[0] * window.kernel[1]
      Parallel.forEach(size, grain: 1) { rows in
        for row in rows {
          let channel = group * channels + row / kernel
          let (ky, kx) = (row % kernel / window.kernel[1], row % window.kernel[1])
          var next = row * images.count * area[0] * area[1]
          for image in images {
            let plane = (image * shape[1] + channel) * height * width
            for oy in 0..<area[0] {
              let y = oy * window.strides[0] - window.padsBegin[0] + ky * window.dilations[0]
              guard 0..<height ~= y else {
                next += area[1]  // padding is zero, as the buffer is
                continue
              }
              for ox in 0..<area[1] {
                let x = ox * window.strides[1] - window.padsBegin[1] + kx * window.dilations[1]
                if 0..<width ~= x { out[next] = values[plane + y * width + x] }
                next += 1
              }
            }
          }
        }
      }
    }
  }
}
