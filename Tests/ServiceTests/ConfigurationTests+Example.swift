extension ConfigurationTests {
  /// Contract section 3, as it stands there.
  static let example = #"""
    listen: 0.0.0.0:8080
    tls: { certificate: null, key: null, client_ca: null }      # TLS 1.2 at least; client_ca: callers must present a certificate
    max_body: 1MiB
    read_timeout: 10s
    max_connections: 10000
    idle_timeout: 60s
    drain: 20s
    store: sqlite:customer-sync.db            # or postgres://user@host/db
    retention: { events: 30d, history: 365d }
    mapping: mapping.yaml
    log: { level: info, format: text }        # text | json
    admin:
      listen: 127.0.0.1:9090
      token: ${CUSTOMER_SYNC_ADMIN_TOKEN}     # may be left out on a loopback address
    invoiced:
      url: https://api.invoiced.com
      api_key: ${INVOICED_API_KEY}
      webhook: { secrets: ["${INVOICED_WEBHOOK_SECRET}"], allow_from: [] }   # allow_from: addresses and CIDRs
      timeout: 30s                            # of the whole exchange
      ca: null                                # a PEM file to trust beside the system's; the same under `pms`
      concurrency: 4
      rate: null                              # such as 20/s
    pms:
      url: https://pms.example.com/api/v1
      auth: { type: bearer, token: "${PMS_TOKEN}" }
      #     { type: basic, user: U, password: P } | { type: header, name: X-Api-Key, value: V }
      #     { type: oauth2, token_url: U, client_id: I, client_secret: S, scope: null } | { type: none }
      timeout: 30s
      concurrency: 8
      rate: null
      callback:
        signature: { scheme: standard-webhooks, secrets: ["${PMS_CALLBACK_SECRET}"], tolerance: 5m }
        #          { scheme: hmac, header: X-Signature, algorithm: sha256, encoding: hex, prefix: "sha256=",
        #            timestamp_header: null, signed: "{body}", secrets: [S], tolerance: 5m }   # signed: "{timestamp}.{body}"
        event_id: header:webhook-id           # header:NAME | body:PATH
        type: body:type
        record: body:data                     # the whole record, or null when callbacks carry only the id
        record_id: body:data.id
        types: { created: [customer.created], updated: [customer.updated], deleted: [customer.deleted] }
        allow_from: []
      entities:
        customer:
          id: id
          updated_at: updated_at              # RFC 3339 or UNIX seconds; null where there is none
          etag: true                          # send If-Match where the side gave an ETag
          idempotency_header: Idempotency-Key # null where there is none
          envelope: null                      # the key that request and answer bodies are wrapped in
          list:   { path: "/customers", items: data, pagination: { style: page, page: page, size: per_page, per_page: 100 }, updated_since: updated_since }
          #         pagination styles: page | offset {offset, limit, per_page} | cursor {cursor, next: PATH} | link (the Link header) | none; ends at an empty page or without a next
          find:   { path: "/customers", query: { "{property}": "{value}" }, items: data }
          get:    { path: "/customers/{id}" }
          create: { method: POST, path: "/customers" }
          update: { method: PATCH, path: "/customers/{id}", content_type: application/json }   # method: PUT sends the whole record
          delete: { method: DELETE, path: "/customers/{id}" }
    reconcile: { every: 5m, full: 24h }
    retry: { first: 1s, most: 15m, give_up: 48h }
    breaker: { failures: 5, probe: 10s }
    delete_guard: { most: 20, share: 0.05, window: 1h }   # rule 14: beyond the lesser of `most` and `share` of the flow's links, never below 3
    loop_guard: { pushes: 20, window: 10m }   # rule 20
    confirm: 60s                              # doubtful news (a 404 without a delete event, an answer older than what was seen, an unanswered create) is asked again after this long
    """#
}
