import Files
import Foundation
import Graphs
public import Tensors

/// A run put to sleep: one safetensors file of plain arrays, with the position in its metadata.
///
/// Arrays are row-major `float32` and named `weights/NAME`, `momenta/NAME` and, where the best epoch
/// is not the current state, `best/NAME`; `weights/` has the running statistics too. The metadata
/// entry `equant.training` is the ``TrainingState`` as JSON.
public struct Checkpoint: Hashable, Sendable {
  /// The position, settings and log.
  public var state: TrainingState
  /// Weights, biases and running statistics by their names in the graph.
  public var weights: [String: Tensor]
  /// The optimiser's velocities by the names of their weights.
  public var momenta: [String: Tensor]
  /// The best epoch's weights and statistics; empty when they are ``weights`` or there is none yet.
  public var best: [String: Tensor]

  /// A checkpoint of the given parts.
  public init(
    state: TrainingState, weights: [String: Tensor], momenta: [String: Tensor],
    best: [String: Tensor]
  ) {
    self.state = state
    self.weights = weights
    self.momenta = momenta
    self.best = best
  }

  private static let key = "equant.training"

  /// Whether every number is finite, so that training can go on from here.
  public var isFinite: Bool {
    for tensors in [weights, momenta, best] {
      for tensor in tensors.values where !tensor.isFinite { return false }
    }
    return true
  }

  /// Writes the checkpoint; what was at `path` stays whole until the new file is.
  ///
  /// - Throws: `FileError` when writing fails.
  public func write(to path: String) throws {
    var tensors: [String: Tensor] = [:]
    for (folder, part) in [("weights", weights), ("momenta", momenta), ("best", best)] {
      for (name, tensor) in part { tensors["\(folder)/\(name)"] = tensor }
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let position = String(decoding: try encoder.encode(state), as: UTF8.self)
    try Safetensors.write(tensors, metadata: [Self.key: position], to: path)
  }

  /// Reads a checkpoint.
  ///
  /// - Throws: `FileError` when the file cannot be read, is not safetensors, or is another program's.
  public init(reading path: String) throws {
    let file = try Safetensors.readContents(path)
    guard let text = file.metadata[Self.key] else {
      throw FileError(path, "is not a training checkpoint: the metadata lack '\(Self.key)'")
    }
    do {
      state = try JSONDecoder().decode(TrainingState.self, from: Data(text.utf8))
    } catch {
      throw FileError(path, "has a training position that cannot be understood")
    }
    (weights, momenta, best) = ([:], [:], [:])
    for (name, tensor) in file.tensors {
      let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
      guard parts.count == 2, tensor.elementType == .float32 else {
        throw FileError(path, "has an unexpected tensor '\(name)' of \(tensor.elementType)")
      }
      switch parts[0] {
      case "weights": weights[parts[1]] = tensor
      case "momenta": momenta[parts[1]] = tensor
      case "best": best[parts[1]] = tensor
      default: throw FileError(path, "has an unexpected tensor '\(name)'")
      }
    }
  }
}

extension Tensor {
  /// Whether no `float32` element is infinite or not a number.
  var isFinite: Bool {
    guard elementType == .float32 else { return true }
    return bytes.withUnsafeBytes { raw in
      var good = true
      // The exponent's bits are all ones in infinities and in what is not a number.
      for offset in stride(from: 0, to: raw.count, by: 4) {
        let bits = raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
        good = good && bits & 0x7f80_0000 != 0x7f80_0000
      }
      return good
    }
  }
}
