import Foundation

/// Settings as names and texts: nested names are joined by dots, what is not set is left out.
///
/// - Throws: What `settings` throws when it is encoded.
public func settingTexts(_ settings: some Encodable) throws -> [String: String] {
  let value = try JSONDecoder().decode(Setting.self, from: JSONEncoder().encode(settings))
  var texts: [String: String] = [:]
  value.collect(into: &texts, under: "")
  return texts
}

/// A JSON value that settings consist of.
private enum Setting: Decodable {
  case text(String)
  case list([Setting])
  case named([String: Setting])

  init(from decoder: any Decoder) throws {
    if let keyed = try? decoder.container(keyedBy: Name.self) {
      var values: [String: Setting] = [:]
      for key in keyed.allKeys where try !keyed.decodeNil(forKey: key) {
        values[key.stringValue] = try keyed.decode(Setting.self, forKey: key)
      }
      self = .named(values)
      return
    }
    if var list = try? decoder.unkeyedContainer() {
      var values: [Setting] = []
      while !list.isAtEnd { values.append(try list.decode(Setting.self)) }
      self = .list(values)
      return
    }
    let one = try decoder.singleValueContainer()
    if let text = try? one.decode(String.self) { self = .text(text); return }
    if let truth = try? one.decode(Bool.self) { self = .text("\(truth)"); return }
    if let whole = try? one.decode(Int.self) { self = .text("\(whole)"); return }
    self = .text("\(try one.decode(Double.self))")
  }

  func collect(into texts: inout [String: String], under name: String) {
    switch self {
    case .text(let text): texts[name] = text
    case .named(let values):
      for (key, value) in values {
        value.collect(into: &texts, under: name.isEmpty ? key : "\(name).\(key)")
      }
    case .list(let values):
      let plain = values.compactMap { if case .text(let text) = $0 { text } else { nil } }
      if plain.count == values.count {
        texts[name] = plain.joined(separator: ", ")
      } else {
        for (place, value) in values.enumerated() {
          value.collect(into: &texts, under: "\(name).\(place + 1)")
        }
      }
    }
  }

  private struct Name: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}
