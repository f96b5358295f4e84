import ArgumentParser

/// The `equant` command.
@main
struct Equant: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "equant",
    abstract: "Who pays for the compression? Train, compress, audit and repair image classifiers.",
    version: "0.1.0",
    subcommands: [
      Doctor.self,
      BenchLoading.self,
      BenchFairness.self,
      BenchRepair.self,
      CoverageStudy.self,
      PosterAccount.self,
      BenchInference.self,
      BenchTraining.self,
      BenchClustering.self,
    ],
    groupedSubcommands: [
      CommandGroup(
        name: "Data",
        subcommands: [
          PortraitsCommand.self
        ]),
      CommandGroup(
        name: "Models",
        subcommands: [
          Inspect.self,
          TrainCommand.self,
          CompressCommand.self,
          PackCommand.self,
          UnpackCommand.self,
          VerifyCertificateCommand.self,
          PredictCommand.self,
          VerifyCommand.self,
        ]),
      CommandGroup(
        name: "Fairness",
        subcommands: [
          AuditCommand.self,
          CompareCommand.self,
          GateCommand.self,
          RepairCommand.self,
        ]),
      CommandGroup(
        name: "Experiments",
        subcommands: [
          StudyCommand.self,
          ReportCommand.self,
          RunsCommand.self,
          ServeCommand.self,
        ]),
    ])
}
