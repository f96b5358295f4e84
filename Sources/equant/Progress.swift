import Foundation

/// One line on standard error that tells how far long work is.
///
/// On a terminal the line is redrawn in place and cleared at the end; elsewhere a plain line is
/// written now and then, so that logs stay short.
struct Progress: ~Copyable {
  private let quiet: Bool
  private let terminal = isatty(STDERR_FILENO) == 1
  private var last: ContinuousClock.Instant?

  /// A progress line; nothing is ever written when `quiet`.
  init(quiet: Bool = false) { self.quiet = quiet }

  /// Shows that `done` of `total` is done; `note` says more, such as a loss or a speed.
  mutating func show(_ what: String, _ done: Int, of total: Int, note: String = "") {
    guard !quiet else { return }
    let now = ContinuousClock.now
    let pause: Duration = terminal ? .milliseconds(100) : .seconds(10)
    if let last, now - last < pause, done < total { return }
    last = now
    let share = total > 0 ? Double(done) / Double(total) : 1
    let suffix = note.isEmpty ? "" : "  \(note)"
    if terminal {
      let filled = Int(share * 24)
      let bar = String(repeating: "█", count: filled) + String(repeating: "·", count: 24 - filled)
      write("\r\u{1b}[K\(what)  \(bar)  \(done)/\(total)\(suffix)")
    } else {
      write("\(what): \(done)/\(total)\(suffix)\n")
    }
  }

  /// Writes a line of its own, above the bar.
  func say(_ line: String) {
    guard !quiet else { return }
    write(terminal ? "\r\u{1b}[K\(line)\n" : "\(line)\n")
  }

  /// Clears the bar.
  func clear() {
    if terminal && !quiet && last != nil { write("\r\u{1b}[K") }
  }

  deinit { clear() }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
