/// Why a study could not be run.
public enum StudyError: Error, Hashable, CustomStringConvertible {
  /// A line of the tables that no study makes.
  case unknownModel(String, known: [String])

  /// What is wrong and what there is.
  public var description: String {
    switch self {
    case .unknownModel(let name, let known):
      "there is no model '\(name)'; there are \(known.joined(separator: ", "))"
    }
  }
}
