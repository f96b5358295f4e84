import Foundation
import Synchronization

/// Outside of any type, because a signal's handler may capture nothing.
private let wish = Atomic(false)

/// Ctrl-C as a wish to stop that long work looks at between its steps.
///
/// The first interrupt asks; a second one ends the process at once, as the system does by default.
enum Interruption {
  /// Whether somebody has asked to stop.
  static var isRequested: Bool { wish.load(ordering: .relaxed) }

  /// From now on SIGINT and SIGTERM ask instead of killing.
  static func watch() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { caught in
        wish.store(true, ordering: .relaxed)
        signal(caught, SIG_DFL)
      }
    }
  }
}
