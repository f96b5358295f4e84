extension Repair {
  /// A number in [0, 1) that belongs to a row and a seed, whatever the order of the rows.
  ///
  /// Equal ids have equal numbers under every repair, so that two repairs of the same people differ
  /// by what they decide and not by their coins. To have the same elsewhere: the FNV-1a hash
  /// (64 bits) of the id's UTF-8 bytes, exclusive or the seed's first SplitMix64 output, is the
  /// state of a SplitMix64 generator, whose first output's upper 53 bits are the fraction.
  public static func draw(seed: UInt64, id: String) -> Double {
    var root = Random(seed: seed)
    return draw(root: root.next(), id: id)
  }

  private static func draw(root: UInt64, id: String) -> Double {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    var leaf = Random(seed: hash ^ root)
    return leaf.uniform()
  }

  /// Decides every row: positively when its draw is below its probability.
  ///
  /// Rows are named by `ids`; equal seeds decide equal rows alike.
  public static func decisions(
    _ probabilities: [Double], ids: [String], seed: UInt64
  ) -> [Bool] {
    precondition(probabilities.count == ids.count, "probabilities and ids differ in number")
    var root = Random(seed: seed)
    let key = root.next()
    return [Bool](unsafeUninitializedCapacity: ids.count) { buffer, initialized in
      nonisolated(unsafe) let results = buffer
      // Every block writes rows of its own, and all are done when this returns.
      onBlocks(ids.count) { range in
        for row in range {
          let p = probabilities[row]
          // Most rows are certain, and a certain row needs no coin.
          let isPositive = p >= 1 || (p > 0 && draw(root: key, id: ids[row]) < p)
          results.initializeElement(at: row, to: isPositive)
        }
      }
      initialized = ids.count
    }
  }
}

extension Tally {
  /// The counts to be expected when every row is called positive with its own probability.
  ///
  /// Wilson's intervals of such shares are those of one draw of the decisions, so a little wide
  /// for the expected rate itself.
  public init(
    probabilities: [Double], labels: [Bool], groups: Attribute, weights: [Double]? = nil
  ) {
    precondition(
      probabilities.count == labels.count && labels.count == groups.codes.count,
      "the columns differ in length")
    let names = groups.groups
    self = inBlocks(labels.count, zero: Tally(names: names)) { range in
      var part = Tally(names: names)
      for row in range {
        let group = Int(groups.codes[row])
        let weight = weights?[row] ?? 1
        let p = probabilities[row]
        let (yes, no) = labels[row] ? (0, 2) : (1, 3)
        part.counts[group].cells[yes] += p * weight
        part.counts[group].cells[no] += (1 - p) * weight
        part.counts[group].squares[yes] += p * weight * weight
        part.counts[group].squares[no] += (1 - p) * weight * weight
        part.rows[group] += 1
      }
      return part
    } merge: { sum, part in
      for group in sum.counts.indices {
        sum.counts[group] += part.counts[group]
        sum.rows[group] += part.rows[group]
      }
    }
  }
}
