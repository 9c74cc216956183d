"""The processes of a soak: the service and the two simulated systems, and what may be asked of them."""

import base64
import http.client
import json
import pathlib
import signal
import socket
import subprocess
import time
import urllib.parse

API_KEY = "sandbox-key"
TOKEN = "sandbox-token"
WEBHOOK_SECRET = "sandbox-webhook-secret"
CALLBACK_SECRET = "whsec_c2FuZGJveC1jYWxsYmFjay1zZWNyZXQ="


class Broken(Exception):
    """The soak itself can't go on."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def call(port, method, path, body=None, headers=None, timeout=10):
    """Status and JSON of an answer; status 0 where none came."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        given = dict(headers or {})
        if body is not None:
            given["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        text = answer.read()
        try:
            return answer.status, json.loads(text) if text else None
        except ValueError:
            return answer.status, None
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        connection.close()


class Process:
    """One program on 127.0.0.1, its output in a file."""

    def __init__(self, name, command, directory):
        self.name = name
        self.command = [str(part) for part in command]
        self.directory = directory
        self.log = directory / f"{name}.log"
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.is_running:
            self.process.kill()
        self.process.wait()

    def stop(self):
        if not self.is_running:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Broken(f"{self.name} didn't end within a minute of SIGTERM") from None

    def log_end(self, characters=3000):
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""


class System:
    """One simulated system in a process of its own; what its users do goes the way of any API call."""

    def __init__(self, side, binary, directory, hook, options):
        self.side = side
        self.port = free_port()
        other = free_port()
        addresses = {side: self.port, "pms" if side == "invoiced" else "invoiced": other}
        command = [binary, "sandbox", "--seed", options.seed + (side == "pms")]
        for name, port in addresses.items():
            command += [f"--{name}", f"127.0.0.1:{port}"]
        command += ["--webhook-url" if side == "invoiced" else "--callback-url", hook]
        if side == "invoiced":
            command += ["--customers", options.customers]
        if options.retry_after:
            command += ["--retry-after", options.retry_after]
        if options.faults:
            command += ["--faults", ",".join(options.faults)]
        self.process = Process(f"sandbox-{side}", command, directory)
        if side == "invoiced":
            self.headers = {"Authorization": "Basic " + base64.b64encode(f"{API_KEY}:".encode()).decode()}
        else:
            self.headers = {"Authorization": f"Bearer {TOKEN}"}

    def start(self):
        self.process.start()
        until = time.monotonic() + 60
        while call(self.port, "GET", "/_sandbox/stats")[0] != 200:
            if not self.process.is_running or time.monotonic() > until:
                raise Broken(f"{self.process.name} didn't start: {self.process.log_end()}")
            time.sleep(0.05)

    def ask(self, method, path, body=None):
        return call(self.port, method, path, body, self.headers)

    def page(self, path, body=None):
        """One of the sandbox's own pages, which no fault befalls."""
        status, answer = call(self.port, "GET" if body is None else "POST", "/_sandbox/" + path, body)
        if status != 200:
            raise Broken(f"the {self.side} sandbox answered {status} to {path}")
        return answer

    def set_faults(self, profiles):
        self.page("faults", {"profiles": profiles})

    def writes(self):
        requests = self.page("stats")["requests"]
        return sum(requests.get(method, 0) for method in ("POST", "PATCH", "PUT", "DELETE"))

    def all(self):
        """Every customer; true only while no fault is on."""
        rows, page = {}, 1
        while True:
            status, answer = self.ask("GET", f"/customers?per_page=100&page={page}")
            if status != 200:
                raise Broken(f"the {self.side} sandbox lists with {status}")
            items = answer if self.side == "invoiced" else answer["data"]
            if not items:
                return rows
            rows.update({str(row["id"]): row for row in items})
            page += 1

    def patiently(self, count):
        """As many customers as there are known to be, read through all faults."""
        rows, until = {}, time.monotonic() + 120
        while len(rows) < count:
            for page in range(1, 2 + count // 100):
                status, answer = self.ask("GET", f"/customers?per_page=100&page={page}")
                if status == 200:
                    rows.update({str(row["id"]): row for row in answer})
            if time.monotonic() > until:
                raise Broken(f"after two minutes {len(rows)} of {count} customers could be read")
        return rows

    def with_number(self, number):
        """The customers with a number, as far as this side tells just now; None where it tells nothing."""
        field = "filter%5Bnumber%5D" if self.side == "invoiced" else "customer_number"
        status, answer = self.ask("GET", f"/customers?{field}={urllib.parse.quote(number)}")
        if status != 200:
            return None
        return answer if self.side == "invoiced" else answer["data"]

    def by_number(self, number):
        found = self.with_number(number)
        return found[0] if found else None

    def number_of(self, key):
        """A customer's number, asked for until an answer comes; None where it is gone."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            status, record = self.ask("GET", f"/customers/{key}")
            if status == 200:
                return record["number" if self.side == "invoiced" else "customer_number"]
            if status == 404:
                return None
        raise Broken(f"the {self.side} sandbox doesn't show {key} for a minute")


class Service(Process):
    """customer-sync itself."""

    def __init__(self, binary, directory, mapping, options):
        super().__init__("serve", [binary, "serve"], directory)
        self.binary = binary
        self.port = free_port()
        self.admin = free_port()
        self.options = options
        (directory / "mapping.yaml").write_text(mapping)
        self.starts = []

    def configure(self, ports):
        (self.directory / "customer-sync.yaml").write_text(f"""\
listen: 127.0.0.1:{self.port}
admin: {{ listen: "127.0.0.1:{self.admin}" }}
log: {{ level: info }}
store: sqlite:customer-sync.db
mapping: mapping.yaml
invoiced:
  url: http://127.0.0.1:{ports["invoiced"]}
  api_key: {API_KEY}
  webhook: {{ secrets: [{WEBHOOK_SECRET}] }}
pms:
  url: http://127.0.0.1:{ports["pms"]}
  auth: {{ type: bearer, token: {TOKEN} }}
  callback: {{ signature: {{ scheme: standard-webhooks, secrets: ["{CALLBACK_SECRET}"] }} }}
confirm: {self.options.confirm}
delete_guard: {{ most: 1000000, share: 1 }}
""")

    def start(self):
        began = time.monotonic()
        super().start()
        while call(self.port, "GET", "/readyz", timeout=2)[0] != 200:
            if not self.is_running:
                raise Broken(f"serve ended with {self.process.returncode}: {self.log_end()}")
            if time.monotonic() > began + 60:
                raise Broken(f"serve isn't ready after a minute: {self.log_end()}")
            time.sleep(0.01)
        self.starts.append(time.monotonic() - began)

    def run(self, *arguments, timeout=1200):
        """Exit code and output of another command, which speaks to the running service."""
        run = subprocess.run([self.binary, *arguments], cwd=self.directory, stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=timeout)
        return run.returncode, run.stdout, run.stderr

    def rows(self, *arguments):
        code, output, errors = self.run(*arguments, "--json")
        if code != 0:
            raise Broken(f"customer-sync {' '.join(arguments)} exits with {code}: {errors}")
        return json.loads(output)

    def status(self):
        return call(self.admin, "GET", "/admin/v1/status")[1] or {}
