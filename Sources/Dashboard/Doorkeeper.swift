import HTTPTypes
import Hummingbird
import Store

/// Lets in who may look, refuses whatever would change anything, and says what a page may do.
struct Doorkeeper: RouterMiddleware {
  var settings: Dashboard.Settings

  func handle(
    _ request: Request, context: BasicRequestContext,
    next: @concurrent (Request, BasicRequestContext) async throws -> Response
  ) async throws -> Response {
    guard request.method == .get || request.method == .head else {
      throw HTTPError(.methodNotAllowed, message: "The dashboard only shows.")
    }
    // A foreign site can point its own name at this machine; then the name gives it away.
    if settings.isLoopback, !isOwn(request.head.authority ?? "") {
      throw HTTPError(.forbidden, message: "Open the dashboard as http://127.0.0.1.")
    }
    if let token = settings.token {
      if let offered = request.uri.queryParameters["token"], Self.equal(String(offered), token) {
        // Out of the address bar, and out of anything that records addresses.
        return Response(
          status: .seeOther,
          headers: [
            .location: "/", .setCookie: "equant=\(token); HttpOnly; SameSite=Strict; Path=/",
          ])
      }
      let cookie = request.cookies["equant"]?.value ?? ""
      let bearer = request.headers[.authorization].map { String($0.trimmingPrefix("Bearer ")) }
      guard Self.equal(cookie, token) || Self.equal(bearer ?? "", token) else {
        throw HTTPError(.unauthorized, message: "Open the dashboard with ?token=…")
      }
    }
    var response: Response
    do {
      response = try await next(request, context)
    } catch let error as StoreError {
      throw HTTPError(.internalServerError, message: error.description)
    }
    response.headers[.xContentTypeOptions] = "nosniff"
    if response.headers[.contentSecurityPolicy] == nil {
      response.headers[.contentSecurityPolicy] =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }
    return response
  }

  private func isOwn(_ authority: String) -> Bool {
    let name =
      authority.hasPrefix("[")
      ? String(authority.dropFirst().prefix { $0 != "]" })
      : String(authority.prefix { $0 != ":" })
    return Dashboard.Settings.isLoopback(name)
  }

  /// Compares without telling by its duration where the first difference is.
  static func equal(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    guard a.count == b.count else { return false }
    return zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
