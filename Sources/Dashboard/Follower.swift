import Foundation
import Hummingbird
import NIOCore
import ServiceLifecycle
import Store

/// Tells an open page what a run does, as server-sent events, until the run or the server ends.
struct Follower {
  var store: RunStore
  var run: Int64

  /// How often the store is looked at; another process writes to it.
  private static let pause = Duration.milliseconds(400)
  /// After so many looks without news a line is sent, so that a visitor who left is noticed.
  private static let pulse = 25

  @concurrent func write(to writer: inout any ResponseBodyWriter) async throws {
    var last: Int64 = 0
    var progress: String?
    var quiet = 0
    while !Task.isShuttingDownGracefully && !Task.isCancelled {
      // The run before its events: what it told last is then there when it has ended.
      guard let current = try store.run(run) else { break }
      var news: [ByteBuffer] = []
      for event in try store.events(of: run, after: last) {
        news.append(try Self.message("told", event))
        last = event.id
      }
      if current.progress != progress, current.state == .running {
        progress = current.progress
        news.append(try Self.message("progress", progress ?? ""))
      }
      quiet = news.isEmpty ? quiet + 1 : 0
      if quiet == Self.pulse {
        news.append(ByteBuffer(string: ": still here\n\n"))
        quiet = 0
      }
      let isOver = current.standing() != .running
      if isOver { news.append(try Self.message("end", Shown(current, events: []))) }
      try await writer.write(contentsOf: news)
      if isOver { break }
      try await Task.sleep(for: Self.pause)
    }
  }

  /// An event whose data are one line of JSON, whatever the text in it.
  private static func message(_ name: String, _ value: some Encodable) throws -> ByteBuffer {
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .secondsSince1970
    let data = String(decoding: try encoder.encode(value), as: UTF8.self)
    return ByteBuffer(string: "event: \(name)\ndata: \(data)\n\n")
  }
}
