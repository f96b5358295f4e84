import Compression
import Faces
import Files
import Foundation
import Graphs
import Training

extension Bench {
  /// Compresses the layers of every float model one at a time, as its smallest compressed model has
  /// them all.
  ///
  /// The rows are of the validation split: what is learnt here may decide how a model is stored.
  func sensitivity(
    of recipes: [Study.Recipe], _ report: (Study.Event) -> Void
  ) throws -> [StudyResult.Sensitivity] {
    let rows = study.dataset.rows(in: .validation, limit: study.settings.sensitivityRows)
    guard !rows.isEmpty else { return [] }
    var smallest: [String: (recipe: Study.Recipe, scheme: Scheme, bytes: Int)] = [:]
    for recipe in recipes {
      guard let scheme = recipe.stores, let base = recipe.base, let made = made[recipe.model]
      else { continue }
      let bytes = try Files.read(book.path(made.file)).count
      if smallest[base].map({ bytes < $0.bytes }) ?? true {
        smallest[base] = (recipe, scheme, bytes)
      }
    }
    return try recipes.compactMap { base in
      guard let (recipe, scheme, _) = smallest[base.model], let float = made[base.model] else {
        return nil
      }
      return StudyResult.Sensitivity(
        model: recipe.model, base: base.model, seed: seed, split: "validation",
        measured: try measured(recipe, scheme, float, rows, report))
    }
  }

  private func measured(
    _ recipe: Study.Recipe, _ scheme: Scheme, _ float: Made, _ rows: [Int],
    _ report: (Study.Event) -> Void
  ) throws -> LayerSensitivity {
    let file = "seed-\(seed)/\(recipe.model).layers.json"
    let inputs = [
      "data": data, "base": float.hash, "settings": try recipe.settings(seed),
      "rows": String(rows.count),
    ]
    let part = try book.part("seed-\(seed)/\(recipe.model)-layers", from: inputs, gives: [file]) {
      report(.part(file, isMade: false))
      let found = try withoutActuallyEscaping(report) { report in
        try LayerSensitivity.measure(
          ONNXFile.read(book.path(float.file)), scheme: scheme, int8: study.settings.quantization,
          on: CompressionImages(
            study.dataset, preprocessing: study.settings.training.preprocessing), rows: rows
        ) { done, total in
          report(.rows(file, done: done, of: total))
        }
      }
      try Files.replace(book.path(file), with: Array(try JSONEncoder.stable.encode(found)))
    }
    if !part.made { report(.part(file, isMade: true)) }
    return try JSONDecoder().decode(
      LayerSensitivity.self, from: Data(Files.read(book.path(file))))
  }
}
