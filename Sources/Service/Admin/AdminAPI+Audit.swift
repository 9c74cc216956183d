import Connectors
import Documents
import HTTP
import HTTPServer
import JSON
import Mapping

extension AdminAPI {
  /// Both sides compared now; `?flow=NAME` for one flow, `?format=` for the document in place of JSON.
  func audit(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    for (name, _) in call.query where name != "flow" && name != "format" {
      throw .badRequest("An audit knows flow and format, not \(name).")
    }
    let flow = call.parameter("flow")
    if let flow, context.mapping.flow(named: flow) == nil {
      throw .badRequest(context.mapping.noFlow(named: flow))
    }
    let format = call.parameter("format") ?? "json"
    guard ["json", "text", "html", "rst"].contains(format) else {
      throw .badRequest("format must be json, text, html or rst.")
    }
    let report: AuditReport
    do throws(WalkError) {
      var audit = try Audit(context, flow: flow)
      report = try await audit.report()
    } catch {
      switch error {
      case .side(let error): throw .side(error)
      case .store(let error): throw .store(error)
      case .closed, .stuck, .cancelled: throw .conflict(error.description)
      }
    }
    switch format {
    case "json": return .json(report.json)
    case "html": return .document(report.document.rendered(as: .html), "text/html; charset=utf-8", report.agrees)
    case "rst": return .document(report.document.rendered(as: .rst), "text/plain; charset=utf-8", report.agrees)
    default: return .document(report.text, "text/plain; charset=utf-8", report.agrees)
    }
  }
}

extension HTTPResponse {
  fileprivate static func document(_ text: String, _ type: String, _ agrees: Bool) -> HTTPResponse {
    HTTPResponse(
      status: 200, headers: ["Content-Type": type, "Customer-Sync-Agrees": agrees ? "true" : "false"],
      body: Array(text.utf8))
  }
}
