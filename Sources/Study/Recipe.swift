import Compression
import Fairness
import Files
import Graphs
import Training

extension Study {
  /// How one line of the tables comes about.
  ///
  /// To add a line to every study, add a recipe to ``Study/recipes``.
  struct Recipe {
    /// A key for programs and file names.
    var model: String
    /// A name for people.
    var title: String
    /// The model it is made from, by key; nil when it is made from data alone.
    var base: String?
    /// Further models it is held against, as what was before, by key.
    var against: [String] = []
    /// The line of a figure that the model is a point of, where there is one.
    var series: String?
    /// Whether gaps are to be closed, not only kept.
    var closesGaps = false
    /// Whether the model's file carries a certificate if its limits are kept.
    var isUnderLimits = false
    /// How weights are stored, where that can be tried on one layer at a time.
    var stores: Scheme?
    /// Everything else that decides the result, as text.
    var settings: (_ seed: UInt64) throws -> String
    /// How it is made.
    var work: Work
  }

  /// The ways in which a line of the tables is made.
  enum Work {
    /// A model was trained before, and is taken as it is.
    case take((_ seed: UInt64) throws -> Graph)
    /// A model is trained, from the base model's weights if it has a base.
    case train((_ seed: UInt64, _ base: Graph?, _ report: (Event) -> Void) throws -> TrainingResult)
    /// The base model is made smaller.
    case compress((_ seed: UInt64, _ base: Graph) throws -> Graph)
    /// The base model's predictions are repaired.
    ///
    /// The repair is fitted on the base model's own validation predictions; those of the first
    /// model of the study, which nothing was done to, are at hand too.
    case repair((_ own: Outcomes, _ first: Outcomes) throws -> Repair)

    /// The key of ``StudyResult/Model/kind``.
    var kind: StudyResult.Kind {
      switch self {
      case .take, .train: .trained
      case .compress: .compressed
      case .repair: .repaired
      }
    }
  }

  /// A model that is trained with the study's settings and a change of them.
  ///
  /// It starts from the weights of `base`, with the smaller learning rate of fine-tuning, or
  /// without a base where the study does. The seed is set before `change` is called.
  func trained(
    _ model: String, _ title: String, from base: String? = nil,
    change: @escaping (inout TrainingSettings) -> Void = { _ in }
  ) -> Recipe {
    func settings(_ seed: UInt64) -> TrainingSettings {
      var training = self.settings.training
      training.seed = seed
      if base != nil {
        training.optimizer.learningRate = min(0.01, training.optimizer.learningRate)
        training.epochs = self.settings.furtherEpochs
      }
      change(&training)
      return training
    }
    return Recipe(
      model: model, title: title, base: base,
      settings: { seed in
        try Self.text(settings(seed)) + (base == nil ? try start(seed).fingerprint : "")
      },
      work: .train { seed, base, report in
        let settings = settings(seed)
        let trainer = try Trainer(
          settings, dataset: dataset, graph: try base ?? start(seed),
          checkpoints: CheckpointPlan(path: book.path("seed-\(seed)/\(model).checkpoint")))
        return try trainer.run(shouldStop: shouldStop) {
          report(.training($0, epochs: settings.epochs))
        }
      })
  }

  /// The model that everything starts from: one that was given for the seed, or else a trained one.
  func first(_ model: String, _ title: String) -> Recipe {
    guard !settings.given.isEmpty else { return trained(model, title) }
    func path(_ seed: UInt64) -> String {
      settings.given[settings.seeds.firstIndex(of: seed) ?? 0]
    }
    return Recipe(
      model: model, title: title, base: nil,
      settings: { seed in SHA256.hex(try Files.read(path(seed))) },
      work: .take { seed in try ONNXFile.read(path(seed)) })
  }

  /// A model that `make` makes smaller from `base`, as `settings` say.
  func compressed(
    _ model: String, _ title: String, of base: String, stores: Scheme? = nil,
    settings: some Encodable, make: @escaping (_ base: Graph, _ seed: UInt64) throws -> Graph
  ) -> Recipe {
    Recipe(
      model: model, title: title, base: base, stores: stores,
      settings: { _ in try Self.text(settings) },
      work: .compress { seed, base in try make(base, seed) })
  }

  /// A model whose predictions are repaired; `fit` is given validation predictions only.
  func repaired(
    _ model: String, _ title: String, of base: String, against: [String] = [], settings: String,
    fit: @escaping (_ own: Outcomes, _ first: Outcomes) throws -> Repair
  ) -> Recipe {
    Recipe(
      model: model, title: title, base: base, against: against, settings: { _ in settings },
      work: .repair(fit))
  }
}
