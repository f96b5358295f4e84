import ArgumentParser
import Foundation
import OneDNN
import Store
import Synchronization

/// What a command tells the run store about the run it does; nothing when there is no store.
///
/// While it lives, a thread notes every few seconds how far the run is: a run of which that stops is
/// known to have died. A store that fails half-way is said once and does not end the run.
final class Recording: Sendable {
  private struct State: Sendable {
    var run: Run
    var progress: String?
    var noted: (progress: String?, time: ContinuousClock.Instant) = (nil, .now)
    var isOver = false
  }

  private let store: RunStore?
  private let state: Mutex<State>
  private let isQuiet: Bool

  /// The pause between looks at how far the run is.
  private static let pause: TimeInterval = 2
  /// How long a run in which nothing happens is silent.
  private static let silence = Duration.seconds(15)

  /// Records that `run` begins.
  ///
  /// - Throws: `StoreError` when the store that was asked for cannot be used.
  init(_ run: Run, in options: StoreOptions, quiet: Bool) throws {
    isQuiet = quiet
    store = try options.openForRecording { Progress(quiet: quiet).say($0) }
    var run = run
    run.files = run.files.mapValues { URL(fileURLWithPath: $0).standardizedFileURL.path }
    run.fingerprints.merge(Self.host) { given, _ in given }
    run.id = try store?.begin(run)
    state = Mutex(State(run: run))
    guard store != nil else { return }
    Thread.detachNewThread { [weak self] in
      repeat { Thread.sleep(forTimeInterval: Self.pause) } while self?.beat() == true
    }
  }

  /// What the numbers depend on besides settings and data.
  private static var host: [String: String] {
    let processor = Processor.current
    return [
      "equant": Equant.configuration.version, "oneDNN": processor.version,
      "processor": "\(processorName()), \(processor.instructionSet)",
      "threads": "\(processor.threadCount)",
    ]
  }

  /// Does the run: an error that `body` throws is what became of it.
  func during(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch let code as ExitCode where code.rawValue == 130 {
      end(.stopped) { $0.summary = "stopped; the same command goes on" }
      throw code
    } catch {
      end(.failed) { $0.summary = "\(error)".split(separator: "\n").first.map(String.init) }
      throw error
    }
  }

  /// Tells how far the run is, as often as that changes.
  func note(_ progress: String) { state.withLock { $0.progress = progress } }

  /// Tells an event that is worth keeping.
  func tell(_ event: String) {
    state.withLock { state in
      attempt(&state) { store, id in try store.tell(event, of: id) }
    }
  }

  /// Records that the run ended well, and what came out.
  func finish(_ change: (inout Run) -> Void) { end(.finished, change) }

  private func end(_ outcome: Run.State, _ change: (inout Run) -> Void) {
    state.withLock { state in
      change(&state.run)
      state.run.state = outcome
      state.run.updated = .now
      let run = state.run
      attempt(&state) { store, _ in try store.update(run) }
      state.isOver = true
    }
  }

  /// Notes how far the run is, if there is something to note.
  ///
  /// - Returns: Whether it goes on.
  private func beat() -> Bool {
    state.withLock { state in
      let (progress, now) = (state.progress, ContinuousClock.now)
      if progress != state.noted.progress || now - state.noted.time >= Self.silence {
        state.noted = (progress, now)
        attempt(&state) { store, id in try store.note(progress, of: id) }
      }
      return !state.isOver
    }
  }

  private func attempt(_ state: inout State, _ body: (RunStore, Int64) throws -> Void) {
    guard let store, let id = state.run.id, !state.isOver else { return }
    do {
      try body(store, id)
    } catch {
      // Once is enough: what cannot be written now will not be better in two seconds.
      state.isOver = true
      Progress(quiet: isQuiet).say("warning: this run is no longer recorded: \(error)")
    }
  }
}
