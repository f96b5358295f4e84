import Compression
import Faces
import Fairness
import Files
import Foundation
import Graphs
import Predictions
import Training

/// A model of a study with everything that was made of it.
struct Made {
  /// The model's file; of a repaired model that of the model whose predictions it repairs.
  var file: String
  /// The SHA-256 of the model's file.
  var hash: String
  /// The file of the test predictions.
  var predictions: String
  /// The test predictions; decisions 0 and 1 of a repaired model.
  var test: Predictions
  /// The file of the validation predictions; nil for a repaired model.
  var validation: String?
  /// The validation predictions; nil for a repaired model.
  var validated: Predictions?
  /// The epochs of training; empty for models that are not trained.
  var epochs: [EpochRecord] = []
  /// How the predictions were repaired.
  var repair: StudyResult.RepairRecord?
  /// The SHA-256 of every file, by name.
  var files: [String: String]
}

/// Makes the models of one seed, one after another, each part only if it is not there already.
struct Bench {
  let study: Study
  let seed: UInt64
  /// The fingerprint of the data.
  let data: String
  /// What was made, by key.
  private(set) var made: [String: Made] = [:]

  init(study: Study, seed: UInt64, data: String) {
    self.study = study
    self.seed = seed
    self.data = data
  }

  var book: Workbook { study.book }

  /// Makes the model of a recipe and its predictions.
  mutating func make(
    _ recipe: Study.Recipe, _ report: (Study.Event) -> Void
  ) throws -> Made {
    let result: Made
    if case .repair(let fit) = recipe.work {
      result = try repair(recipe, fit, report)
    } else {
      result = try model(recipe, report)
    }
    made[recipe.model] = result
    return result
  }

  /// The name of a file of this seed.
  private func name(_ model: String, _ ending: String) -> String {
    "seed-\(seed)/\(model).\(ending)"
  }

  private func base(of recipe: Study.Recipe) -> Made? {
    recipe.base.map { key in
      guard let base = made[key] else {
        preconditionFailure("\(key) is made before \(recipe.model)")
      }
      return base
    }
  }

  private func model(
    _ recipe: Study.Recipe, _ report: (Study.Event) -> Void
  ) throws -> Made {
    let file = name(recipe.model, "onnx")
    let base = base(of: recipe)
    var inputs = ["data": data, "settings": try recipe.settings(seed)]
    if let base { inputs["base"] = base.hash }
    var log: String?
    if case .train = recipe.work { log = name(recipe.model, "epochs.json") }
    let part = try book.part(
      "seed-\(seed)/\(recipe.model)", from: inputs, gives: [file] + [log].compactMap(\.self)
    ) {
      report(.part(file, isMade: false))
      let before = try base.map { try ONNXFile.read(book.path($0.file)) }
      switch recipe.work {
      case .take(let take): try ONNXFile.write(try take(seed), to: book.path(file))
      case .train(let train):
        let result = try train(seed, before, report)
        if let log {
          try Files.replace(
            book.path(log), with: Array(try JSONEncoder.stable.encode(result.epochs)))
        }
        try ONNXFile.write(result.graph, to: book.path(file))
      case .compress(let compress):
        guard let before else { preconditionFailure("\(recipe.model) is made from a model") }
        try ONNXFile.write(try compress(seed, before), to: book.path(file))
      case .repair: preconditionFailure("a repair makes no model")
      }
    }
    if !part.made { report(.part(file, isMade: true)) }
    let hash = part.hashes[file] ?? ""
    let (test, testHash) = try predict(file, hash, .test, to: name(recipe.model, "csv"), report)
    let (validated, validationHash) = try predict(
      file, hash, .validation, to: name(recipe.model, "validation.csv"), report)
    var result = Made(
      file: file, hash: hash, predictions: name(recipe.model, "csv"), test: test,
      validation: name(recipe.model, "validation.csv"), validated: validated,
      files: part.hashes)
    result.files[result.predictions] = testHash
    result.files[name(recipe.model, "validation.csv")] = validationHash
    if let log {
      result.epochs = try JSONDecoder().decode(
        [EpochRecord].self, from: Data(Files.read(book.path(log))))
    }
    return result
  }

  /// The predictions of a model file for one split, and the digest of their file.
  private func predict(
    _ model: String, _ hash: String, _ split: Split, to file: String,
    _ report: (Study.Event) -> Void
  ) throws -> (Predictions, String) {
    let part = try book.part(
      "\(file)-predictions", from: ["data": data, "model": hash], gives: [file]
    ) {
      // Read back: what is measured is the file, not the graph it was written from.
      let graph = try ONNXFile.read(book.path(model))
      let found = try Predictor.predict(graph, on: study.dataset, split: split) { done, of in
        report(.rows(file, done: done, of: of))
      }
      try found.predictions.write(to: book.path(file))
    }
    return (try read(file), part.hashes[file] ?? "")
  }

  /// A predictions file; rows of one person belong together where that is known.
  private func read(_ file: String) throws -> Predictions {
    var options = ReadingOptions()
    if study.dataset.identities != nil { options.identity = "identity" }
    return try Predictions.reading(book.path(file), options: options).predictions
  }

  private func repair(
    _ recipe: Study.Recipe, _ fit: (Outcomes, Outcomes) throws -> Repair,
    _ report: (Study.Event) -> Void
  ) throws -> Made {
    guard let base = base(of: recipe), let own = base.validated, let validation = base.validation
    else { preconditionFailure("\(recipe.model) repairs a model") }
    let first = made[study.recipes[0].model] ?? base
    let (rules, file) = (name(recipe.model, "repair.json"), name(recipe.model, "csv"))
    let inputs = [
      "settings": try recipe.settings(seed), "own": base.files[validation] ?? "",
      "first": first.validation.flatMap { first.files[$0] } ?? "",
      "test": base.files[base.predictions] ?? "",
    ]
    let part = try book.part("seed-\(seed)/\(recipe.model)", from: inputs, gives: [rules, file]) {
      report(.part(rules, isMade: false))
      let repair = try fit(own.outcomes, (first.validated ?? own).outcomes)
      try Files.replace(book.path(rules), with: try repair.json())
      let (_, decisions) = try base.test.repaired(by: repair, seed: seed)
      var decided = base.test
      decided.scores = decisions.map { $0 ? 1 : 0 }
      try decided.write(to: book.path(file))
    }
    if !part.made { report(.part(rules, isMade: true)) }
    // Read back, as a server would.
    let repair = try Repair(contentsOf: book.path(rules))
    let outcomes = base.test.outcomes
    let probabilities = try repair.probabilities(scores: outcomes.scores, groups: outcomes.groups)
    let expected = try Audit(
      Tally(probabilities: probabilities, labels: outcomes.labels, groups: outcomes.groups))
    return Made(
      file: base.file, hash: base.hash, predictions: file, test: try read(file),
      repair: StudyResult.RepairRecord(
        file: rules, bytes: try Files.read(book.path(rules)).count, method: repair.method,
        needsGroup: repair.needsGroup, notes: repair.fit.notes,
        expected: StudyResult.Expected(
          accuracy: expected.overall[.accuracy] ?? Rate(undefined: "not computed"),
          groups: expected.groups, gaps: expected.gaps)),
      files: part.hashes)
  }
}
