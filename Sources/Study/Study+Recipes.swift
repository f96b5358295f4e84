import Compression
import Faces
import Graphs
import Training

extension Study {
  /// The lines of the tables, each after the one it is made from.
  var recipes: [Recipe] { [fineTuned, quantized] }

  /// The float model.
  private var fineTuned: Recipe {
    Recipe(
      model: "fine-tuned", title: "Fine-tuned (normal)",
      settings: { seed in
        var training = settings.training
        training.seed = seed
        return try Self.text(training) + (try start(seed)).fingerprint
      },
      make: { seed, _, report in
        var training = settings.training
        training.seed = seed
        let trainer = try Trainer(
          training, dataset: dataset, graph: try start(seed),
          checkpoints: CheckpointPlan(path: book.path("seed-\(seed)/fine-tuned.checkpoint")))
        return try trainer.run(shouldStop: shouldStop) { report(.training($0)) }.graph
      })
  }

  /// Its int8 twin, calibrated on training images.
  private var quantized: Recipe {
    Recipe(
      model: "int8", title: "Quantized", base: "fine-tuned",
      settings: { _ in try Self.text(settings.quantization) },
      make: { _, base, _ in
        guard let base else { preconditionFailure("the int8 model has a base") }
        return try quantizeInt8(
          base, on: dataset, preprocessing: settings.training.preprocessing,
          settings: settings.quantization
        ).graph
      })
  }
}
