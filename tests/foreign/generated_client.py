"""A shop that knows Counterfoil by a client that was generated from its own description of itself: it places an order, reads
it, and reads of it in the feed. Arguments: the service's URL and an API key; the client is the package `client`."""

import sys

from client import AuthenticatedClient
from client.api.feed import read_feed
from client.api.orders import get_order, place_order
from client.api.service import is_ready
from client.api.stock import receive_stock
from client.models import PlaceOrderBody, Problem404UnknownShopNotFound, ReceiveStockBody

url, key = sys.argv[1:]
service = AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)

assert is_ready.sync(client=service).ready

received = receive_stock.sync(
    "tea", client=service, body=ReceiveStockBody.from_dict({"id": "first", "qty": 5}), prefer="wait=20"
)
assert received.stock.on_hand == 5, received

placement = PlaceOrderBody.from_dict({
    "order": "P-1",
    "currency": "USD",
    "total_minor": 2000,
    "lines": [{"sku": "tea", "qty": 2, "unit_minor": 1000}],
})
taken = place_order.sync(client=service, body=placement, prefer="wait=20")
assert [outcome.type_ for outcome in taken.outcomes] == ["order.placed"], taken
# The same again is the same order.
assert place_order.sync(client=service, body=placement, prefer="wait=20").event_id == taken.event_id

order = get_order.sync("P-1", client=service)
assert (order.state, order.fulfilment, order.total_minor) == ("open", "wait", 2000), order
assert [reason.code for reason in order.reasons] == ["unpaid"], order

missing = get_order.sync("P-2", client=service)
assert isinstance(missing, Problem404UnknownShopNotFound) and missing.code == "not_found", missing

events = read_feed.sync(client=service, types="order.*")
told = [(event.additional_properties["type"], event.additional_properties["subject"]) for event in events]
assert told == [("order.placed", "order:P-1")], told
print("placed, read and read of:", told)
