import ArgumentParser
import Faces
import Files
import Graphs
import Training

/// Where the faces are and what is asked about them.
struct DataOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A folder with CelebA's layout, or with --table the folder of the images.",
      valueName: "folder"),
    completion: .directory)
  var data: String?

  @Option(help: "The attribute to predict; with --table the column of labels.")
  var target: String?

  @Option(
    help: ArgumentHelp(
      """
      The attribute to be fair to; with --table the column of groups. Give it more than once for \
      intersections.
      """, valueName: "attribute"))
  var protected: [String] = []

  @Option(
    help: ArgumentHelp(
      """
      A CSV file with the columns file, label, group and perhaps split and identity, for data that \
      are not CelebA.
      """, valueName: "file"),
    completion: .file(extensions: ["csv"]))
  var table: String?

  /// Opens the data set; target and protected attributes that were not given are `defaults`'.
  func open(
    target standardTarget: String = "Attractive", protected standardProtected: [String] = ["Male"]
  ) throws -> FaceDataset {
    guard let data else { throw ValidationError("Missing expected argument '--data <folder>'") }
    return try .open(
      data, table: table, target: target, protected: protected, otherwise: standardTarget,
      standardProtected)
  }
}

extension FaceDataset {
  /// Opens CelebA's layout, or with `table` a folder that a CSV file describes.
  ///
  /// `target` and `protected` are attributes, or columns of the table; where they are not given
  /// the attributes are `standardTarget` and `standardProtected` and the columns the usual ones.
  static func open(
    _ folder: String, table: String?, target: String?, protected: [String],
    otherwise standardTarget: String, _ standardProtected: [String]
  ) throws -> FaceDataset {
    guard let table else {
      guard !(target ?? standardTarget).isEmpty, !(protected + standardProtected).isEmpty else {
        throw FileError(
          folder,
          "what to predict and to be fair to is open: the model does not say; give --target and "
            + "--protected")
      }
      return try .celebA(
        folder, target: target ?? standardTarget,
        protected: protected.isEmpty ? standardProtected : protected)
    }
    var columns = TableColumns()
    if let target { columns.label = target }
    if !protected.isEmpty { columns.groups = protected }
    return try .table(folder, table, columns: columns)
  }
}

extension ModelDescription {
  /// Reads the description that the model in the file at `path` carries; the error names the file.
  init(of graph: Graph, path: String) throws {
    do {
      try self.init(of: graph)
    } catch {
      throw FileError(path, "\(error)")
    }
  }
}
