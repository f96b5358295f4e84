/// A protected attribute: for every row, which of a few named groups it belongs to.
///
/// Rows hold small numbers instead of names, so that ten million rows count in milliseconds.
public struct Attribute: Hashable, Sendable {
  /// What the attribute is called, as in `sex`.
  public let name: String
  /// The names of the groups; a group may have no row and still appears in every table.
  public let groups: [String]
  /// For every row the position of its group in ``groups``.
  public let codes: [Int32]

  /// An attribute of rows that already hold positions.
  ///
  /// - Precondition: every code is a position in `groups`.
  public init(_ name: String, groups: [String], codes: [Int32]) {
    let bound = Int32(clamping: groups.count)
    precondition(
      codes.allSatisfy { $0 >= 0 && $0 < bound }, "a code of '\(name)' is not one of its groups")
    self.name = name
    self.groups = groups
    self.codes = codes
  }

  /// An attribute of rows that hold names; the groups are in alphabetical order.
  public init(_ name: String, of rows: [String]) {
    let groups = Set(rows).sorted()
    let positions = Dictionary(uniqueKeysWithValues: zip(groups, (0 as Int32)...))
    self.init(name, groups: groups, codes: rows.map { positions[$0] ?? 0 })
  }

  /// The intersections of several attributes, as in `male & young`.
  ///
  /// Every combination is a group, also one that no row has.
  ///
  /// - Precondition: there is at least one attribute, and all have the same number of rows.
  public init(crossing attributes: [Attribute]) {
    precondition(!attributes.isEmpty, "there is nothing to cross")
    var crossed = attributes[0]
    for attribute in attributes.dropFirst() {
      precondition(attribute.codes.count == crossed.codes.count, "attributes differ in rows")
      let width = Int32(attribute.groups.count)
      var codes = crossed.codes
      for i in codes.indices { codes[i] = codes[i] * width + attribute.codes[i] }
      crossed = Attribute(
        "\(crossed.name) & \(attribute.name)",
        groups: crossed.groups.flatMap { a in attribute.groups.map { "\(a) & \($0)" } },
        codes: codes)
    }
    self = crossed
  }
}
