extension Preprocessing {
  /// What the makers of published models do to images.
  public enum Preset: String, Hashable, Sendable, CaseIterable {
    /// torchvision's `ImageClassification`: shorter side to 256, middle 224, bilinear.
    case torchvision
    /// timm's usual evaluation: the middle 7/8 of the shorter side, bicubic.
    case timm
    /// Original models of Open Model Zoo: the whole image resized, BGR, levels from 0 to 255.
    case openvino
  }

  /// A preset for a network whose input has `height` and `width`; 224 where it leaves them free.
  ///
  /// The shorter side is in the same proportion to the input as 256 is to 224.
  public init(_ preset: Preset, height: Int? = nil, width: Int? = nil) {
    self.init(size: height ?? width ?? 224)
    let columns = width ?? size
    self.width = columns == size ? nil : columns
    let longer = max(size, columns)
    switch preset {
    case .torchvision: resizing = .shorterSide((longer * 256 + 112) / 224)
    case .timm:
      // timm rounds size / 0.875 down.
      resizing = .shorterSide(longer * 8 / 7)
      interpolation = .bicubic
    case .openvino:
      resizing = .stretch
      order = .bgr
      divisor = 1
      mean = [0, 0, 0]
      deviation = [1, 1, 1]
    }
  }
}
