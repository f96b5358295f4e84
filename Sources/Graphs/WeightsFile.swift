public import Files
public import Tensors

/// Reading of named tensors from whichever kind of file they come in.
public enum WeightsFile {
  /// Reads the tensors of a safetensors file, of a PyTorch state dictionary (`.pth`, `.pt`) or of an
  /// ONNX file.
  ///
  /// PyTorch's files are known by their first bytes, ONNX files by their name.
  ///
  /// - Throws: ``FileError`` that says what is damaged or not supported, and where.
  public static func read(_ path: String) throws(FileError) -> [String: Tensor] {
    if path.hasSuffix(".onnx") { return try ONNXFile.read(path).initializers }
    let bytes = try Files.read(path)
    if bytes.starts(with: ZipArchive.signature) {
      return try StateDictionary.tensors(bytes, path: path)
    }
    // Protocol 2, then the ten bytes of a magic number: what torch.save wrote before 2020.
    if bytes.starts(with: [0x80, 2, 0x8a, 10]) {
      throw FileError(
        path,
        "is in PyTorch's format from before version 1.6; load it with torch.load(path, "
          + "weights_only=True) and save it anew with torch.save")
    }
    return try Safetensors.contents(bytes, path: path).tensors
  }
}
