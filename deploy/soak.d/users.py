"""People at both systems: they create, edit, delete and merge, and each keeps to what was answered."""

import random
import threading
import time

TYPES = {"company": "company", "government": "government", "non_profit": "non_profit"}

# What is edited: the path on each side, and what a value is made of.
ROWS = {
    "name": (("name",), ("name",), "text"),
    "phone": (("phone",), ("phone",), "text"),
    "contact": (("attention_to",), ("contact_name",), "text"),
    "street": (("address1",), ("address", "street"), "text"),
    "street2": (("address2",), ("address", "street2"), "text"),
    "city": (("city",), ("address", "city"), "text"),
    "state": (("state",), ("address", "state"), "text"),
    "notes": (("notes",), ("notes",), "text"),
    "email": (("email",), ("email",), "email"),
    "terms": (("payment_terms",), ("payment_terms",), "terms"),
    "limit": (("credit_limit",), ("credit", "limit"), "decimal"),
    "hold": (("credit_hold",), ("credit", "hold"), "flag"),
    "reminders": (("chase",), ("reminders",), "flag"),
}


def at(record, path):
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def laid(path, value):
    """A merge patch with one value."""
    for key in reversed(path):
        value = {key: value}
    return value


def joined(one, other):
    for key, value in other.items():
        one[key] = joined(one[key], value) if isinstance(one.get(key), dict) and isinstance(value, dict) else value
    return one


class Customer:
    """What the users know of one customer, by its number."""

    def __init__(self, number, type):
        self.number = number
        self.type = type
        self.ids = {"invoiced": None, "pms": None}
        # (side, row, value, "yes" or "maybe"), in order.
        self.edits = []
        self.first = {}
        self.created = {}
        self.deleted = {}
        # Merged away, or merged into: what its values are then is the merge's business.
        self.merged = set()
        self.lock = threading.Lock()

    @property
    def is_plain(self):
        """Made on one side, and neither deleted nor merged as far as anyone tried."""
        return not self.deleted and not self.merged and len(self.created) <= 1


def outcome(status):
    """Whether a write was carried out: an error of a proxy or no answer at all leaves that open."""
    return "yes" if 200 <= status < 300 else "maybe" if status == 0 or status >= 500 else "no"


