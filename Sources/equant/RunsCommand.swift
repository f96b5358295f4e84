public import ArgumentParser
import Foundation
public import Store

/// `equant runs`: what was done, from the run store.
struct RunsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs",
    abstract: "List, show and remove what was recorded of studies, trainings and compressions.",
    discussion: """
      'equant study', 'equant train' and 'equant compress' record their settings, fingerprints, \
      results and files in a run store, a SQLite file: --store, or the variable EQUANT_STORE, or \
      else equant/runs.sqlite in the user's data folder (XDG_DATA_HOME, ~/.local/share). 'off' \
      records nothing. Two processes may record at once.
      """,
    subcommands: [List.self, Show.self, Remove.self], defaultSubcommand: List.self)

  /// `equant runs list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List runs, the latest first.")

    @Option(help: "Only runs of one kind.")
    var kind: Run.Kind?

    @Option(
      help: ArgumentHelp("Only runs with this in the name of what they made, or in what came out."))
    var search: String?

    @Option(help: "At most so many.")
    var limit = 30

    @OptionGroup var storeOptions: StoreOptions

    @OptionGroup var output: OutputOptions

    func validate() throws {
      guard limit >= 1 else { throw ValidationError("'--limit' counts runs: give 1 or more.") }
    }

    func run() throws {
      let store = try storeOptions.openForReading()
      var selection = RunSelection()
      selection.kind = kind
      selection.text = search
      selection.limit = limit
      let page = try store.list(selection)
      try output.write(page.lines) {
        let more = page.found - page.lines.count
        return page.lines.isEmpty
          ? "no such run in \(store.path)"
          : Self.table(page.lines) + (more > 0 ? "\n\(more) more: see --limit" : "")
      }
    }

    private static func table(_ lines: [RunLine]) -> String {
      var rows = [["run", "kind", "state", "started", "accuracy %", "EO", "bytes", "made"]]
      rows += lines.map { line in
        [
          "\(line.id)", line.kind.rawValue, line.standing().rawValue,
          timeText(line.started), line.accuracy.map { String(format: "%.2f", 100 * $0) } ?? "",
          line.equalOpportunity.map { String(format: "%.3f", $0) } ?? "",
          line.bytes.map { "\($0)" } ?? "", printable(line.title),
        ]
      }
      let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
      return rows.map { row in
        row.indices.map { column in
          let space = String(repeating: " ", count: widths[column] - row[column].count)
          let isNumber = (4...6).contains(column)
          return column == row.count - 1
            ? row[column] : isNumber ? space + row[column] : row[column] + space
        }.joined(separator: "  ")
      }.joined(separator: "\n")
    }
  }

  /// `equant runs show`.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show all that is known of a run.")

    @Argument(
      help: ArgumentHelp(
        "The number of the run, as 'equant runs list' gives it.", valueName: "run"))
    var number: Int64

    @OptionGroup var storeOptions: StoreOptions

    @OptionGroup var output: OutputOptions

    func run() throws {
      let store = try storeOptions.openForReading()
      guard let found = try store.run(number) else { throw NoSuchRun(id: number, path: store.path) }
      let events = try store.events(of: number)
      struct Shown: Encodable {
        var run: Run
        var events: [RunEvent]
      }
      try output.write(Shown(run: found, events: events)) { Self.text(found, events) }
    }

    /// Six digits, which is more than any of these numbers knows; the JSON has them all.
    private static func numberText(_ value: Double) -> String {
      value == value.rounded() && abs(value) < 1e15
        ? String(Int(value)) : String(format: "%.6g", value)
    }

    private static func text(_ run: Run, _ events: [RunEvent]) -> String {
      var lines = [
        "run \(run.id ?? 0): \(run.kind.rawValue) of \(printable(run.title)), "
          + run.standing().rawValue,
        "started \(timeText(run.started)), last heard of \(timeText(run.updated)), "
          + "process \(run.process)",
      ]
      if let progress = run.progress, run.state == .running { lines.append(printable(progress)) }
      if let summary = run.summary { lines.append(printable(summary)) }
      for (title, values) in [
        ("results", run.results.mapValues(numberText)), ("settings", run.settings),
        ("made from", run.fingerprints), ("files", run.files),
      ] where !values.isEmpty {
        lines += ["", title]
        let width = values.keys.map(\.count).max() ?? 0
        lines += values.sorted { $0.key < $1.key }.map { name, value in
          "  \(printable(name.padding(toLength: width, withPad: " ", startingAt: 0)))  "
            + printable(value)
        }
      }
      if !events.isEmpty {
        lines += ["", "events"]
        lines += events.map { "  \(timeText($0.time))  \(printable($0.text))" }
      }
      return lines.joined(separator: "\n")
    }
  }

  /// `equant runs remove`.
  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Remove runs from the store; the files they made stay.")

    @Argument(help: "The numbers of the runs.")
    var runs: [Int64]

    @OptionGroup var storeOptions: StoreOptions

    func run() throws {
      let store = try storeOptions.openForReading()
      // First all of them are looked for: a wrong number removes nothing.
      for id in runs where try store.run(id) == nil { throw NoSuchRun(id: id, path: store.path) }
      for id in runs { _ = try store.remove(id) }
    }
  }
}

/// A number that is no run's.
struct NoSuchRun: Error, CustomStringConvertible {
  var id: Int64
  var path: String

  var description: String { "\(path): there is no run \(id); see 'equant runs list'" }
}

extension Run.Kind: ExpressibleByArgument {}

private func timeText(_ date: Date) -> String {
  let format = DateFormatter()
  format.locale = Locale(identifier: "en_US_POSIX")
  format.dateFormat = "yyyy-MM-dd HH:mm:ss"
  return format.string(from: date)
}

/// Text from files without what could steer a terminal.
private func printable(_ text: String) -> String {
  String(
    String.UnicodeScalarView(
      text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
}
