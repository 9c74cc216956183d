"""Walks over all records of both sides, against the simulated systems: how long they take, and in how much memory."""

import contextlib
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import time

from servers import CALLBACK_SECRET, HERE, Broken, Server, free_port, get

PERSONS = 6  # one customer in so many is a person, whom the shipped mapping doesn't cover
FIRST_CUSTOMER = 1_000_000


class Sandbox(Server):
    """Both simulated systems, with customers in Invoiced."""

    name = "sandbox"
    mapping = HERE.parent / "mapping.yaml"

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

    @property
    def urls(self):
        return f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.pms_port}"


class Walk:
    """One command that walks by itself, while no service runs."""

    def __init__(self, binary, directory, mapping):
        self.binary = binary
        self.directory = pathlib.Path(directory)
        shutil.copy(mapping, self.directory / "mapping.yaml")

    def configure(self, urls):
        invoiced, pms = urls
        (self.directory / "customer-sync.yaml").write_text(f"""\
store: sqlite:walks.db
mapping: mapping.yaml
log: {{ level: warning }}
admin: {{ listen: "127.0.0.1:{free_port()}" }}
invoiced:
  url: {invoiced}
  api_key: sandbox-key
  webhook: {{ secrets: [sandbox-webhook-secret] }}
pms:
  url: {pms}
  auth: {{ type: bearer, token: sandbox-token }}
  callback: {{ signature: {{ scheme: standard-webhooks, secrets: ["{CALLBACK_SECRET}"] }} }}
""")

    def run(self, *arguments):
        """Seconds, and the most memory that was resident, in MB."""
        began = time.monotonic()
        with open(self.directory / "walk.log", "w+") as log:
            process = subprocess.Popen([self.binary, *arguments, "--config", "customer-sync.yaml"], cwd=self.directory,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            # The kernel's own account of the whole life of that one process.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            log.seek(0)
            if process.returncode != 0:
                raise Broken(f"{' '.join(arguments)} exits with {process.returncode}: {log.read()[-2000:]}")
        return time.monotonic() - began, usage.ru_maxrss / 1024

    def multiply(self, pairs):
        """Makes the one linked pair of the store many, as fast as SQLite can: what differs from pair to pair is a number
        of seven digits. That the walks after it find all in order, on sides that have these records, is its proof."""
        store = sqlite3.connect(self.directory / "walks.db")
        with contextlib.closing(store), store:
            for table in ("record", "link", "history"):
                store.execute(f"CREATE TEMP TABLE one AS SELECT * FROM {table}")
                # The rows' own numbers, in the first column, are given anew.
                columns = store.execute(f"PRAGMA table_info({table})").fetchall()[1:]
                values = [f"CASE WHEN {name} IS NOT NULL THEN "
                          f"CAST(replace(CAST({name} AS TEXT), '{FIRST_CUSTOMER}', number.n) AS {kind}) END"
                          if kind in ("BLOB", "TEXT") else name for _, name, kind, *_ in columns]
                store.execute(f"""
                    WITH RECURSIVE number(n) AS (
                      SELECT {FIRST_CUSTOMER + 1}
                      UNION ALL SELECT n + 1 FROM number LIMIT {pairs - 1})
                    INSERT INTO {table}({", ".join(name for _, name, *_ in columns)})
                    SELECT {", ".join(values)} FROM number CROSS JOIN one""")
                store.execute("DROP TABLE one")


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
