public import Files
import Foundation

/// The JSON of preprocessing; what is as usual is left out.
extension Preprocessing: Codable {
  private enum Key: String, CodingKey, CaseIterable {
    case size, width, crop, resize, shorterSide, interpolation, order, layout, divisor, mean
    case deviation
  }

  /// Reads `size`, `mean` and `deviation`, and the rest where it is not as usual.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    self.init(size: try values.decode(Int.self, forKey: .size))
    width = try values.decodeIfPresent(Int.self, forKey: .width)
    crop = try values.decodeIfPresent(Int.self, forKey: .crop)
    switch try values.decodeIfPresent(String.self, forKey: .resize) {
    case nil, "square": resizing = .square
    case "stretch": resizing = .stretch
    case "shorter": resizing = .shorterSide(try values.decode(Int.self, forKey: .shorterSide))
    case let other?:
      throw DecodingError.dataCorruptedError(
        forKey: .resize, in: values,
        debugDescription: "'\(other)', expected square, stretch or shorter")
    }
    interpolation =
      try values.decodeIfPresent(Interpolation.self, forKey: .interpolation) ?? interpolation
    order = try values.decodeIfPresent(ChannelOrder.self, forKey: .order) ?? order
    layout = try values.decodeIfPresent(Layout.self, forKey: .layout) ?? layout
    divisor = try values.decodeIfPresent(Float.self, forKey: .divisor) ?? divisor
    mean = try values.decode([Float].self, forKey: .mean)
    deviation = try values.decode([Float].self, forKey: .deviation)
  }

  /// Writes what ``init(from:)`` reads.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(size, forKey: .size)
    try values.encodeIfPresent(width, forKey: .width)
    try values.encodeIfPresent(crop, forKey: .crop)
    switch resizing {
    case .square: break
    case .stretch: try values.encode("stretch", forKey: .resize)
    case .shorterSide(let side):
      try values.encode("shorter", forKey: .resize)
      try values.encode(side, forKey: .shorterSide)
    }
    if interpolation != .bilinear { try values.encode(interpolation, forKey: .interpolation) }
    if order != .rgb { try values.encode(order, forKey: .order) }
    if layout != .planes { try values.encode(layout, forKey: .layout) }
    if divisor != 255 { try values.encode(divisor, forKey: .divisor) }
    try values.encode(mean, forKey: .mean)
    try values.encode(deviation, forKey: .deviation)
  }

  /// Reads preprocessing from a JSON file that a person wrote.
  ///
  /// - Throws: `FileError` that names what is missing, unknown or impossible.
  public init(reading path: String) throws(FileError) {
    let data = Data(try Files.read(path))
    let known = Key.allCases.map(\.rawValue)
    guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
      throw FileError(path, "is not a JSON object")
    }
    if let unknown = object.keys.filter({ !known.contains($0) }).min() {
      throw FileError(
        path, "has the unknown key '\(unknown)'; known are \(known.joined(separator: ", "))")
    }
    do {
      self = try JSONDecoder().decode(Self.self, from: data)
    } catch DecodingError.keyNotFound(let key, _) {
      throw FileError(path, "has no '\(key.stringValue)'")
    } catch DecodingError.dataCorrupted(let context) {
      let key = context.codingPath.last?.stringValue ?? ""
      throw FileError(path, "'\(key)' is not understood: \(context.debugDescription)")
    } catch let error as DecodingError {
      guard case .typeMismatch(_, let context) = error else {
        throw FileError(path, "is not understood")
      }
      throw FileError(path, "'\(context.codingPath.first?.stringValue ?? "")' is of the wrong type")
    } catch {
      throw FileError(path, "is not understood")
    }
    if let problem { throw FileError(path, problem) }
  }
}

extension Preprocessing: CustomStringConvertible {
  /// One line for people: `224 x 224: shorter side to 256, middle cut out, bilinear; RGB …`.
  public var description: String {
    let cut =
      switch resizing {
      case .square: crop.map { "middle square of \($0) resized" } ?? "largest square resized"
      case .stretch: "whole image resized"
      case .shorterSide(let side): "shorter side to \(side), middle cut out"
      }
    let numbers = { (values: [Float]) in values.map { "\($0)" }.joined(separator: ", ") }
    return "\(size) x \(columns): \(cut), \(interpolation.rawValue); "
      + "\(order.rawValue.uppercased()), \(layout.rawValue.uppercased()), levels / \(divisor), "
      + "mean \(numbers(mean)), deviation \(numbers(deviation))"
  }
}
