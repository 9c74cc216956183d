"""Drives the simulated Invoiced by Invoiced's own Python client (PyPI: invoiced): official_client.py URL"""
import sys

import invoiced
from invoiced import errors

client = invoiced.Client("sandbox-key")
client.api_url = sys.argv[1]


def refused(kind, param, call):
    try:
        call()
    except kind as error:
        assert error.error["param"] == param if param else True, error.error
        return error
    raise AssertionError("nothing was refused")


customer = client.Customer.create(
    name="Zoë & Søn/AS", email="ZOE@Example.com", country="no", currency="NOK", payment_terms="NET 14",
    credit_limit=51.15, metadata={"segment": "gold"}, idempotency_key="official-0001")
assert customer.name == "Zoë & Søn/AS" and customer.email == "zoe@example.com" and customer.country == "NO"
assert customer.number.startswith("CUST-") and customer.credit_limit == 51.15 and customer.metadata == {"segment": "gold"}

again = client.Customer.create(name="Another", idempotency_key="official-0001")
assert again.id == customer.id and again.name == customer.name

customer.name = "Renamed"
customer.phone = "+47 55 55 55 55"
assert customer.save()
assert client.Customer.retrieve(customer.id).phone == "+47 55 55 55 55"

contact = customer.contacts().create(name="Åse", email="ase@example.com")
assert customer.contacts().retrieve(contact.id).name == "Åse"
contact.title = "CFO"
assert contact.save()
assert len(customer.contacts().list()[0]) == 1
assert contact.delete()

for index in range(3):
    client.Customer.create(name="Other %d" % index, metadata={"batch": "x"})
page, paging = client.Customer.list(metadata={"batch": "x"}, per_page=2, sort="name desc")
assert [c.name for c in page] == ["Other 2", "Other 1"] and paging.total_count == 3, (page, paging.total_count)
assert set(paging.links) == {"self", "first", "next", "last"}, paging.links
found, paging = client.Customer.list(filter={"number": customer.number})
assert [c.id for c in found] == [customer.id]
found, paging = client.Customer.list(updated_after=customer.updated_at + 1000)
assert found == [] and paging.total_count == 0

everyone = [c.id for c in client.Customer.list(per_page=1)[0]]
balance = customer.balance()
assert balance["total_outstanding"] == 0

events, _ = client.Event.list(filter={"type": "customer.updated"}, related_to="customer,%d" % customer.id)
assert len(events) == 1 and events[0]["data"]["previous"]["name"] == "Zoë & Søn/AS", events
assert client.Event.retrieve(events[0].id).type == "customer.updated"

refused(errors.InvalidRequestError, "number", lambda: client.Customer.create(name="A", number=customer.number))
refused(errors.InvalidRequestError, "name", lambda: client.Customer.create(name="ж" * 128))
refused(errors.InvalidRequestError, "query", lambda: client.Customer.list(wool=1))
assert customer.delete()
refused(errors.InvalidRequestError, None, lambda: client.Customer.retrieve(customer.id))
stranger = invoiced.Client("another-key-entirely")
stranger.api_url = sys.argv[1]
refused(errors.AuthenticationError, None, lambda: stranger.Customer.list())
print("ok")