class Users:
    def __init__(self, systems, options):
        self.systems = systems
        self.options = options
        self.customers = {}
        self.lock = threading.Lock()
        self.counts = {}
        self.is_over = threading.Event()
        self.serial = 0
        self.threads = []

    def learn(self, records):
        """The customers that Invoiced has from the start."""
        for key, record in records.items():
            customer = Customer(record["number"], record["type"])
            customer.ids["invoiced"] = key
            customer.created["invoiced"] = "yes"
            customer.first = {row: at(record, ROWS[row][0]) for row in ROWS}
            self.customers[record["number"]] = customer

    def begin(self):
        for index in range(self.options.users):
            luck = random.Random(f"{self.options.seed} {index}")
            thread = threading.Thread(target=self.work, args=(luck,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(60)

    def work(self, luck):
        while not self.is_over.is_set():
            self.act(luck)
            time.sleep(luck.uniform(0, 2 * self.options.users / self.options.rate))

    def act(self, luck):
        draw = luck.random()
        if draw < 0.10:
            self.create(luck, [luck.choice(("invoiced", "pms"))])
        elif draw < 0.14:
            self.create(luck, ["invoiced", "pms"])
        elif draw < 0.17:
            self.delete(luck)
        elif draw < 0.18:
            self.merge(luck)
        elif draw < 0.30:
            self.edit_both(luck)
        else:
            self.edit(luck, self.pick(luck), luck.choice(("invoiced", "pms")))

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def token(self):
        with self.lock:
            self.serial += 1
            return self.serial

    def value(self, luck, kind):
        token = self.token()
        if kind == "flag":
            return luck.random() < 0.5
        if luck.random() < 0.07:
            return None
        if kind == "email":
            return luck.choice(("Post{}@Example.com", "post{}@example.com")).format(token)
        if kind == "terms":
            return f"NET {token}"
        if kind == "decimal":
            return token + luck.choice((0, 0.5, 0.25, 0.125))
        forms = ("Wert {}", "Værdi {} ", "  価値 {}", "Value {}", "VALUE {}  x", "Ångström {}")
        return luck.choice(forms).format(token)

    def pick(self, luck):
        with self.lock:
            numbers = list(self.customers)
        # A few are edited by everyone.
        few = numbers[:: max(1, len(numbers) // 12)]
        return self.customers[luck.choice(few if luck.random() < 0.3 else numbers)]

    def identify(self, customer, side):
        if customer.ids[side] is None:
            found = self.systems[side].by_number(customer.number)
            customer.ids[side] = str(found["id"]) if found else None
        return customer.ids[side]

    def create(self, luck, sides):
        number = f"SOAK-{self.token()}"
        customer = Customer(number, luck.choice(list(TYPES)))
        bodies = {}
        for side in sides:
            index = 0 if side == "invoiced" else 1
            body = {}
            for row in ["name"] + luck.sample([row for row in ROWS if row != "name"], luck.randint(0, 6)):
                value = self.value(luck, ROWS[row][2])
                if value is None and row == "name":
                    value = f"Name {self.token()}"
                joined(body, laid(ROWS[row][index], value))
                customer.edits.append((side, row, value, "maybe"))
            if side == "invoiced":
                body |= {"number": number, "type": customer.type}
            else:
                body |= {"customer_number": number, "kind": TYPES[customer.type]}
            bodies[side] = body
            customer.created[side] = "maybe"
        with self.lock:
            self.customers[number] = customer

        def send(side):
            status, answer = self.systems[side].ask("POST", "/customers", bodies[side])
            customer.created[side] = outcome(status)
            if 200 <= status < 300:
                customer.ids[side] = str(answer["id"])
            self.count(f"create {'on both' if len(sides) == 2 else 'on ' + side}: {outcome(status)}")

        self.at_once([lambda side=side: send(side) for side in sides])

    @staticmethod
    def at_once(jobs):
        threads = [threading.Thread(target=job) for job in jobs[1:]]
        for thread in threads:
            thread.start()
        jobs[0]()
        for thread in threads:
            thread.join()

    def edit(self, luck, customer, side, rows=None):
        key = self.identify(customer, side)
        if key is None:
            return
        index = 0 if side == "invoiced" else 1
        rows = rows or luck.sample(list(ROWS), luck.choice((1, 1, 1, 2, 3)))
        values = {row: self.value(luck, ROWS[row][2]) for row in rows}
        if values.get("name", "") is None:
            values["name"] = f"Name {self.token()}"
        body = {}
        for row, value in values.items():
            joined(body, laid(ROWS[row][index], value))
        with customer.lock:
            status, answer = self.systems[side].ask("PATCH", f"/customers/{key}", body)
            if outcome(status) != "no":
                customer.edits += [(side, row, value, outcome(status)) for row, value in values.items()]
            self.count(f"edit on {side}: {outcome(status)}")

    def edit_both(self, luck):
        customer = self.pick(luck)
        rows = luck.sample(list(ROWS), 2)
        other = rows if luck.random() < 0.5 else luck.sample(list(ROWS), 2)
        seeds = [random.Random(luck.random()), random.Random(luck.random())]
        for side in ("invoiced", "pms"):
            self.identify(customer, side)

        def send(side, rows, luck):
            key = customer.ids[side]
            if key is None:
                return
            index = 0 if side == "invoiced" else 1
            body, sent = {}, []
            for row in rows:
                value = self.value(luck, ROWS[row][2])
                if value is None and row == "name":
                    continue
                joined(body, laid(ROWS[row][index], value))
                sent.append((row, value))
            status, _ = self.systems[side].ask("PATCH", f"/customers/{key}", body)
            if outcome(status) != "no":
                customer.edits += [(side, row, value, outcome(status)) for row, value in sent]
            self.count(f"edit on both: {outcome(status)}")

        with customer.lock:
            self.at_once([lambda: send("invoiced", rows, seeds[0]), lambda: send("pms", other, seeds[1])])

    def delete(self, luck):
        customer = self.pick(luck)
        side = luck.choice(("invoiced", "pms"))
        key = self.identify(customer, side)
        if key is None or customer.deleted:
            return
        customer.deleted[side] = "maybe"
        status, _ = self.systems[side].ask("DELETE", f"/customers/{key}")
        customer.deleted[side] = outcome(status)
        self.count(f"delete on {side}: {outcome(status)}")

    def merge(self, luck):
        kept, lost = self.pick(luck), self.pick(luck)
        if kept is lost or kept.deleted or lost.deleted or lost.merged or kept.type != lost.type:
            return
        ids = [self.identify(customer, "invoiced") for customer in (kept, lost)]
        if None in ids:
            return
        lost.merged.add("lost")
        kept.merged.add("kept")
        status, _ = self.systems["invoiced"].ask("POST", f"/customers/{ids[0]}/merge", {"customer": int(ids[1])})
        self.count(f"merge: {outcome(status)}")
