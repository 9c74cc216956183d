import HTTP
import HTTPServer
import JSON
import Mapping
import Signatures
import Store
import Sync

/// What the admin listener answers (contract section 7).
public final class AdminListener: Sendable {
  private let core: ServiceCore
  private let access: AdminAccess

  /// `token` is nil only on a loopback address.
  public init(core: ServiceCore, token: Secret?) {
    self.core = core
    access = AdminAccess(token: token, clock: core.context.clock, random: core.context.random)
  }

  /// Takes a new token over.
  func replace(token: Secret?) { access.replace(token: token) }

  public func answer(_ request: HTTPRequest) async -> HTTPResponse {
    if request.path == "/healthz" {
      return request.method == "GET" || request.method == "HEAD"
        ? .json(core.instance.map { ["status": "ok", "instance": .string($0)] } ?? ["status": "ok"])
        : .problem(405, detail: "Only GET, HEAD is answered here.", headers: ["Allow": "GET, HEAD"])
    }
    let isForPeople = (request.headers["Accept"] ?? "").contains("text/html")
    if request.path == "/login" {
      switch request.method {
      case "POST":
        let response = access.login(request)
        return response.status == 401 && isForPeople
          ? AdminPage.login(status: 401, note: "The token is wrong.") : response
      case "GET", "HEAD": return AdminPage.login(status: 200)
      default:
        return .problem(405, detail: "Only GET, HEAD, POST is answered here.", headers: ["Allow": "GET, HEAD, POST"])
      }
    }
    if let refusal = access.refusal(of: request) {
      return refusal.status == 401 && isForPeople ? AdminPage.login(status: 401) : refusal
    }
    if request.path == "/metrics" {
      return request.method == "GET" || request.method == "HEAD" ? await metrics() : AdminSite.notAllowed("GET, HEAD")
    }
    if request.path == "/logout" {
      return request.method == "POST" ? access.logout(request) : AdminSite.notAllowed("POST")
    }
    let site = AdminSite(api: AdminAPI(core: core), canLogOut: access.hasSession(request))
    if let page = await site.answer(request) { return page }
    return await AdminAPI(core: core).answer(request)
  }

  private func metrics() async -> HTTPResponse {
    let context = core.context
    var gauges = Metrics.Gauges()
    do throws(StoreError) {
      let counts = try await context.store.counts()
      gauges.depth = EventState.allCases.filter(\.isPending).reduce(0) { $0 + (counts.events[$1] ?? 0) }
      gauges.oldestSeconds = counts.oldestPending.map { max(0, context.clock.now.since($0).seconds) } ?? 0
      gauges.parked = counts.openHolds[.parked] ?? 0
      gauges.conflicts = counts.openHolds[.conflict] ?? 0
      gauges.heldDeletes = counts.openHolds[.deletion] ?? 0
      gauges.links = counts.activeLinks
    } catch {
      return .problem(503, detail: "\(error)", headers: ["Retry-After": "5"])
    }
    for flow in context.mapping.flows where gauges.links[flow.name] == nil { gauges.links[flow.name] = 0 }
    gauges.breakerOpen = context.gates.mapValues(\.isBreakerOpen)
    return HTTPResponse(
      status: 200, headers: ["Content-Type": "text/plain; version=0.0.4; charset=utf-8"],
      body: Array(context.metrics.text(gauges).utf8))
  }
}
