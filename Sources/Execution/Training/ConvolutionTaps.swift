import Graphs
import OneDNN
import Tensors

/// The weight gradient of a convolution as matrix products, one or a few for each tap.
///
/// The gradient of tap `(y, x)` is the sum, over the pixels of the result that the tap reaches, of
/// the source's channels times the result gradient's channels, over the batch. Where images are
/// small, that is less work, and better formed, than sliding along rows of 2 or 4 pixels as the
/// direct kernels do.
///
/// Both arrays are laid out pixel by pixel, each pixel a matrix `[batch, channels]`, so that
/// neighbouring pixels are more rows of one matrix.
struct ConvolutionTaps {
  /// `[batch, channels, height, width]` of the source.
  let source: [Int]
  /// `[batch, channels, height, width]` of the result.
  let result: [Int]
  let kernel: [Int]
  let window: OneDNN.Window

  /// A product of `pixels` neighbours from one pixel of the source and one of the result.
  struct Product: Hashable {
    var tap: Int
    var sourcePixel: Int
    var resultPixel: Int
    var pixels: Int
  }

  /// Whether images are so small that products take less time than the direct kernel.
  ///
  /// Measured on ResNet-18's 3 x 3 convolutions, one thread of a Zen 4 core: at 2 x 2 pixels 3 ms
  /// instead of 25 in bfloat16, at 4 x 4 4 instead of 9, at 8 x 8 about the same, at 16 x 16 more.
  /// Strides above 1 part the neighbours, so that products are smaller and more.
  var isFasterThanDirect: Bool {
    let pixels = result[2] * result[3]
    let limit = window.strides == [1, 1] ? 64 : 16
    return kernel != [1, 1] && pixels <= limit && source[1] % 16 == 0 && result[1] % 16 == 0
  }

  /// Whether products take less time where there is a bias, whose gradient is then a sum of its own.
  ///
  /// With AVX2 alone oneDNN has a bias only in its direct kernels, and none for images of 2 x 2 pixels
  /// and fewer: its plain loops take 5 to 12 s for a step of one such layer.
  var isFasterWithBias: Bool { isFasterThanDirect && result[2] * result[3] <= 16 }

  /// The products of all taps, tap by tap.
  var products: [Product] {
    var products: [Product] = []
    for y in 0..<kernel[0] {
      for x in 0..<kernel[1] { products += productsOfTap(y, x) }
    }
    return products
  }

  private func productsOfTap(_ y: Int, _ x: Int) -> [Product] {
    var products: [Product] = []
    for row in reached(axis: 0, tap: y) {
      for column in reached(axis: 1, tap: x) {
        let next = Product(
          tap: y * kernel[1] + x,
          sourcePixel: sourceIndex(axis: 0, tap: y, result: row) * source[3]
            + sourceIndex(axis: 1, tap: x, result: column),
          resultPixel: row * result[3] + column, pixels: 1)
        // Pixels that follow each other in both arrays are more rows of the same matrices.
        if let last = products.last, last.sourcePixel + last.pixels == next.sourcePixel,
          last.resultPixel + last.pixels == next.resultPixel
        {
          products[products.count - 1].pixels += 1
        } else {
          products.append(next)
        }
      }
    }
    return products
  }

  /// Weights tap by tap, each a matrix `[inputs, outputs]`.
  func weightsLayout() throws -> Layout {
    let (inputs, outputs) = (source[1], result[1])
    return try Layout(
      [outputs, inputs] + kernel, .float32,
      .strides([1, outputs, kernel[1] * inputs * outputs, inputs * outputs]))
  }

  /// Images of `shape` pixel by pixel.
  func pixelLayout(_ shape: [Int], _ type: ElementType) throws -> Layout {
    let (batch, channels) = (shape[0], shape[1])
    return try Layout(
      shape, type, .strides([channels, 1, shape[3] * batch * channels, batch * channels]))
  }

  private func sourceIndex(axis: Int, tap: Int, result: Int) -> Int {
    result * window.strides[axis] + tap * window.dilations[axis] - window.begins[axis]
  }

  /// The rows or columns of the result for which the tap falls into the source.
  private func reached(axis: Int, tap: Int) -> [Int] {
    (0..<result[axis + 2]).filter {
      (0..<source[axis + 2]).contains(sourceIndex(axis: axis, tap: tap, result: $0))
    }
  }
}

extension TrainingCompiler {
  /// Writes the products of `taps`, and the sums over pixels and images that the bias's gradient is.
  ///
  /// A tap that reaches no pixel has no product: its gradient stays as it was allocated, zero.
  func writeTaps(
    _ taps: ConvolutionTaps, _ node: Node, source: Operand, gradient: Operand,
    into weights: Operand, bias: Operand?
  ) throws {
    let images = try ordered(
      source, as: taps.pixelLayout(taps.source, activationType), .reorderData, node.name)
    let gradients = try ordered(
      gradient, as: taps.pixelLayout(taps.result, activationType), .reorderData, node.name)
    let (batch, inputs, outputs) = (taps.source[0], taps.source[1], taps.result[1])
    let width = activationType.bits / 8
    if let bias {
      // A product with a row of ones: oneDNN's own sums over rows are plain loops.
      let rows = taps.result[2] * taps.result[3] * batch
      let ones = Operand(
        layout: try Layout([1, rows], activationType), place: .fixed(ones(rows)))
      let pixels = Operand(
        layout: try Layout([rows, outputs], activationType), place: gradients.place)
      let sums = Operand(layout: try Layout([1, outputs], .float32), place: bias.place)
      try writer.run(
        .convolutionBackwardWeights, node.name,
        .matrixProduct(
          source: ones.layout, weights: pixels.layout, destination: sums.layout, on: engine),
        [(.source, ones), (.weights, pixels), (.destination, sums)])
    }
    var written: Set<Int> = []
    for product in taps.products {
      let rows = product.pixels * batch
      let left = Operand(
        layout: try Layout([inputs, rows], activationType, .strides([1, inputs])),
        place: images.place, byteOffset: product.sourcePixel * batch * inputs * width)
      let right = Operand(
        layout: try Layout([rows, outputs], activationType), place: gradients.place,
        byteOffset: product.resultPixel * batch * outputs * width)
      let tap = Operand(
        layout: try Layout([inputs, outputs], .float32), place: weights.place,
        byteOffset: product.tap * inputs * outputs * 4)
      var attributes = Attributes()
      if !written.insert(product.tap).inserted { attributes.postOperations = [.sum()] }
      try writer.run(
        .convolutionBackwardWeights, node.name,
        .matrixProduct(
          source: left.layout, weights: right.layout, destination: tap.layout,
          attributes: attributes, on: engine),
        [(.source, left), (.weights, right), (.destination, tap)])
    }
  }
}
