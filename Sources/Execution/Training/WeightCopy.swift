import OneDNN

/// A parameter's values once more, in the order and element type of one kernel.
final class WeightCopy {
  /// The parameter.
  let slot: Int
  /// How the copy lies in memory.
  let layout: Layout
  /// Where it is.
  let pages: Pages
  /// Whether it holds the values as they are.
  var isCurrent = false
  /// Its tiles, where the descent can write them.
  let tiles: TiledCopy?

  /// A copy in `layout`; `isTiled` says whether the values consist of tiles.
  init(slot: Int, layout: Layout, isTiled: Bool) {
    self.slot = slot
    self.layout = layout
    pages = Pages(byteCount: layout.byteCount)
    tiles = isTiled ? TiledCopy(layout) : nil
  }
}

extension ParameterStore {
  /// The place of `slot`'s values in `layout`: the values themselves, or a copy that is kept.
  func values(_ slot: Int, as layout: Layout) -> Operand {
    if layout == layouts[slot] { return Operand(layout: layout, place: .value(slot)) }
    if let known = copies.firstIndex(where: { $0.slot == slot && $0.layout == layout }) {
      return Operand(layout: layout, place: .copy(known))
    }
    copies.append(WeightCopy(slot: slot, layout: layout, isTiled: tiles[slot] != nil))
    return Operand(layout: layout, place: .copy(copies.count - 1))
  }

  /// Makes every copy hold the values as they are.
  func refreshCopies() throws {
    for copy in copies where !copy.isCurrent {
      if let tiles = tiles[copy.slot], let tiled = copy.tiles {
        let values = values(at: copy.slot)
        Parallel.forEach(tiles.chunkCount, grain: 1) { chunks in
          for chunk in chunks {
            tiles.write(chunk: chunk, of: values, to: tiled, at: copy.pages.pointer)
          }
        }
      } else {
        try reorder(slot: copy.slot, to: copy)
      }
      copy.isCurrent = true
    }
  }

  /// Takes a step for all parameters, in one pass over the arrays.
  func descend(_ step: Descent) {
    for run in runs(decaysAll: step.decaysAll) {
      Parallel.forEach(run.range.count) { part in
        step.apply(
          to: pointer(.values), pointer(.momenta), pointer(.gradients),
          run.range.lowerBound + part.lowerBound..<run.range.lowerBound + part.upperBound,
          decay: run.decays ? step.decay : 0)
      }
    }
    for copy in copies { copy.isCurrent = copy.tiles != nil }
    for (i, slot) in slots.enumerated() {
      guard let tiles = tiles[i], isCopied(i) else { continue }
      let decay = slot.decays || step.decaysAll ? step.decay : 0
      let own = copies.filter { $0.slot == i }
      Parallel.forEach(tiles.chunkCount, grain: 1) { chunks in
        for chunk in chunks {
          let start = slot.range.lowerBound + tiles.start(of: chunk)
          step.apply(
            to: pointer(.values), pointer(.momenta), pointer(.gradients),
            start..<start + tiles.chunkLength, decay: decay)
          for copy in own {
            guard let tiled = copy.tiles else { continue }
            tiles.write(chunk: chunk, of: values(at: i), to: tiled, at: copy.pages.pointer)
          }
        }
      }
    }
  }

  /// Whether the descent writes copies of `slot`.
  private func isCopied(_ slot: Int) -> Bool {
    copies.contains { $0.slot == slot && $0.tiles != nil }
  }

  private func values(at slot: Int) -> UnsafePointer<Float> {
    UnsafePointer(pointer(.values) + slots[slot].range.lowerBound)
  }

  /// Neighbouring slots without copies that decay alike, as one range each.
  private func runs(decaysAll: Bool) -> [(range: Range<Int>, decays: Bool)] {
    var runs: [(range: Range<Int>, decays: Bool)] = []
    var follows = false
    for (i, slot) in slots.enumerated() {
      guard !isCopied(i) else {
        follows = false
        continue
      }
      let decays = slot.decays || decaysAll
      if follows, let last = runs.last, last.decays == decays {
        // The gap between two slots is padding, zero everywhere, and stays so.
        runs[runs.count - 1].range = last.range.lowerBound..<slot.range.upperBound
      } else {
        runs.append((slot.range, decays))
      }
      follows = true
    }
    return runs
  }
}
