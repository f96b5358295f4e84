public import ArgumentParser
public import Fairness
import Foundation

/// `equant coverage-study`: whether the intervals cover as often as they say.
///
/// Hidden: its table is part of the documentation, made anew by `make coverage-study`.
struct CoverageStudy: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coverage-study",
    abstract: "Simulate how often intervals cover the truth and tests raise false alarms.",
    shouldDisplay: false)

  @Option(help: "Simulations of every line with closed intervals.")
  var simulations = 4000

  @Option(help: "Simulations of every line with resampled intervals.")
  var resampled = 600

  @Option(help: "Where random sequences start.")
  var seed: UInt64 = 1

  @Option(help: ArgumentHelp("Parts of the study; all when left out.", valueName: "part"))
  var only: [CoverageSimulation.Part] = []

  func run() throws {
    let study = CoverageSimulation(
      simulations: simulations, resampled: resampled, seed: seed)
    print(study.markdown(only.isEmpty ? CoverageSimulation.Part.allCases : only) { remark($0) })
  }
}

extension CoverageSimulation.Part: ExpressibleByArgument {}
