"""Runs the service against both simulated systems through bad minutes, and looks whether both sides agree after them.

While users at both systems create, edit, delete and merge customers, every request and webhook is at the mercy of the
fault profile, and the service is killed again and again. Then the users stop, and one full reconcile has to leave
nothing: the audit agrees, a second reconcile writes nothing, and no customer is lost, doubled or invented.

Exit code: 0 all of that holds, 1 something of it doesn't.
"""

import argparse
import pathlib
import shutil
import sys
import tempfile
import threading
import time

from systems import Broken, Service, System, call
from truth import judge
from users import Users

WAIT = 600
# One in so many customers that are made on both sides at once.
DOUBLES_AT_MOST = 10


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Soak:
    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        mapping = options.mapping.read_text()
        if options.deletes:
            mapping = mapping.replace("invoiced_deleted: unlink, pms_deleted: unlink",
                                      f"invoiced_deleted: {options.deletes}, pms_deleted: {options.deletes}")
        self.service = Service(options.binary, directory, mapping, options)
        hook = f"http://127.0.0.1:{self.service.port}"
        self.systems = {
            "invoiced": System("invoiced", options.binary, directory, hook + "/webhooks/invoiced", options),
            "pms": System("pms", options.binary, directory, hook + "/callbacks/pms", options),
        }
        self.service.configure({side: system.port for side, system in self.systems.items()})
        self.users = Users(self.systems, options)
        self.failures = []
        self.kills = 0

    def run(self):
        try:
            for system in self.systems.values():
                system.start()
            self.users.learn(self.systems["invoiced"].patiently(self.options.customers))
            self.service.start()
            self.bad_minutes()
            self.rest()
        finally:
            self.users.is_over.set()
            for process in [self.service] + [system.process for system in self.systems.values()]:
                process.stop()
        return self.report()

    def set_faults(self, profiles):
        for system in self.systems.values():
            system.set_faults(profiles)

    def bad_minutes(self):
        """Edits on both sides, and the service killed under them."""
        end = time.monotonic() + self.options.minutes * 60
        said = time.monotonic()
        self.users.begin()
        while time.monotonic() < end:
            alive = min(end, time.monotonic() + self.options.kill_every)
            if self.options.walk:
                self.start_walk()
            while time.monotonic() < alive:
                if not self.service.is_running:
                    code = self.service.process.returncode
                    raise Broken(f"serve ended by itself with {code}: {self.service.log_end()}")
                time.sleep(0.1)
            self.service.kill()
            self.kills += 1
            self.service.start()
            if time.monotonic() - said > 30:
                said = time.monotonic()
                status = self.service.status()
                say(f"  {sum(self.users.counts.values())} actions, {self.kills} kills; inbox {status.get('inbox')}, "
                    f"parked {status.get('parked')}, conflicts {status.get('conflicts')}, links "
                    f"{sum(flow['links'] for flow in status.get('flows', []))}")
        self.users.end()
        say(f"  {sum(self.users.counts.values())} actions by {self.options.users} users, {self.kills} kills, start to "
            f"ready at most {max(self.service.starts):.2f} s")

    def start_walk(self):
        """A walk under which the service is killed."""
        kind, body = ("backfill", {}) if self.kills % 2 else ("reconcile", {"full": True})
        threading.Thread(
            target=call, args=(self.service.admin, "POST", f"/admin/v1/{kind}", body), daemon=True).start()

    def rest(self):
        """The users have stopped."""
        if not self.options.keep_faults:
            self.set_faults([])
        self.reconcile("the reconcile")
        self.decide()
        self.clear_doubles()
        self.work_off()
        self.audit()
        before = {side: system.writes() for side, system in self.systems.items()}
        self.reconcile("the second reconcile")
        self.work_off()
        for side, system in self.systems.items():
            written = system.writes() - before[side]
            if written:
                self.fail(f"the second reconcile wrote {written} times to {side}")
        self.set_faults([])
        self.failures += judge(self.users, {side: system.all() for side, system in self.systems.items()})

    def fail(self, text):
        say(f"FAILED: {text}")
        self.failures.append(text)

    def reconcile(self, what):
        began = time.monotonic()
        code, output, errors = self.service.run("reconcile", "--full")
        say(f"  {what} took {time.monotonic() - began:.1f} s: {' '.join(output.split())}")
        if code != 0:
            self.fail(f"{what} exits with {code}: {errors.strip()}")

    def work_off(self):
        until = time.monotonic() + WAIT
        while (status := self.service.status()).get("inbox") != 0:
            if time.monotonic() > until:
                return self.fail(f"after {WAIT} s the inbox still has {status.get('inbox')} events")
            time.sleep(0.2)

    def decide(self):
        """What waits for a person by the rules: a delete against an edit is decided at the toss of a coin."""
        conflicts = self.service.rows("conflicts", "list")
        for index, conflict in enumerate(conflicts):
            if conflict.get("cause") != "deleted_against_edit":
                self.fail(f"a property is in conflict: {conflict}")
                continue
            take = ("invoiced", "pms")[index % 2]
            code, output, errors = self.service.run("conflicts", "resolve", str(conflict["id"]), "--take", take)
            if code != 0:
                self.fail(f"conflicts resolve {conflict['id']} --take {take} exits with {code}: {output}{errors}")
        if conflicts:
            say(f"  {len(conflicts)} deletes against an edit were decided")
            self.work_off()
            self.reconcile("the reconcile after these decisions")

    def clear_doubles(self):
        """A customer that users make on both sides in one moment may be there twice on one side: where the service makes
        it a few milliseconds before its user, or searches then, no search can show it. It is parked as ambiguous, and a
        person removes the second one. What users don't make at once may never be double."""
        parked = [row for row in self.service.rows("parked", "list") if row.get("cause") == "ambiguous"]
        numbers = {}
        for row in parked:
            numbers.setdefault(self.systems[row["side"]].number_of(row[f"{row['side']}_id"]), row)
        removed = 0
        for number, row in numbers.items():
            customer = self.users.customers.get(number)
            if customer is None or len(customer.created) < 2:
                continue
            for side, system in self.systems.items():
                found = [str(record["id"]) for record in system.with_number(number) or []]
                if len(found) == 2:
                    own = row[f"{side}_id"] if row["side"] == side else customer.ids[side]
                    system.ask("DELETE", f"/customers/{own}")
                    removed += 1
        if not removed:
            return
        say(f"  {removed} customers that were made on both sides at once were there twice; one of each was removed")
        made = sum(count for what, count in self.users.counts.items() if what.startswith("create on both"))
        if removed > 2 and removed * DOUBLES_AT_MOST > made:
            self.fail(f"{removed} of {made} customers that were made on both sides at once were there twice")
        self.work_off()
        self.reconcile("the reconcile after these were removed")

    def audit(self):
        began = time.monotonic()
        code, output, errors = self.service.run("audit")
        say(f"  the audit took {time.monotonic() - began:.1f} s and exits with {code}")
        if code != 0:
            self.fail(f"the audit exits with {code}: {errors.strip()}\n{output}")
            for what in ("parked", "conflicts"):
                for row in self.service.rows(what, "list")[:20]:
                    say(f"  {what}: {row}")

    def report(self):
        for what, count in sorted(self.users.counts.items()):
            print(f"{what:<24} {count}")
        for failure in self.failures:
            print(f"FAILED: {failure}")
        print("Both sides agree; nothing was lost, doubled or invented." if not self.failures
              else f"{len(self.failures)} failures.")
        return 1 if self.failures else 0


