import Execution
import OneDNN

/// The model that is tuned: a session that computes with what the file would hold, and the numbers
/// behind each of its parameters.
struct Student {
  /// Computes with the weights as they are; another one in its place has to have the same.
  var session: TrainingSession
  private(set) var weights: [LatentWeights] = []
  private var slots: [Int] = []
  /// Room for each tensor's gradient.
  private var gradients: [[Float]] = []

  init(_ session: TrainingSession) { self.session = session }

  /// The names of the tensors.
  var names: [String] { slots.map { session.slots[$0].name } }

  /// The places of the tensors whose name is wanted.
  func places(where isWanted: (String) -> Bool) -> [Int] {
    slots.indices.filter { isWanted(session.slots[slots[$0]].name) }
  }

  mutating func add(_ tensor: LatentWeights, slot: Int) {
    weights.append(tensor)
    slots.append(slot)
    gradients.append([Float](repeating: 0, count: session.slots[slot].shape.reduce(1, *)))
  }

  /// Puts other numbers behind the tensors at some places, given their names and the old ones.
  mutating func replace(
    _ places: [Int], by change: (String, LatentWeights) throws -> LatentWeights
  ) throws {
    for place in places {
      weights[place] = try change(names[place], weights[place])
      try load(place)
    }
  }

  /// Drops all weights but some from the tensor at a place.
  mutating func keep(_ kept: [Bool], at place: Int) throws {
    weights[place].keep(kept)
    try load(place)
  }

  /// One step of every tensor along the gradients of the last backward pass.
  mutating func step(rate: Float, number: Int) throws {
    for place in slots.indices {
      try gradients[place].withUnsafeMutableBufferPointer {
        try session.read(.gradients, slot: slots[place], into: $0)
      }
    }
    let gradients = gradients
    weights.withUnsafeMutableBufferPointer { weights in
      // In place: a tensor that is known twice would be copied before it moves.
      nonisolated(unsafe) let weights = weights
      Parallel.forEach(weights.count, grain: 1) { places in
        for place in places { weights[place].step(gradients[place], rate: rate, number: number) }
      }
    }
    for place in slots.indices { try load(place) }
  }

  /// Makes the session compute with what the file would hold.
  private func load(_ place: Int) throws {
    try weights[place].decodedElements.withUnsafeBufferPointer {
      try session.write($0, slot: slots[place])
    }
  }
}
