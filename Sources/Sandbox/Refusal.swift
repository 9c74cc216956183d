import HTTP
import JSON

/// An answer other than success, in Invoiced's shape.
struct Refusal: Error {
  let status: Int
  /// Nil where the real system leaves it out (malformed JSON).
  let type: String?
  let message: String
  let param: String?

  init(_ status: Int, _ message: String, param: String? = nil, type: String? = "invalid_request") {
    self.status = status
    self.type = type
    self.message = message
    self.param = param
  }

  static func invalid(_ param: String, _ message: String) -> Refusal { Refusal(400, message, param: param) }

  /// What Invoiced answers when its database refuses a value that nothing checked before.
  static func broken(_ message: String) -> Refusal { Refusal(500, message, type: "api_error") }

  var body: JSONValue {
    var object = JSONObject()
    if let type { object["type"] = .string(type) }
    object["message"] = .string(message)
    if let param { object["param"] = .string(param) }
    return .object(object)
  }
}