def main():
    parser = argparse.ArgumentParser(prog="deploy/soak", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5, help="how long the users work (default 5)")
    parser.add_argument("--faults", type=lambda text: [name for name in text.split(",") if name != "none"],
                        default=["worst"], metavar="PROFILE,...", help="those of customer-sync sandbox (default worst)")
    parser.add_argument("--keep-faults", action="store_true", help="they go on while it reconciles and audits")
    parser.add_argument("--kill-every", type=float, default=10, metavar="SECONDS", help="default 10")
    parser.add_argument("--walk", action="store_true", help="starts a backfill or full reconcile after each kill")
    parser.add_argument("--seed", type=int, default=1, help="of the users and of both systems (default 1)")
    parser.add_argument("--customers", type=int, default=200, help="that Invoiced has from the start (default 200)")
    parser.add_argument("--users", type=int, default=4, help="at work at the same time (default 4)")
    parser.add_argument("--rate", type=float, default=8, help="actions a second (default 8)")
    parser.add_argument("--confirm", default="60s", help="the service's `confirm` (default 60s)")
    parser.add_argument("--deletes", choices=("propagate", "archive", "ignore"),
                        help="in place of unlink for companies")
    parser.add_argument("--retry-after", type=float, help="the sandboxes' --retry-after")
    parser.add_argument("--keep", action="store_true", help="leaves store and logs behind, and says where")
    parser.add_argument("--mapping", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--binary", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="customer-sync-soak-"))
    code = 1
    try:
        code = Soak(options, directory).run()
    except Broken as problem:
        say(f"error: {problem}")
    finally:
        if options.keep or code:
            say(f"store and logs are in {directory}")
        else:
            shutil.rmtree(directory)
    sys.exit(code)


if __name__ == "__main__":
    main()
