"""Walks over all records of both sides, against the simulated systems: how long they take, and in how much memory."""

import pathlib
import re
import shutil
import subprocess
import time

from servers import CALLBACK_SECRET, Broken, Server, free_port, get

PERSONS = 6  # one customer in so many is a person, whom the shipped mapping doesn't cover


class Sandbox(Server):
    """Both simulated systems, with customers in Invoiced."""

    name = "sandbox"

    def __init__(self, work, binary, pairs):
        super().__init__(work)
        self.binary = binary
        self.customers = pairs * PERSONS // (PERSONS - 1)
        self.pms_port = free_port()

    def command(self):
        return [self.binary, "sandbox", "--invoiced", f"127.0.0.1:{self.port}", "--pms", f"127.0.0.1:{self.pms_port}",
                "--customers", str(self.customers)]

    def is_ready(self):
        try:
            return get(self.port, "/_sandbox/stats")[0] == 200
        except OSError:
            return False


class Walk:
    """One command that walks by itself, while no service runs."""

    def __init__(self, binary, directory, sandbox):
        self.binary = binary
        self.directory = pathlib.Path(directory)
        mapping = pathlib.Path(__file__).resolve().parent.parent / "mapping.yaml"
        shutil.copy(mapping, self.directory)
        (self.directory / "customer-sync.yaml").write_text(f"""\
store: sqlite:walks.db
mapping: mapping.yaml
log: {{ level: warning }}
admin: {{ listen: "127.0.0.1:{free_port()}" }}
invoiced:
  url: http://127.0.0.1:{sandbox.port}
  api_key: sandbox-key
  webhook: {{ secrets: [sandbox-webhook-secret] }}
pms:
  url: http://127.0.0.1:{sandbox.pms_port}
  auth: {{ type: bearer, token: sandbox-token }}
  callback: {{ signature: {{ scheme: standard-webhooks, secrets: ["{CALLBACK_SECRET}"] }} }}
""")

    def run(self, *arguments):
        """Seconds, and the most memory that was resident, in MB."""
        began = time.monotonic()
        process = subprocess.Popen([self.binary, *arguments, "--config", "customer-sync.yaml"], cwd=self.directory,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)
        resident = 0
        while True:
            try:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                peak = re.search(r"VmHWM:\s+(\d+)", status)
                resident = max(resident, int(peak[1]) if peak else 0)
                process.wait(0.05)
                break
            except subprocess.TimeoutExpired:
                pass
        output = process.stdout.read()
        if process.returncode != 0:
            raise Broken(f"{' '.join(arguments)} exits with {process.returncode}: {output[-2000:]}")
        return time.monotonic() - began, resident / 1024


def simulated_days(binary, seeds):
    """Days of virtual time that pass in a second."""
    run = subprocess.run([binary, "simulate", "--seeds", str(seeds)], stdin=subprocess.DEVNULL, capture_output=True,
                         text=True)
    if run.returncode != 0:
        raise Broken(f"simulate exits with {run.returncode}: {run.stdout[-2000:]}{run.stderr[-500:]}")
    speed = re.search(r"([\d.]+) simulated days/s", run.stdout)
    if not speed:
        raise Broken(f"simulate doesn't say how fast it was: {run.stdout}")
    return float(speed[1])
