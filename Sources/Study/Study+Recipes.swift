import Compression
import Fairness
import Training

extension Study {
  /// The lines of the tables that a study can make, each after the ones it is made from.
  var recipes: [Recipe] {
    [
      trained("fine-tuned", "Fine-tuned (normal)"),
      quantized("int8", "Quantized", of: "fine-tuned"),
      calibratedOdds("calibrated-eo", "Calibrated EO, before quantization", of: "fine-tuned"),
      calibratedOdds(
        "calibrated-eo-int8", "Calibrated EO, quantized", of: "int8", against: ["calibrated-eo"]),
      rethresholded("rethreshold-int8", "Quantized, re-thresholded", of: "int8"),
    ]
  }

  /// The int8 twin of a model, calibrated on training images.
  private func quantized(_ model: String, _ title: String, of base: String) -> Recipe {
    compressed(model, title, of: base, settings: settings.quantization) { graph, _ in
      try quantizeInt8(
        graph, on: dataset, preprocessing: settings.training.preprocessing,
        settings: settings.quantization
      ).graph
    }
  }

  /// Calibrated equalized odds on a model's predictions, as in the poster.
  private func calibratedOdds(
    _ model: String, _ title: String, of base: String, against: [String] = []
  ) -> Recipe {
    let options = CalibratedEqualizedOddsOptions()
    return repaired(model, title, of: base, against: against, settings: "\(options)") { own, _ in
      try .calibratedEqualizedOdds(own, options: options)
    }
  }

  /// The threshold moved until as many are called positive as by the first model: what is left of
  /// a compression's harm when its shift of all scores is taken back.
  private func rethresholded(_ model: String, _ title: String, of base: String) -> Recipe {
    repaired(model, title, of: base, against: ["fine-tuned"], settings: "selection-rate") {
      own, first in
      let calledPositive = Tally(first).overall.rate(.selectionRate).value ?? 0
      return try .groupBlind(own, options: GroupBlindOptions(target: calledPositive))
    }
  }
}
