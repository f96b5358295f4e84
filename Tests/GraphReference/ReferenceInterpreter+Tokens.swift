import Foundation
import Graphs
import Tensors

/// Padding, resizing and the operators of transformers, by their definitions.
extension ReferenceInterpreter {
  func token(_ node: Node, _ operands: [Array4?], _ shape: [Int]) -> Array4 {
    let x = operands[0]!
    /// The indices of flat element `i` of an array of `shape`.
    func place(_ i: Int, _ shape: [Int]) -> [Int] {
      var (rest, place) = (i, shape)
      for axis in shape.indices.reversed() {
        place[axis] = rest % shape[axis]
        rest /= shape[axis]
      }
      return place
    }
    func element(_ array: Array4, _ place: [Int]) -> Double {
      array.values[zip(place, array.shape).reduce(0) { $0 * $1.1 + $1.0 }]
    }
    switch node.operation {
    case .pad:
      let pads = operands[1]!.values.map { Int($0) }
      let value = operands.count > 2 ? operands[2]!.values[0] : 0
      return Array4(shape) { i in
        let at = zip(place(i, shape), pads).map { $0 - $1 }
        return zip(at, x.shape).allSatisfy { 0..<$1 ~= $0 } ? element(x, at) : value
      }
    case .pRelu:
      let slopes = operands[1]!.values
      let inner = shape[2...].reduce(1, *)
      return Array4(shape) { i in
        let slope = slopes.count == 1 ? slopes[0] : slopes[i / inner % shape[1]]
        return x.values[i] < 0 ? slope * x.values[i] : x.values[i]
      }
    case .layerNormalization:
      let count = shape.last!
      let epsilon = Double(node.float("epsilon", default: 1e-5))
      return Array4(shape) { i in
        let row = x.values[i / count * count..<(i / count + 1) * count]
        let mean = row.reduce(0, +) / Double(count)
        let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
        let shift = operands.count > 2 ? operands[2]!.values[i % count] : 0
        return (x.values[i] - mean) / (variance + epsilon).squareRoot()
          * operands[1]!.values[i % count] + shift
      }
    case .gelu:
      return Array4(shape) { i in
        let v = x.values[i]
        return node.string("approximate", default: "none") == "none"
          ? 0.5 * v * (1 + erf(v / 2.0.squareRoot()))
          : 0.5 * v * (1 + tanh((2 / Double.pi).squareRoot() * (v + 0.044715 * v * v * v)))
      }
    case .matMul:
      let y = operands[1]!
      let rank = shape.count
      func at(_ array: Array4, _ indices: [Int]) -> Double {
        let own = indices.suffix(array.shape.count)
        return element(array, zip(own, array.shape).map { $1 == 1 ? 0 : $0 })
      }
      return Array4(shape) { i in
        let indices = place(i, shape)
        return (0..<x.shape.last!).reduce(0) { sum, k in
          var (left, right) = (indices, indices)
          left[rank - 1] = k
          right[rank - 2] = k
          return sum + at(x, left) * at(y, right)
        }
      }
    case .resize:
      let scales = operands[2]!.values
      return Array4(shape) { i in
        let to = place(i, shape)
        /// For height and width: two neighbours and the second's share.
        let taps = (2...3).map { axis -> (Int, Int, Double) in
          // Where a pixel lies is computed in Float, as in ONNX Runtime.
          let (extent, count, o) = (x.shape[axis], shape[axis], Float(to[axis]))
          let factor = Float(scales[axis])
          let place: Float =
            switch node.string("coordinate_transformation_mode", default: "half_pixel") {
            case "asymmetric": o / factor
            case "align_corners": count == 1 ? 0 : o * Float(extent - 1) / Float(count - 1)
            case "pytorch_half_pixel" where count == 1: 0
            default: (o + 0.5) / factor - 0.5
            }
          let at = Double(place)
          if node.string("mode", default: "nearest") == "linear" {
            let inside = min(max(at, 0), Double(extent - 1))
            return (Int(inside), min(Int(inside) + 1, extent - 1), inside - inside.rounded(.down))
          }
          let near =
            node.string("nearest_mode", default: "round_prefer_floor") == "floor"
            ? at.rounded(.down) : (at - 0.5).rounded(.up)
          let index = min(max(Int(near), 0), extent - 1)
          return (index, index, 0)
        }
        func pixel(_ y: Int, _ column: Int) -> Double { element(x, [to[0], to[1], y, column]) }
        let (y, column) = (taps[0], taps[1])
        let top = pixel(y.0, column.0) * (1 - column.2) + pixel(y.0, column.1) * column.2
        let bottom = pixel(y.1, column.0) * (1 - column.2) + pixel(y.1, column.1) * column.2
        return top * (1 - y.2) + bottom * y.2
      }
    default: preconditionFailure("\(node.operation) is computed elsewhere")
    }
  }
}
