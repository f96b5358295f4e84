extension Graph {
  /// The graph for any number of images, where it was exported for one number only.
  ///
  /// Exporters that are not told otherwise fix the batch. It is let free where the shapes still
  /// follow for another number; where a node insists on it, the graph stays as it is.
  public func freeingBatch() -> Graph {
    guard inputs.count == 1, let declared = inputs[0].shape.first else { return self }
    // Exporters may also free the input alone, and leave an output declared for one image.
    let fixed = declared ?? outputs.first?.shape.first ?? nil
    guard let fixed else { return self }
    var free = self
    free.inputs[0].shape[0] = nil
    for index in free.outputs.indices where free.outputs[index].shape.first == fixed {
      free.outputs[index].shape[0] = nil
    }
    var shape = inputs[0].shape.map { $0 ?? 64 }
    shape[0] = fixed + 1
    guard let types = try? free.inferShapes(inputs: [inputs[0].name: shape]),
      outputs.allSatisfy({ output in
        output.shape.first != fixed || types[output.name]?.shape.first == fixed + 1
      })
    else { return self }
    return free
  }
}
