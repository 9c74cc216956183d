"""The durable job by the book: FastAPI, sqlite3, one commit for each request.

peer_fastapi.py PORT SECRET DATABASE
"""

import hashlib
import hmac
import json
import sqlite3
import sys
import time

import uvicorn
from fastapi import FastAPI, Header, HTTPException, Request

port, secret, path = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3]
database = sqlite3.connect(path)
database.execute("PRAGMA journal_mode = WAL")
database.execute("PRAGMA synchronous = FULL")
database.execute("CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE,"
                 " received_at INTEGER NOT NULL, body BLOB NOT NULL)")
app = FastAPI()


@app.post("/webhooks/invoiced")
async def receive(request: Request, x_invoiced_signature: str = Header()):
    body = await request.body()
    if not hmac.compare_digest(hmac.new(secret, body, hashlib.sha256).hexdigest(), x_invoiced_signature.lower()):
        raise HTTPException(401)
    event = json.loads(body)
    with database:
        inserted = database.execute(
            "INSERT INTO events (event_id, received_at, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (str(event["id"]), time.time_ns() // 1000, body)).rowcount
    return {"status": "accepted" if inserted else "duplicate"}


uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
