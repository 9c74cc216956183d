"""Measures what design.md section 7 sets goals for, in interleaved rounds on one machine, and prints the table.

Exit code: 0 every goal met, 2 one missed, 1 where a measurement failed or a store differs from what was acknowledged.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from servers import (CALLBACK_SECRET, FIRST_STAMP, HERE, SECRET, Broken, Durable, FastAPI, Plain, Service, Sides,
                     free_port)
from walks import Sandbox, Walk, simulated_days

WARM_UP = 2000


def say(text):
    print(text, file=sys.stderr, flush=True)


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, value, unit="", at_least=None, at_most=None, digits=2):
        goal, verdict = "", ""
        if at_least is not None:
            goal, verdict = f">= {at_least}", "met" if value >= at_least else "missed"
        elif at_most is not None:
            goal, verdict = f"<= {at_most}", "met" if value <= at_most else "missed"
        self.rows.append((what, f"{value:,.{digits}f}{unit}", goal + (unit if goal else ""), verdict))

    def fail(self, what, reason):
        self.rows.append((what, "-", "", "failed"))
        say(f"error: {what}: {reason}")

    def print(self):
        rows = [("what", "measured", "goal", "")] + self.rows
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for what, value, goal, verdict in rows:
            print(f"{what:<{widths[0]}}  {value:>{widths[1]}}  {goal:>{widths[2]}}  {verdict}".rstrip())

    def exit_code(self):
        verdicts = {row[3] for row in self.rows}
        return 1 if "failed" in verdicts else 2 if "missed" in verdicts else 0


class Bench:
    def __init__(self, options, work):
        self.programs = options.programs
        self.binary = options.service
        self.work = work
        self.table = Table()
        self.sides = Sides(work, self.programs, 1)  # at rest while ingest is measured
        self.rounds = 3
        quick = options.quick
        self.seconds = 2 if quick else 10
        self.rows = 100_000 if quick else 1_000_000
        self.pushes = 500 if quick else 2_000
        self.customers = 3_000 if quick else 20_000
        self.pairs, self.linked = (2_000, 5_000) if quick else (10_000, 100_000)
        if options.large:
            self.pairs, self.linked = 100_000, 1_000_000
        self.days = 20 if quick else 200

    def section(self, what, run):
        say(f"{what} ...")
        try:
            run()
        except (Broken, OSError, KeyError, ValueError) as problem:
            self.table.fail(what, problem)

    def service(self):
        return Service(self.work, self.binary, self.sides.port)

    def one(self, server, **options):
        """One round on a server that is up."""
        if isinstance(server, Service):
            server.pause()
        server.load(self.programs, count=WARM_UP, **options)
        result = server.load(self.programs, seconds=self.seconds, **options)
        say(f"  {server.name:<14} {result['rate']:>8,.0f}/s  p50 {result['p50_ms']:.2f}  p95 {result['p95_ms']:.2f}"
            f"  p99 {result['p99_ms']:.2f}  max {result['max_ms']:.1f} ms")
        return result

    def fresh(self, server, **options):
        """One round on an empty store."""
        with server:
            result = self.one(server, **options)
            server.check_stored()
        return result

    def ingest(self, peers):
        results = {"plain": [], "durable": []}
        makers = [lambda: Plain(self.work, self.programs), lambda: Durable(self.work, self.programs)]
        if self.binary:
            makers.append(self.service)
        if peers:
            makers.append(lambda: FastAPI(self.work, self.programs))
        for _ in range(self.rounds):
            for make in makers:
                server = make()
                results.setdefault(server.name, []).append(self.fresh(server))

        def ratio(name, other):
            return statistics.median(a["rate"] / b["rate"] for a, b in zip(results[name], results[other]))

        def middle(name, key):
            return statistics.median(result[key] for result in results[name])

        for name in results:
            self.table.add(f"ingest, {name}", middle(name, "rate"), "/s", digits=0)
            self.table.add(f"ingest, {name}, p99", middle(name, "p99_ms"), " ms",
                           at_most=8 if name == Service.name else None)
        self.table.add("durable C / plain C", ratio("durable", "plain"))
        if self.binary:
            self.table.add("customer-sync / durable C", ratio(Service.name, "durable"), at_least=0.9)
            self.table.add("customer-sync / plain C", ratio(Service.name, "plain"), at_least=0.55)
        if peers:
            self.table.add("FastAPI + sqlite3 / plain C", ratio("fastapi", "plain"))
            if self.binary:
                self.table.add("customer-sync / FastAPI + sqlite3", ratio(Service.name, "fastapi"), at_least=13)

    def random_ids(self, make, at_least):
        """Random ids in a store that has many, against rising ids and an empty store."""
        ratios = []
        with make() as full:
            if isinstance(full, Service):
                full.pause()
            full.load(self.programs, count=self.rows, ids="random")
            for _ in range(self.rounds):
                rising = self.fresh(make())
                ratios.append(self.one(full, ids="random")["rate"] / rising["rate"])
            full.check_stored()
        self.table.add(f"{full.name}, random ids and {self.rows:,} rows / rising ids and none",
                       statistics.median(ratios), at_least=at_least)

    def push_latency(self):
        sides_port = free_port()
        with Service(self.work, self.binary, sides_port) as service:
            run = subprocess.run([self.programs / "sides", str(sides_port), HERE, "20", "--webhooks", str(service.port),
                                  SECRET, str(self.pushes)], capture_output=True, text=True, timeout=600)
            if run.returncode != 0:
                raise Broken(f"{run.stdout}{run.stderr}{service.log_end()}")
        result = json.loads(run.stdout)
        self.table.add("webhook sent to push received, p50", result["p50_ms"], " ms", at_most=2)
        self.table.add("webhook sent to push received, p99", result["p99_ms"], " ms", at_most=10)

    def syncs(self, has_etags=True):
        """Syncs a second with a PMS by the default contract, or one whose records are read before each write."""
        count = self.customers
        with Sides(self.work, self.programs, count) as sides, Service(self.work, self.binary, sides.port) as service:
            if not has_etags:
                sides.drop_etags()
            service.load(self.programs, count=count, customers=count, stamp=FIRST_STAMP)
            sides.wait_for("creates", count, 300)
            service.wait_for_walk(300)
            sides.edit_all(FIRST_STAMP + 60)
            load = service.load(self.programs, count=count, customers=count, stamp=FIRST_STAMP + 60)
            last = sides.wait_for("updates", count, 300)["last"]
            service.check_stored()
        rate = count / (last - load["began"])
        if has_etags:
            self.table.add("syncs a second", rate, at_least=5000, digits=0)
        else:
            self.table.add("syncs a second, PMS without ETags", rate, digits=0)

    def idle(self):
        times = []
        with self.service() as service:
            for _ in range(10):
                service.stop()
                times.append(service.start())
            time.sleep(2)  # whatever it does after a start is done
            own, resident = service.memory()
        self.table.add("start to ready, median of 10", statistics.median(times), " ms", at_most=30, digits=1)
        self.table.add("idle, memory of its own (RssAnon)", own, " MB", at_most=12, digits=1)
        self.table.add("idle, resident", resident, " MB", at_most=36, digits=1)

    def callbacks(self):
        """The other endpoint takes its load too: random ids as PMSs send them, signed by Standard Webhooks."""
        results = [self.fresh(self.service(), scheme="standard-webhooks", secret=CALLBACK_SECRET,
                              ids="random") for _ in range(self.rounds)]
        self.table.add("ingest of callbacks, UUIDs as ids", statistics.median(r["rate"] for r in results), "/s",
                       digits=0)

    def walk(self, walk, what, pairs, *command):
        seconds, resident = walk.run(*command)
        self.table.add(f"{what} of {pairs:,} pairs", pairs / seconds, "/s", digits=0)
        self.table.add(f"{what} of {pairs:,} pairs, resident", resident, " MB", at_most=100, digits=0)

    def backfill(self):
        """All records of both simulated systems are matched, or created on the other side, and linked."""
        with Sandbox(self.work, self.binary, self.pairs) as sandbox:
            walk = Walk(self.binary, sandbox.directory, sandbox.mapping)
            walk.configure(sandbox.urls)
            self.walk(walk, "backfill", self.pairs, "backfill")

    def walks_over_linked(self):
        """All records are linked already, and found in order."""
        with Sides(self.work, self.programs, 1) as one:
            walk = Walk(self.binary, one.directory, HERE / "mapping.yaml")
            walk.configure(one.urls)
            walk.run("backfill")
            walk.multiply(self.linked)
            self.walk_over_linked(walk)

    def walk_over_linked(self, walk):
        with Sides(self.work, self.programs, self.linked) as sides:
            sides.fill_both()
            walk.configure(sides.urls)
            self.walk(walk, "full reconcile", self.linked, "reconcile", "--full")
            self.walk(walk, "audit", self.linked, "audit")
            if sum(sides.counts()[what] for what in ("creates", "updates", "others")) > 0:
                raise Broken("a walk over linked records wrote something")

    def days_a_second(self):
        self.table.add("simulated days a second", simulated_days(self.binary, self.days), digits=1)

    def run(self, peers):
        with self.sides:
            self.measure(peers)
        self.table.print()
        return self.table.exit_code()

    def measure(self, peers):
        self.section("ingest", lambda: self.ingest(peers))
        if self.binary:
            self.section("callbacks", self.callbacks)
            self.section("random ids", lambda: self.random_ids(self.service, 0.8))
            self.section("webhook to push", self.push_latency)
            self.section("syncs", self.syncs)
            self.section("syncs without ETags", lambda: self.syncs(has_etags=False))
            self.section("idle", self.idle)
            self.section("backfill", self.backfill)
            self.section("walks over linked records", self.walks_over_linked)
            self.section("simulated days", self.days_a_second)
        else:
            self.section("random ids", lambda: self.random_ids(lambda: Durable(self.work, self.programs), None))


def main():
    parser = argparse.ArgumentParser(prog="deploy/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="about a minute; the figures are rough")
    parser.add_argument("--large", action="store_true", help="walks over a million records too: it takes hours")
    parser.add_argument("--machine", action="store_true", help="only the C programs: what this machine allows")
    parser.add_argument("--peers", action="store_true", help="also FastAPI, installed by pip into .build/bench/venv")
    parser.add_argument("--programs", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--service", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    busy = os.getloadavg()[0]
    if busy > 0.5:
        say(f"This machine is busy with other things (load {busy:.1f}): the figures will be low, the ratios rough.")
    with tempfile.TemporaryDirectory(prefix="work-", dir=options.programs) as work:
        sys.exit(Bench(options, work).run(options.peers))


main()
