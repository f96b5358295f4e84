public import ArgumentParser
import Compression
public import Faces
import Files
import Graphs
public import Training

/// What a model expects and means, for models that do not say so themselves.
struct ModelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      How images are prepared, for a model that does not say: torchvision, timm, openvino or a \
      JSON file. The options below change single parts of it.
      """, valueName: "preset|file"))
  var preprocess: String?

  @Option(
    help: ArgumentHelp("The network's input: 224, or 218x178 (height first).", valueName: "pixels"))
  var imageSize: String?

  @Option(
    help: ArgumentHelp(
      """
      How images get that size: square cuts the largest square, stretch resizes the whole image, a \
      number resizes the shorter side to so many pixels and cuts out the middle.
      """, valueName: "rule"))
  var resize: String?

  @Option(help: "How pixels are weighted when an image is resized.")
  var interpolation: Preprocessing.Interpolation?

  @Option(help: "Which colour is the network's first channel.")
  var channelOrder: Preprocessing.ChannelOrder?

  @Option(
    help: "Whether channels are planes or lie together; by default as the input's shape says.")
  var layout: Preprocessing.Layout?

  @Option(
    help: ArgumentHelp("What the levels 0 to 255 are divided by first.", valueName: "number"))
  var divisor: Float?

  @Option(
    help: ArgumentHelp("What is then subtracted from red, green, blue.", valueName: "r,g,b"))
  var mean: String?

  @Option(
    help: ArgumentHelp("What red, green, blue are then divided by.", valueName: "r,g,b"))
  var deviation: String?

  @Option(help: "What the outputs are; by default probabilities after a softmax or sigmoid.")
  var outputs: OutputMeaning?

  @Option(help: ArgumentHelp("Which output to use, where there are several.", valueName: "name"))
  var outputName: String?

  @Option(
    help: ArgumentHelp(
      "The positive class, by number from 0 or by name; needed for more than two classes.",
      valueName: "class"))
  var positiveClass: String?

  /// A model that is ready to use.
  struct Model {
    /// The graph, which carries ``description``.
    var graph: Graph
    var description: ModelDescription
    /// The bytes of the ONNX file.
    var contents: [UInt8]
    /// Whether they were packed.
    var isPacked: Bool

    /// The graph with what it predicts written into it, where it did not say so.
    func graph(meaning dataset: FaceDataset) throws -> Graph {
      guard description.target.isEmpty else { return graph }
      var (graph, description) = (graph, description)
      description.target = dataset.target
      description.protected = dataset.protected
      try description.write(into: &graph)
      return graph
    }
  }

  /// Reads the model in the file at `path` and completes what it says about itself.
  func open(_ path: String) throws -> Model {
    let file = try Files.read(path)
    let isPacked = PackedModel.isPacked(file)
    let contents = isPacked ? try PackedModel.unpacked(file, path: path) : file
    var graph = try ONNXFile.graph(contents, path: path)
    if let outputName {
      guard let output = graph.outputs.first(where: { $0.name == outputName }) else {
        let names = graph.outputs.map { "'\($0.name)'" }.joined(separator: ", ")
        throw FileError(path, "has no output '\(outputName)'; there are \(names)")
      }
      graph.outputs = [output]
    }
    graph = graph.freeingBatch()
    let isCarried = ModelDescription.isCarried(by: graph)
    let carried = isCarried ? try ModelDescription(of: graph, path: path) : nil
    var description = try carried ?? .init(preprocessing: preset(for: graph, path))
    if carried != nil, preprocess != nil {
      description.preprocessing = try preset(for: graph, path)
    }
    try change(&description.preprocessing)
    if let problem = description.preprocessing.problem { throw FileError(path, problem) }
    if carried == nil {
      description.outputs = outputs ?? OutputMeaning(of: graph)
    } else if let outputs {
      description.outputs = outputs
    }
    if let positiveClass {
      let number = description.classes.firstIndex(of: positiveClass) ?? Int(positiveClass)
      guard let number, number >= 0 else {
        throw FileError(
          path,
          "has no class '\(positiveClass)'; give its number, or one of "
            + "\(description.classes)")
      }
      description.positiveClass = number
    }
    if description != carried { try description.write(into: &graph) }
    return Model(
      graph: graph, description: description, contents: contents, isPacked: isPacked)
  }

  /// The preprocessing of `--preprocess`, for the size and layout that the graph's input has.
  private func preset(for graph: Graph, _ path: String) throws -> Preprocessing {
    guard let preprocess else {
      throw FileError(
        path,
        "does not say how its images are prepared; give --preprocess torchvision, timm, openvino "
          + "or a JSON file")
    }
    guard let preset = Preprocessing.Preset(rawValue: preprocess) else {
      return try Preprocessing(reading: preprocess)
    }
    let shape = graph.inputs.first?.shape ?? []
    guard shape.count == 4 else {
      throw FileError(path, "takes no images: its input has \(shape.count) axes, expected 4")
    }
    let isPixels = layout.map { $0 == .pixels } ?? (shape[3] == 3 && shape[1] != 3)
    let size = try extents()
    let height = size?.height ?? (isPixels ? shape[1] : shape[2])
    let width = size?.width ?? (isPixels ? shape[2] : shape[3])
    var preprocessing = Preprocessing(preset, height: height, width: width)
    preprocessing.layout = isPixels ? .pixels : .planes
    return preprocessing
  }

  private func change(_ preprocessing: inout Preprocessing) throws {
    if let size = try extents() {
      preprocessing.size = size.height
      preprocessing.width = size.width == size.height ? nil : size.width
    }
    switch resize {
    case nil: break
    case "square": preprocessing.resizing = .square
    case "stretch": preprocessing.resizing = .stretch
    case let side?:
      guard let side = Int(side) else {
        throw ValidationError("'--resize' is square, stretch or a number of pixels.")
      }
      preprocessing.resizing = .shorterSide(side)
    }
    if let interpolation { preprocessing.interpolation = interpolation }
    if let channelOrder { preprocessing.order = channelOrder }
    if let layout { preprocessing.layout = layout }
    if let divisor { preprocessing.divisor = divisor }
    if let mean = try numbers(mean, "mean") { preprocessing.mean = mean }
    if let deviation = try numbers(deviation, "deviation") { preprocessing.deviation = deviation }
  }

  private func extents() throws -> (height: Int, width: Int)? {
    guard let imageSize else { return nil }
    let parts = imageSize.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard 1...2 ~= parts.count, let height = parts[0], let width = parts[parts.count - 1] else {
      throw ValidationError("'--image-size' is a number of pixels, or height and width as 218x178.")
    }
    return (height, width)
  }

  private func numbers(_ text: String?, _ name: String) throws -> [Float]? {
    guard let text else { return nil }
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map {
      Float($0.trimmingPrefix(while: \.isWhitespace))
    }
    guard numbers.count == 3, !numbers.contains(nil) else {
      throw ValidationError("'--\(name)' is three numbers with commas between them.")
    }
    return numbers.compactMap(\.self)
  }
}

extension Preprocessing.Interpolation: ExpressibleByArgument {}
extension Preprocessing.ChannelOrder: ExpressibleByArgument {}
extension Preprocessing.Layout: ExpressibleByArgument {}
extension OutputMeaning: ExpressibleByArgument {}
