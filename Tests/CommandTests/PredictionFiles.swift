import Files
import TestSupport

/// Two predictions files of the same people, as a model and its compressed form would write.
struct PredictionFiles {
  let folder: String
  var base: String { "\(folder)/base.csv" }
  var after: String { "\(folder)/after.csv" }

  /// `rows` people of `groups`; one in `every` decisions of the last group turns to no.
  init(rows: Int = 800, groups: [String] = ["female", "male"], every: Int = 10) throws {
    folder = try temporaryFolder()
    var (first, second) = (["id,label,score,group"], ["id,label,score,group"])
    for row in 0..<rows {
      let group = row % groups.count
      let label = row / groups.count % 2
      // Four of five decisions are right, whatever the group.
      let decision = row / (2 * groups.count) % 5 == 0 ? 1 - label : label
      let score = decision == 1 ? 0.75 : 0.25
      let quoted = "\"" + groups[group].replacing("\"", with: "\"\"") + "\""
      let turns = group == groups.count - 1 && decision == 1 && row / groups.count % every == 3
      first.append("\(row).jpg,\(label),\(score),\(quoted)")
      second.append("\(row).jpg,\(label),\(turns ? 0.125 : score),\(quoted)")
    }
    try Files.replace(base, with: first.joined(separator: "\n") + "\n")
    // The second file is in another order: rows are matched by id.
    let turned = [second[0]] + second.dropFirst().reversed()
    try Files.replace(after, with: turned.joined(separator: "\n") + "\n")
  }
}

/// The long options that a command's help lists, in its order.
func options(in help: String) -> [String] {
  help.split(separator: "\n").compactMap { line in
    guard line.hasPrefix("  --") || line.hasPrefix("  -h,") else { return nil }
    let first = line.split(separator: " ").first { $0.hasPrefix("--") }
    return first.map { String($0.split(separator: "/")[0]) }
  }
}

/// One line on standard error that names `parts`, status 1, and nothing on standard output.
func isRefusal(_ result: CommandResult, naming parts: String...) -> Bool {
  result.status == 1 && result.output.isEmpty
    && result.errors.split(separator: "\n").filter { $0.hasPrefix("Error: ") }.count == 1
    && parts.allSatisfy(result.errors.contains)
}
