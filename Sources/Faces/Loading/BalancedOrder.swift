internal import Tensors

/// An order of rows in which the cells of group and label take turns.
///
/// Any run of as many places as there are cells has one row of each, so every batch is as balanced
/// as its size allows. Rows of frequent cells are seen less than once an epoch, those of rare ones
/// more often.
struct BalancedOrder {
  private var cells: [[Int32]]

  /// Groups the places of `rows` by their cells; cells without a row take no turn.
  init(of rows: [Int], in dataset: FaceDataset) {
    let places = Dictionary(grouping: rows.indices) {
      [dataset.groups[rows[$0]], dataset.labels[rows[$0]]]
    }
    cells = places.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map {
      $0.value.map(Int32.init)
    }
  }

  /// As many places as there are rows; a cell begins anew, in another order, when it is used up.
  mutating func places(using random: inout SplitMix64) -> [Int32] {
    let count = cells.reduce(0) { $0 + $1.count }
    for cell in cells.indices { random.shuffle(&cells[cell]) }
    var next = cells.map { _ in 0 }
    var order: [Int32] = []
    order.reserveCapacity(count)
    while order.count < count {
      let cell = order.count % cells.count
      if next[cell] == cells[cell].count {
        random.shuffle(&cells[cell])
        next[cell] = 0
      }
      order.append(cells[cell][next[cell]])
      next[cell] += 1
    }
    return order
  }
}
