"""The programs a benchmark starts: each in a directory of its own, ended by its own process id, its rows counted."""

import http.client
import json
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SECRET = "4b37d5776dad4059ab4c80fa072e3fce"
CALLBACK_SECRET = "whsec_YmVuY2htYXJrLWNhbGxiYWNrLXNlY3JldA=="
FIRST_STAMP = 1767693600


class Broken(Exception):
    """Something that makes the figures worthless."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(port, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Server:
    """A program that listens on one port of 127.0.0.1 and ends at SIGTERM."""

    name = "server"
    # Where its store keeps what was accepted.
    table = "events"

    def __init__(self, work):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=self.name + "-", dir=work))
        self.port = free_port()
        self.process = None
        self.accepted = 0  # since the store was made
        self.events_sent = 0

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory)

    def start(self):
        """Returns the milliseconds until it was ready."""
        self.port = free_port()
        with open(self.directory / "log", "ab") as log:
            began = time.monotonic()
            self.process = subprocess.Popen(self.command(), cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > began + 30:
                raise Broken(f"{self.name} didn't start: {self.log_end()}")
            time.sleep(0.0005)
        return (time.monotonic() - began) * 1000

    def is_ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except ConnectionRefusedError:
            return False

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Broken(f"{self.name} didn't end within a minute of SIGTERM: {self.log_end()}") from None

    def log_end(self):
        return (self.directory / "log").read_text(errors="replace")[-2000:].strip() or "it said nothing"

    def load(self, programs, **options):
        """Runs the load generator; every event is one that this store hasn't seen."""
        command = [programs / "load", "--port", str(self.port), "--secret", options.pop("secret", SECRET), "--sample",
                   str(HERE / "customer.json"), "--first", str(self.events_sent)]
        for key, value in options.items():
            command += ["--" + key, str(value)]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            raise Broken(f"load on {self.name}: {run.stdout}{run.stderr.strip()}\n{self.log_end()}")
        result = json.loads(run.stdout)
        self.events_sent += result["sent"]
        self.accepted += result["accepted"]
        if result["accepted"] != result["answered"]:
            raise Broken(f"{self.name} answered {result['answered']} and accepted {result['accepted']}")
        return result

    def check_stored(self):
        """A speed test must count what was stored: as many rows as were acknowledged, or nothing was measured."""
        self.stop()
        database = self.database()
        if database is None:
            return
        with sqlite3.connect(database) as connection:
            (stored,) = connection.execute(f"SELECT COUNT(*) FROM {self.table}").fetchone()
        if stored != self.accepted:
            raise Broken(f"{self.name} accepted {self.accepted} events and stored {stored}")

    def database(self):
        return None


class Plain(Server):
    name = "plain"

    def __init__(self, work, programs):
        super().__init__(work)
        self.programs = programs

    def command(self):
        return [self.programs / "peer_plain", str(self.port), SECRET]


class Durable(Plain):
    name = "durable"

    def command(self):
        return [self.programs / "peer_durable", str(self.port), SECRET, "events.db"]

    def database(self):
        return self.directory / "events.db"


class FastAPI(Plain):
    """FastAPI and sqlite3 by the book: one commit for each request."""

    name = "fastapi"

    def command(self):
        return [self.programs / "venv/bin/python", HERE / "peer_fastapi.py", str(self.port), SECRET, "events.db"]

    def database(self):
        return self.directory / "events.db"


class Sides(Server):
    """Both systems that are kept in sync."""

    name = "sides"

    def __init__(self, work, programs, customers):
        super().__init__(work)
        self.programs = programs
        self.customers = customers

    def command(self):
        return [self.programs / "sides", str(self.port), HERE, str(self.customers)]

    @property
    def urls(self):
        return f"http://127.0.0.1:{self.port}/invoiced", f"http://127.0.0.1:{self.port}/pms"

    def counts(self):
        return json.loads(get(self.port, "/bench")[1])

    def fill_both(self):
        get(self.port, "/bench?both=1", "PUT")

    def drop_etags(self):
        get(self.port, "/bench?etags=0", "PUT")

    def edit_all(self, stamp):
        get(self.port, f"/bench?stamp={stamp}", "PUT")

    def wait_for(self, what, count, seconds):
        until = time.monotonic() + seconds
        while (counts := self.counts())[what] < count:
            if time.monotonic() > until:
                raise Broken(f"{counts[what]} of {count} {what} after {seconds} s")
            time.sleep(0.02)
        return counts


class Service(Server):
    """customer-sync itself."""

    name = "customer-sync"
    # What its own walks over both sides noted is left out.
    table = "event WHERE origin IN ('webhook', 'callback')"

    def __init__(self, work, binary, sides_port):
        super().__init__(work)
        self.binary = binary
        self.sides_port = sides_port
        self.admin_port = None
        shutil.copy(HERE / "mapping.yaml", self.directory)

    def command(self):
        sides = f"http://127.0.0.1:{self.sides_port}"
        self.admin_port = free_port()
        (self.directory / "customer-sync.yaml").write_text(f"""\
listen: 127.0.0.1:{self.port}
admin: {{ listen: "127.0.0.1:{self.admin_port}" }}
log: {{ level: warning }}
store: sqlite:events.db
mapping: mapping.yaml
invoiced:
  url: {sides}/invoiced
  api_key: bench
  webhook: {{ secrets: ["{SECRET}"] }}
pms:
  url: {sides}/pms
  callback: {{ signature: {{ scheme: standard-webhooks, secrets: ["{CALLBACK_SECRET}"] }} }}
""")
        return [self.binary, "serve", "--config", "customer-sync.yaml"]

    def is_ready(self):
        try:
            return get(self.port, "/readyz")[0] == 200
        except (ConnectionError, http.client.HTTPException):
            return False

    def pause(self):
        """Leaves the workers nothing to push, so that ingest alone is measured."""
        for side in ("invoiced", "pms"):
            run = subprocess.run([self.binary, "pause", side, "--config", "customer-sync.yaml"], cwd=self.directory,
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if run.returncode != 0:
                raise Broken(f"customer-sync pause {side}: {run.stderr.strip()}")

    def wait_for_walk(self, seconds):
        """Until the full pass over both sides is through that follows a start."""
        until = time.monotonic() + seconds
        while b"\ncustomer_sync_last_reconcile_timestamp_seconds 0\n" in get(self.admin_port, "/metrics")[1]:
            if time.monotonic() > until:
                raise Broken(f"the first pass over both sides took more than {seconds} s: {self.log_end()}")
            time.sleep(0.1)

    def memory(self):
        """Of its own and resident, in MB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        sizes = dict(line.split(":", 1) for line in status.splitlines())
        return tuple(int(sizes[key].split()[0]) / 1024 for key in ("RssAnon", "VmRSS"))

    def database(self):
        return self.directory / "events.db"
