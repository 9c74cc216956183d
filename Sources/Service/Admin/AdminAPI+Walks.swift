import HTTP
import HTTPServer
import JSON
import Mapping
import Store
import Sync

/// Walks that a person asks for, and how they get on.
extension AdminAPI {
  /// `{"full": BOOL}`: begins a reconcile, and answers before it is over.
  func startReconcile(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let object = try call.object(of: ["full"])
    let isFull = try Self.flag("full", in: object)
    return .json(core.engine.walks.start(.reconcile(full: isFull)).json, status: 202)
  }

  /// `{"flow": NAME}`: begins a backfill of that flow, or of all of them.
  func startBackfill(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let object = try call.object(of: ["flow"])
    let flow = try flow(named: object["flow"] ?? .null)
    return .json(core.engine.walks.start(.backfill(flow: flow)).json, status: 202)
  }

  /// The walk of that kind with `?id=N`, else the latest.
  func walk(_ kind: WalkRequest.Kind, _ call: AdminCall) throws(AdminError) -> HTTPResponse {
    guard let text = call.parameter("id") else {
      guard let run = core.engine.walks.latest(kind) else {
        throw .notFound("There was no \(kind.rawValue) since the service was started.")
      }
      return .json(run.json)
    }
    guard let id = Int(text) else {
      throw .badRequest("id must be a number that a \(kind.rawValue) was answered with.")
    }
    guard let run = core.engine.walks.run(id), run.request.kind == kind else {
      throw .notFound("There is no \(kind.rawValue) \(id) among the latest.")
    }
    return .json(run.json)
  }

  /// Nil, for all flows, where none is named.
  private func flow(named name: JSONValue) throws(AdminError) -> String? {
    if name.isNull { return nil }
    guard let text = name.string else { throw .badRequest("flow must be a flow's name.") }
    guard context.mapping.flow(named: text) != nil else {
      throw .badRequest(context.mapping.noFlow(named: text))
    }
    return text
  }

  /// Nil where it is absent or null.
  static func text(_ name: String, in object: JSONObject) throws(AdminError) -> String? {
    guard let value = object[name], !value.isNull else { return nil }
    guard let text = value.string else { throw .badRequest("\(name) must be a text.") }
    return text
  }

  static func flag(_ name: String, in object: JSONObject) throws(AdminError) -> Bool {
    guard let value = object[name], !value.isNull else { return false }
    guard let flag = value.bool else { throw .badRequest("\(name) must be true or false.") }
    return flag
  }
}
