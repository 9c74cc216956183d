"""Compares what both systems hold at the end with what their users did: nothing lost, doubled or invented."""

import decimal
import unicodedata

from users import ROWS, TYPES, at


def shape(value):
    """A value as the simulated PMS keeps it at its most normalising, and the same for all ways to say nothing."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        number = decimal.Decimal(str(value))
        return number.quantize(decimal.Decimal("0.01"), rounding=decimal.ROUND_HALF_EVEN)
    try:
        return shape(float(value))
    except ValueError:
        return " ".join(unicodedata.normalize("NFC", value).split()).lower() or None


def judge(users, held):
    """The complaints; `held` has each side's customers by id."""
    complaints = []
    of_number = {}
    for side, rows in held.items():
        field = "number" if side == "invoiced" else "customer_number"
        kinds = set(TYPES) if side == "invoiced" else set(TYPES.values())
        for key, record in rows.items():
            if record.get("type" if side == "invoiced" else "kind") not in kinds:
                continue
            number = record.get(field)
            if number not in users.customers:
                complaints.append(f"invented: {side} {key} has the number {number}, which no user gave")
            of_number.setdefault(number, {}).setdefault(side, []).append(record)
    for number, customer in users.customers.items():
        if customer.type in TYPES:
            complaints += of_one(customer, of_number.get(number, {}))
    return complaints


def of_one(customer, there):
    counts = {side: len(there.get(side, [])) for side in ("invoiced", "pms")}
    complaints = []
    for side, count in counts.items():
        if count > 1:
            complaints.append(f"doubled: {customer.number} is {count} times on {side}")
    made = "yes" in customer.created.values()
    if made and not customer.deleted and "lost" not in customer.merged and 0 in counts.values():
        complaints.append(f"lost: {customer.number} is there {counts}")
    if sum(counts.values()) and not any(answer != "no" for answer in customer.created.values()):
        complaints.append(f"invented: {customer.number}, whose creation was refused, is there {counts}")
    for side, records in there.items():
        for record in records:
            complaints += of_values(customer, side, record)
    return complaints


def of_values(customer, side, record):
    complaints = []
    if customer.merged:
        return complaints
    for row, paths in ROWS.items():
        kind = paths[2]
        edits = [edit for edit in customer.edits if edit[1] == row]
        value = shape(at(record, paths[0 if side == "invoiced" else 1]))
        written = {shape(edit[2]) for edit in edits} | {shape(customer.first.get(row)), None}
        if kind == "flag":
            written |= {True, False}
        if value not in written:
            complaints.append(f"invented: {customer.number} has {value!r} as {row} on {side}; written were {written}")
        # Where one side alone edited it, its last edit holds.
        if edits and customer.is_plain and len({edit[0] for edit in edits}) == 1 and edits[-1][3] == "yes":
            if value != shape(edits[-1][2]) and not (kind == "flag" and edits[-1][2] is None):
                complaints.append(f"lost: {customer.number} has {value!r} as {row} on {side}, not {edits[-1][2]!r}, "
                                  f"which was {edits[-1][0]}'s last edit")
    return complaints
