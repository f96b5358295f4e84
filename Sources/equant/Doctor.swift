import ArgumentParser
import Foundation
import Images
import OneDNN

/// `equant doctor`: what was found on this machine.
struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Report the native libraries, the processor and what runs natively on it.")

  @OptionGroup var output: OutputOptions

  func run() throws {
    let processor = Processor.current
    let libraries = [
      Library("oneDNN", version: processor.version, file: "libdnnl"),
      Library("OpenMP", file: "libgomp"),
      Library("libjpeg-turbo", file: "libturbojpeg"),
      Library("cairo", file: "libcairo"),
    ]
    let findings = Findings(
      version: Equant.configuration.version, processor: processorName(),
      instructionSet: processor.instructionSet, threads: processor.threadCount,
      nativeBFloat16: processor.hasNativeBFloat16,
      runsBFloat16: processor.runsBFloat16, nativeInt8: processor.hasNativeInt8,
      libraries: libraries)
    try output.write(findings) { findings.text }
    if libraries.contains(where: { $0.path == nil }) { throw ExitCode(1) }
  }

  private struct Findings: Encodable {
    var version: String
    var processor: String
    var instructionSet: String
    var threads: Int
    var nativeBFloat16: Bool
    var runsBFloat16: Bool
    var nativeInt8: Bool
    var libraries: [Library]

    private var bfloat16: String {
      if nativeBFloat16 { return "native" }
      return runsBFloat16
        ? "emulated: --precision auto picks f32" : "none: --precision auto picks f32"
    }

    private var int8: String {
      nativeInt8
        ? "native"
        : "no VNNI: sums kept exact by multiplying large weights in two halves, at about half speed"
    }

    var text: String {
      var lines = [
        "equant           \(version)",
        "processor        \(processor)",
        "instruction set  \(instructionSet) (what oneDNN generates kernels for)",
        "threads          \(threads)",
        "bf16             \(bfloat16)",
        "int8             \(int8)",
      ]
      for library in libraries {
        let name = library.name.padding(toLength: 17, withPad: " ", startingAt: 0)
        let version = library.version.map { "\($0)  " } ?? ""
        lines.append("\(name)\(version)\(library.path ?? "not found: run make deps")")
      }
      return lines.joined(separator: "\n")
    }
  }
}

/// A shared library that this process has loaded.
struct Library: Encodable {
  var name: String
  var version: String?
  var path: String?

  /// Finds the loaded file whose name begins with `file`; its real name holds the version.
  init(_ name: String, version: String? = nil, file: String) {
    self.name = name
    path = Self.loaded.first { ($0 as NSString).lastPathComponent.hasPrefix(file) }
    let real = path.map { URL(fileURLWithPath: $0).resolvingSymlinksInPath().lastPathComponent }
    self.version = version ?? real?.split(separator: ".so.").last.map { "ABI \($0)" }
  }

  /// The files of all loaded libraries.
  private static var loaded: [String] {
    #if os(Linux)
    let maps = FileHandle(forReadingAtPath: "/proc/self/maps")?.readDataToEndOfFile() ?? Data()
    return String(decoding: maps, as: UTF8.self).split(separator: "\n").compactMap { line in
      line.firstIndex(of: "/").map { String(line[$0...]) }
    }
    #else
    return (0..<_dyld_image_count()).compactMap {
      _dyld_get_image_name($0).map { String(cString: $0) }
    }
    #endif
  }
}

/// The processor's name as the system tells it.
func processorName() -> String {
  #if os(Linux)
  let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
  let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
  return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
    ?? "unknown"
  #else
  return ProcessInfo.processInfo.hostName
  #endif
}
