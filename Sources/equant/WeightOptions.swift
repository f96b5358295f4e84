public import ArgumentParser
public import Compression

/// How weights are stored by schemes other than plain int8.
struct WeightOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How many output channels share a codebook; by default all of a tensor.",
      valueName: "channels"))
  var groupSize: Int?

  @Flag(help: "Give every output channel of clustered weights a scale.")
  var channelScales = false

  @Option(help: "What the values of codebooks are stored as.")
  var codebook = ClusteringSettings.Codebook.float16

  @Flag(help: "Give even grids a zero point, so that they may lean to one side.")
  var affine = false

  @Option(
    help: """
      What weights or filters are compared with when the smallest are dropped: adaptive, with all of the \
      network as shares of their layers (LAMP); global, with all as they are; layer, with those of their \
      layer; twoOfFour keeps the two largest of every four neighbours.
      """)
  var pruneScope = MagnitudePruning.Scope.adaptive

  @Option(
    help: """
      How much a weight matters to prune: magnitude, how large it is; fisher, what the loss on images \
      of train would change without it, to second order; fairgrape, the same for every group, so \
      that each keeps its share of every layer.
      """)
  var pruneScore = WeightSettings.PruningScore.magnitude

  @Option(
    help: """
      Which stored value a weight takes: the nearest; gptq, where each makes up for the errors of \
      those before it; adaround, up or down as is learned; brecq, the same for all weights of a block \
      together; fairbrecq, where what that does to the gaps counts too. All but the first look at \
      images of train.
      """)
  var rounding = WeightSettings.Rounding.nearest

  @Option(
    help: """
      How much the error of each weight counts for kmeans and mixed: all alike; fisher, by its squared \
      gradient on images of train; balanced, by that of every group alike; minimax, so that the \
      largest error of a group is smallest. For mixed also hessian: by how curved the loss is in a \
      tensor; and fairquant: widths by rank, of the group that depends on a tensor most.
      """)
  var sensitivity = WeightSettings.Sensitivity.none

  @Option(
    help: """
      How much a filter matters: norm, how large its weights are; taylor, what the loss on images of \
      train would change without it, to first order.
      """)
  var filterScore = WeightSettings.FilterScore.norm

  @Flag(
    help: """
      Make layers with only a ReLU between them use their ranges alike first, which does not change \
      what the float model computes.
      """)
  var equalize = false

  @Flag(
    help: """
      Put mean and variance of every layer's channels back to where they were, on training \
      images: what re-estimating batch norms does.
      """)
  var batchNormReestimation = false

  func validate() throws {
    if let groupSize, groupSize < 1 {
      throw ValidationError("'--group-size' is a number of channels: give 1 or more.")
    }
  }

  var settings: WeightSettings {
    var settings = WeightSettings()
    settings.groupSize = groupSize
    settings.hasChannelScales = channelScales
    settings.codebook = codebook
    settings.isAffine = affine
    settings.pruningScope = pruneScope
    settings.pruningScore = pruneScore
    settings.equalizes = equalize
    settings.filterScore = filterScore
    settings.rounding = rounding
    settings.sensitivity = sensitivity
    if batchNormReestimation { settings.restores = .variance }
    return settings
  }
}

extension ObserverKind: ExpressibleByArgument {}
extension ClusteringSettings.Codebook: ExpressibleByArgument {}
extension MagnitudePruning.Scope: ExpressibleByArgument {}
extension WeightSettings.PruningScore: ExpressibleByArgument {}
extension WeightSettings.FilterScore: ExpressibleByArgument {}
extension WeightSettings.Rounding: ExpressibleByArgument {}
extension WeightSettings.Sensitivity: ExpressibleByArgument {}
extension ChannelQuantization.Grid: ExpressibleByArgument {}
