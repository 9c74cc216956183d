/// The tables, and how an older store becomes a newer one.
enum Schema {
  /// "CSyn": tells our files from other programs' SQLite files.
  static let applicationID: Int64 = 0x4353_796e
  /// `PRAGMA user_version`: how many of `steps` a store has been through.
  static var version: Int { steps.count }

  /// Brings the store to this program's version, each step in a transaction of its own.
  static func migrate(_ db: SQLConnection) throws {
    let found = Int(try db.number("PRAGMA user_version"))
    for step in steps.indices.dropFirst(found) {
      try db.inTransaction {
        try db.execute(sql: steps[step])
        try db.execute(sql: "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(step + 1)")
      }
    }
  }

  /// Deletes all that a store holds, as if it had just been made.
  static func empty(_ db: SQLConnection) throws {
    let tables = try db.all(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('meta', 'sqlite_sequence') ORDER BY name"
    ) { $0.text(0) ?? "" }
    try db.inTransaction {
      for table in tables { try db.run("DELETE FROM \(table)") }
      try db.run("DELETE FROM meta WHERE name <> 'hash key'")
      try db.run("DELETE FROM sqlite_sequence")
    }
  }

  private static let steps = [first]

  // Numbers for what indexes and counts depend on: an event's state below 3 is pending (EventState.code), a link's
  // state below 2 is not ended. Ids, and texts that are compared, are blobs: bytes. JSON is UTF-8 in blobs.
  private static let first = """
    CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB) STRICT, WITHOUT ROWID;
    INSERT INTO meta VALUES('hash key', randomblob(\(SipHash.keySize)));
    CREATE TABLE setting(name BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE event(
      id INTEGER PRIMARY KEY, side INTEGER NOT NULL, event_id BLOB NOT NULL, type BLOB NOT NULL, kind TEXT NOT NULL,
      origin TEXT NOT NULL, record BLOB, received_at INTEGER NOT NULL, state INTEGER NOT NULL,
      attempts INTEGER NOT NULL, due_at INTEGER, reason TEXT, finished_at INTEGER, body BLOB NOT NULL) STRICT;
    CREATE INDEX event_due ON event(due_at, id, side, record, state, received_at) WHERE state < 3;
    CREATE INDEX event_done ON event(side, record) WHERE state >= 3 AND record IS NOT NULL;
    CREATE INDEX event_open ON event(state) WHERE state >= 5;
    CREATE INDEX event_held ON event(side, record) WHERE state >= 5;
    CREATE INDEX event_loose ON event(side, id) WHERE record IS NULL OR kind = 'merged';
    CREATE TABLE pending_event(
      hash INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY(hash, id)) STRICT, WITHOUT ROWID;
    CREATE TABLE recent_event(first INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
    CREATE TABLE known_event(hash INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY(hash, id)) STRICT, WITHOUT ROWID;

    CREATE TABLE record(
      number INTEGER PRIMARY KEY, side INTEGER NOT NULL, id BLOB NOT NULL, presence TEXT NOT NULL,
      was_fetched INTEGER NOT NULL, gone_at INTEGER, apart TEXT, flow TEXT, doubt_since INTEGER,
      first_seen_at INTEGER NOT NULL, version INTEGER, etag TEXT, source TEXT, seen_at INTEGER, body BLOB,
      failing_since INTEGER, server_errors INTEGER NOT NULL,
      UNIQUE(side, id)) STRICT;
    CREATE INDEX record_gone ON record(gone_at) WHERE presence = 'gone' AND body IS NOT NULL;

    CREATE TABLE link(
      id INTEGER PRIMARY KEY AUTOINCREMENT, flow TEXT NOT NULL, invoiced BLOB NOT NULL, pms BLOB NOT NULL,
      state INTEGER NOT NULL, created_at INTEGER NOT NULL, ended_at INTEGER, reason TEXT, invoiced_reference BLOB,
      pms_reference BLOB, agreed BLOB NOT NULL, invoiced_edits BLOB NOT NULL, pms_edits BLOB NOT NULL,
      writes BLOB) STRICT;
    CREATE UNIQUE INDEX link_invoiced ON link(invoiced) WHERE state < 2;
    CREATE UNIQUE INDEX link_pms ON link(pms) WHERE state < 2;
    CREATE INDEX link_ended_invoiced ON link(invoiced) WHERE state >= 2;
    CREATE INDEX link_ended_pms ON link(pms) WHERE state >= 2;
    CREATE TABLE active_links(flow TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TRIGGER link_inserted AFTER INSERT ON link WHEN new.state = 0 BEGIN
      INSERT INTO active_links VALUES(new.flow, 1) ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER link_deleted AFTER DELETE ON link WHEN old.state = 0 BEGIN
      UPDATE active_links SET count = count - 1 WHERE flow = old.flow;
    END;
    CREATE TRIGGER link_updated AFTER UPDATE OF state, flow ON link
    WHEN new.state <> old.state OR new.flow <> old.flow BEGIN
      UPDATE active_links SET count = count - 1 WHERE flow = old.flow AND old.state = 0;
      INSERT INTO active_links SELECT new.flow, 1 WHERE new.state = 0 ON CONFLICT DO UPDATE SET count = count + 1;
    END;

    CREATE TABLE push(
      id INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, flow TEXT NOT NULL, side INTEGER NOT NULL,
      source BLOB NOT NULL, target BLOB, link INTEGER, state TEXT NOT NULL, sent_at INTEGER NOT NULL, event INTEGER,
      idempotency_key BLOB NOT NULL, properties BLOB NOT NULL, claims BLOB NOT NULL, read_version INTEGER,
      metadata BLOB) STRICT;
    CREATE INDEX push_source ON push(side, source);
    CREATE INDEX push_target ON push(side, target);
    CREATE UNIQUE INDEX push_create ON push(side, source) WHERE action = 'create';
    CREATE TABLE claim(
      flow BLOB NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
      push INTEGER NOT NULL REFERENCES push(id) ON DELETE CASCADE,
      PRIMARY KEY(flow, key, value)) STRICT, WITHOUT ROWID;
    CREATE INDEX claim_push ON claim(push);

    CREATE TABLE hold(
      id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, cause TEXT NOT NULL, state TEXT NOT NULL, flow TEXT,
      link INTEGER, side INTEGER, record BLOB, invoiced BLOB, pms BLOB, row BLOB, property TEXT,
      attempts INTEGER NOT NULL, at INTEGER NOT NULL, event INTEGER, invoiced_value BLOB, pms_value BLOB,
      basis BLOB NOT NULL, reason TEXT NOT NULL, next_step TEXT NOT NULL) STRICT;
    CREATE UNIQUE INDEX hold_filing ON hold(side, record, kind, cause, ifnull(row, x'')) WHERE record IS NOT NULL;
    CREATE UNIQUE INDEX hold_loose ON hold(event, kind, cause) WHERE record IS NULL;
    CREATE INDEX hold_link ON hold(link) WHERE link IS NOT NULL;
    CREATE INDEX hold_list ON hold(kind, state, id);

    CREATE TABLE history(
      id INTEGER PRIMARY KEY, kind TEXT NOT NULL, flow TEXT, invoiced BLOB, pms BLOB, side INTEGER, property TEXT,
      old BLOB, new BLOB, rule INTEGER NOT NULL, sentence TEXT NOT NULL, at INTEGER NOT NULL, event INTEGER,
      source BLOB, agreed BLOB) STRICT;
    CREATE INDEX history_invoiced ON history(invoiced) WHERE invoiced IS NOT NULL;
    CREATE INDEX history_pms ON history(pms) WHERE pms IS NOT NULL;

    CREATE TABLE forgotten(hash INTEGER PRIMARY KEY) STRICT;
    """
}
