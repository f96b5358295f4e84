import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
public import Store

/// A local web page over the run store: lists, compares and follows runs, and changes nothing.
public struct Dashboard: Sendable {
  /// Where it listens and who may look.
  public struct Settings: Hashable, Sendable {
    /// The address; others than this machine's own ask for a token.
    public var host = "127.0.0.1"
    /// The port; 0 takes a free one.
    public var port = 8642
    /// What a visitor must know; nil lets everyone on this machine in.
    public var token: String?

    /// This machine only, port 8642.
    public init() {}

    /// Whether only this machine can reach the address.
    public var isLoopback: Bool { Self.isLoopback(host) }

    /// Whether `host` is a name of this machine that no other can reach.
    public static func isLoopback(_ host: String) -> Bool {
      ["127.0.0.1", "localhost", "::1"].contains(host)
    }
  }

  private let store: RunStore
  private let settings: Settings

  /// A dashboard over `store`.
  ///
  /// - Precondition: an address that others can reach comes with a token.
  public init(_ store: RunStore, _ settings: Settings = Settings()) {
    precondition(settings.isLoopback || settings.token != nil, "others need a token")
    self.store = store
    self.settings = settings
  }

  /// Serves until SIGINT or SIGTERM; open pages are told and the port is given back.
  ///
  /// - Parameter started: Told the port once requests are taken.
  /// - Throws: ``DashboardError`` when the address cannot be listened on.
  public func run(started: @escaping @Sendable (Int) -> Void) async throws {
    var logger = Logger(label: "dashboard") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .critical
    let application = Application(
      router: router(),
      configuration: ApplicationConfiguration(
        address: .hostname(settings.host, port: settings.port), serverName: "equant"),
      onServerRunning: { channel in started(channel.localAddress?.port ?? settings.port) },
      logger: logger)
    do {
      try await application.runService()
    } catch let error as IOError {
      throw DashboardError(settings, error.errnoCode)
    } catch let error as SocketAddressError {
      throw DashboardError("\(settings.host) is not an address of this machine: \(error)")
    }
  }

  /// The addresses and what they answer; all are read with GET.
  func router() -> Router<BasicRequestContext> {
    let router = Router(options: .autoGenerateHeadEndpoints)
    router.add(middleware: Doorkeeper(settings: settings))
    for (path, type, bytes) in [
      ("/", "text/html; charset=utf-8", PackageResources.dashboard_html),
      ("/dashboard.css", "text/css; charset=utf-8", PackageResources.dashboard_css),
      ("/dashboard.js", "text/javascript; charset=utf-8", PackageResources.dashboard_js),
    ] {
      router.get(RouterPath(path)) { _, _ in Response.of(bytes, type: type) }
    }
    let store = store
    router.get("/api/runs") { request, context in
      try Response.json(Listed(try store.list(RunSelection(request, context))))
    }
    router.get("/api/runs/:id") { _, context in
      try Response.json(Shown(try store.wanted(context), events: try store.told(context)))
    }
    router.get("/api/runs/:id/follow") { _, context in
      let id = try store.wanted(context).id ?? 0
      return Response(
        status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
        body: ResponseBody { writer in
          try await Follower(store: store, run: id).write(to: &writer)
          try await writer.finish(nil)
        })
    }
    router.get("/runs/:id/report") { _, context in
      // The store says where the page is, and a store can come from anywhere: only a page is shown.
      guard let path = try store.wanted(context).files["report"], path.hasSuffix(".html"),
        let page = try? Data(contentsOf: URL(fileURLWithPath: path)),
        page.starts(with: Array("<!DOCTYPE html>".utf8))
      else { throw HTTPError(.notFound, message: "The report of this run is no longer there.") }
      var response = Response.of(page, type: "text/html; charset=utf-8")
      // It may run its scripts, ask for nothing, and see nothing of the dashboard.
      response.headers[.contentSecurityPolicy] =
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        + "img-src data: blob:; base-uri 'none'; form-action 'none'; "
        + "sandbox allow-scripts allow-downloads allow-popups"
      return response
    }
    return router
  }
}

/// Why a dashboard could not be served: one line with a way out.
public struct DashboardError: Error, Hashable, CustomStringConvertible {
  /// What is wrong, and what to do.
  public var description: String

  init(_ description: String) { self.description = description }

  init(_ settings: Dashboard.Settings, _ code: Int32) {
    let reason = String(cString: strerror(code))
    let way = code == EADDRINUSE ? "; name another with --port" : ""
    self.init("port \(settings.port) of \(settings.host): \(reason)\(way)")
  }
}

extension Response {
  static func of(_ bytes: some Collection<UInt8>, type: String) -> Response {
    Response(
      status: .ok,
      headers: [.contentType: type, .contentLength: "\(bytes.count)", .cacheControl: "no-store"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  static func json(_ value: some Encodable) throws -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .secondsSince1970
    return of(try encoder.encode(value), type: "application/json")
  }
}

extension RunStore {
  /// The run whose number is in the address.
  fileprivate func wanted(_ context: BasicRequestContext) throws -> Run {
    guard let id = context.parameters.get("id", as: Int64.self), let run = try run(id) else {
      throw HTTPError(.notFound, message: "There is no such run.")
    }
    return run
  }

  fileprivate func told(_ context: BasicRequestContext) throws -> [RunEvent] {
    try events(of: context.parameters.get("id", as: Int64.self) ?? 0)
  }
}
