import ArgumentParser
import Compression
import Files
import Foundation

/// `equant pack`: makes a model file smaller to send.
struct PackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Store a model's codes by how frequent they are, for sending.",
    discussion: """
      The file that comes out is not ONNX: 'equant unpack' makes the same ONNX file of it, to the last byte. \
      predict, audit, compress, train --from, verify and verify-certificate take it as it is.
      """)

  @Argument(help: "The model, an ONNX file.", completion: .file(extensions: ["onnx"]))
  var model: String

  @Option(help: ArgumentHelp("Where the packed model goes.", valueName: "file"))
  var out: String

  @OptionGroup var output: OutputOptions

  func run() throws {
    try Files.checkWritable(out)
    let bytes = try Files.read(model)
    guard !PackedModel.isPacked(bytes) else { throw FileError(model, "is packed already") }
    let packed = try PackedModel.packed(bytes, path: model)
    // What is written is what was read, or nothing is.
    guard try PackedModel.unpacked(packed, path: out) == bytes else {
      throw FileError(model, "does not come out of its packed form as it went in")
    }
    try Files.replace(out, with: packed)
    let sizes = PackedSizes(before: bytes.count, after: packed.count)
    try output.write(sizes) {
      let share = String(format: "%.1f", 100 * Double(sizes.after) / Double(sizes.before))
      return "\(out): \(sizes.after) bytes, \(share) % of \(sizes.before)"
    }
  }
}

/// What packing changed.
private struct PackedSizes: Encodable {
  /// The length of the ONNX file, in bytes.
  var before: Int
  /// That of the packed one.
  var after: Int
}

/// `equant unpack`: the ONNX file of a packed model.
struct UnpackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpack",
    abstract: "Make the ONNX file of a packed model.")

  @Argument(help: "The model, a file of 'equant pack'.")
  var model: String

  @Option(
    help: ArgumentHelp("Where the ONNX file goes.", valueName: "file"),
    completion: .file(extensions: ["onnx"]))
  var out: String

  func run() throws {
    try Files.checkWritable(out)
    try Files.replace(out, with: PackedModel.unpacked(Files.read(model), path: model))
  }
}
