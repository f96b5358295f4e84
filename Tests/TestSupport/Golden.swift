public import Foundation

/// Where a golden file is that a test bundle carries.
public func goldenURL(_ name: String, in bundle: Bundle) throws -> URL {
  let url = bundle.resourceURL.map {
    $0.appendingPathComponent("Golden").appendingPathComponent(name)
  }
  guard let url, FileManager.default.fileExists(atPath: url.path) else {
    throw CocoaError(.fileNoSuchFile)
  }
  return url
}

/// Decodes `Golden/<name>.json` of a test bundle.
public func golden<Value: Decodable>(
  _ type: Value.Type = Value.self, _ name: String, in bundle: Bundle
) throws -> Value {
  try JSONDecoder().decode(type, from: Data(contentsOf: goldenURL("\(name).json", in: bundle)))
}

/// A new, empty folder that the caller removes.
public func temporaryFolder(_ purpose: String = #function) throws -> String {
  let url = FileManager.default.temporaryDirectory
    .appendingPathComponent("equant-test-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  return url.path
}
