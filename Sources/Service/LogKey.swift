/// The keys of log lines' metadata.
public enum LogKey {
  public static let record = "record.id"
  public static let source = "source.id"
  public static let event = "event.id"
  public static let side = "side"
  public static let action = "action"
  public static let properties = "properties"
  public static let reason = "reason"
  public static let error = "error"
  public static let address = "address"
  public static let nextStep = "next"
  public static let flow = "flow"
  /// With line and column.
  public static let file = "file"
}
