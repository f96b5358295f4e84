import Graphs
import Tensors

/// Removes channels: the filters that write them, and the weights that read them.
///
/// The network computes what it would if the removed filters and their biases were zero, with smaller
/// layers.
struct ChannelRemoval: GraphPass {
  /// Sets of channels with those that stay, ascending and at least one.
  var kept: [(set: ChannelSet, channels: [Int])]

  func rewrite(_ graph: Graph) -> Graph {
    var result = graph
    for (set, channels) in kept {
      for position in set.producers {
        let node = graph.nodes[position]
        for name in node.inputs.dropFirst() where !name.isEmpty {
          result.initializers[name] = result.initializers[name]?.rows(channels)
        }
        // One group for each channel.
        if node.int("group", default: 1) > 1 {
          result.nodes[position].attributes["group"] = .int(channels.count)
        }
      }
      for consumer in set.consumers {
        let name = graph.nodes[consumer.node].inputs[1]
        let inputs = channels.flatMap { channel in
          (0..<consumer.inputsPerChannel).map { channel * consumer.inputsPerChannel + $0 }
        }
        result.initializers[name] = result.initializers[name]?.columns(inputs)
      }
    }
    return result
  }
}

extension Tensor {
  /// The given parts along the first axis of a `float32` tensor.
  fileprivate func rows(_ chosen: [Int]) -> Tensor {
    let size = shape.dropFirst().reduce(1, *)
    let values = floats
    return Tensor(
      shape: [chosen.count] + shape.dropFirst(),
      chosen.flatMap { values[$0 * size..<($0 + 1) * size] })
  }

  /// The given parts along the second axis of a `float32` tensor.
  fileprivate func columns(_ chosen: [Int]) -> Tensor {
    let (count, size) = (shape[1], shape.dropFirst(2).reduce(1, *))
    let values = floats
    var result: [Float] = []
    result.reserveCapacity(shape[0] * chosen.count * size)
    for row in 0..<shape[0] {
      for column in chosen {
        let first = (row * count + column) * size
        result += values[first..<first + size]
      }
    }
    return Tensor(shape: [shape[0], chosen.count] + shape.dropFirst(2), result)
  }
}
