/// What a network said about one batch, beside what is true of it.
///
/// Logits have the shape `[rows, classes]`, row-major.
public struct LabelledLogits: Hashable, Sendable {
  /// The network's outputs before softmax, shape `[labels.count, classes]`.
  public var logits: [Float]
  /// The number of classes, at least two.
  public var classes: Int
  /// The true class of every row, `0..<classes`.
  public var labels: [Int32]
  /// The protected group of every row, counted from 0.
  public var groups: [Int32]

  /// A batch of the given parts.
  ///
  /// - Precondition: the counts fit together and every label names a class.
  public init(logits: [Float], classes: Int, labels: [Int32], groups: [Int32]) {
    precondition(classes >= 2, "cross-entropy needs at least two classes, not \(classes)")
    precondition(logits.count == labels.count * classes, "one row of logits for every label")
    precondition(groups.count == labels.count, "one group for every label")
    precondition(labels.allSatisfy { $0 >= 0 && $0 < classes }, "a label is not a class")
    self.logits = logits
    self.classes = classes
    self.labels = labels
    self.groups = groups
  }

  /// The number of rows.
  public var count: Int { labels.count }
}

/// The cross-entropy of softmax outputs over two or more classes, with label smoothing.
///
/// With smoothing `s` the target of a row is `1 - s` on its label plus `s / classes` on every class.
///
/// Source: C. Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*,
/// CVPR 2016, section 7; `torch.nn.CrossEntropyLoss(label_smoothing:)`.
public struct CrossEntropy: Hashable, Codable, Sendable {
  /// How much of the target is spread evenly over all classes, 0 up to but not including 1.
  public var labelSmoothing: Double

  /// A loss with the given smoothing.
  public init(labelSmoothing: Double = 0) {
    precondition((0..<1).contains(labelSmoothing), "label smoothing is from 0 to below 1")
    self.labelSmoothing = labelSmoothing
  }

  /// The loss of every row, in nats, shape `[rows]`.
  public func losses(_ batch: LabelledLogits) -> [Double] {
    (0..<batch.count).map { row in
      let logarithms = logSoftmax(batch, row: row)
      let mean = logarithms.reduce(0, +) / Double(batch.classes)
      return -(1 - labelSmoothing) * logarithms[Int(batch.labels[row])] - labelSmoothing * mean
    }
  }

  /// The gradient of `sum(weights[row] * losses[row])` with respect to every logit.
  ///
  /// An objective that is a weighted sum of the rows' losses needs nothing else: weights of
  /// `1 / rows` give the mean's gradient.
  ///
  /// - Parameters:
  ///   - batch: Logits, labels and groups.
  ///   - weights: What one unit of each row's loss counts, shape `[rows]`; may be negative.
  /// - Returns: Gradients in the logits' shape, `[rows, classes]`.
  public func gradients(_ batch: LabelledLogits, weights: [Double]) -> [Float] {
    precondition(weights.count == batch.count, "one weight for every row")
    var gradients = [Float](repeating: 0, count: batch.logits.count)
    let spread = labelSmoothing / Double(batch.classes)
    for row in 0..<batch.count {
      let logarithms = logSoftmax(batch, row: row)
      for c in 0..<batch.classes {
        let target = spread + (c == Int(batch.labels[row]) ? 1 - labelSmoothing : 0)
        let gradient = weights[row] * (Softmax.exponential(logarithms[c]) - target)
        gradients[row * batch.classes + c] = Float(gradient)
      }
    }
    return gradients
  }

  private func logSoftmax(_ batch: LabelledLogits, row: Int) -> [Double] {
    let start = row * batch.classes
    return Softmax.logarithms(of: batch.logits[start..<start + batch.classes])
  }
}
