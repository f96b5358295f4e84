/// Why a repair could not be fitted, read or applied.
public enum RepairError: Error, Hashable, CustomStringConvertible {
  /// The rows do not allow the fit: what is missing.
  case cannotFit(String)
  /// Rows are of groups that the repair was not fitted on.
  case unseenGroups([String], known: [String])
  /// A repair is not sound: which part, what was found, what was expected.
  case unsound(String)

  /// What is wrong, and what there is or what to do.
  public var description: String {
    switch self {
    case .cannotFit(let what): what
    case .unseenGroups(let names, let known):
      "the repair was not fitted on group \(names.map { "'\($0)'" }.joined(separator: ", ")); "
        + "it knows \(known.map { "'\($0)'" }.joined(separator: ", "))"
    case .unsound(let what): what
    }
  }
}
