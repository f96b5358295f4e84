public import Files

extension PortraitPlan {
  /// People whose attributes are drawn from a statistical model of CelebA's annotation.
  ///
  /// Rows are train, then validation, then test, in the official proportions of 162 770 to 19 867
  /// to 19 962. A seed's row has the same attributes and looks whatever `count` is.
  public static func sampled(
    count: Int, seed: UInt64, from model: AnnotationModel = .celebA
  ) -> PortraitPlan {
    sampled(counts: Split.officialCounts(of: count), seed: seed, from: model)
  }

  /// People drawn from a statistical model, as many in each split as told.
  public static func sampled(
    train: Int, validation: Int, test: Int, seed: UInt64, from model: AnnotationModel = .celebA
  ) -> PortraitPlan {
    sampled(counts: [train, validation, test], seed: seed, from: model)
  }

  private static func sampled(
    counts: [Int], seed: UInt64, from model: AnnotationModel
  ) -> PortraitPlan {
    PortraitPlan(
      people: (0..<counts.reduce(0, +)).map { row in
        let attributes = model.sample(row: row, seed: seed)
        return Person(
          file: fileName(row: row), row: row, attributes: attributes,
          split: Split.of(row: row, counts: counts),
          identity: model.identity(
            row: row, counts: counts, isMale: attributes[.male], seed: seed))
      })
  }

  private static func fileName(row: Int) -> String {
    let digits = String(row + 1)
    return String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".jpg"
  }
}

extension Portraits {
  /// Draws a data set of `count` people sampled from the model of CelebA's annotation.
  ///
  /// - Returns: How many pictures were drawn and how many were there.
  /// - Throws: `FileError` as ``draw(_:into:options:progress:)`` does.
  @discardableResult
  public static func draw(
    into folder: String, count: Int, options: Options = Options(),
    progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(FileError) -> Summary {
    try draw(
      .sampled(count: count, seed: options.seed), into: folder, options: options,
      progress: progress)
  }
}
