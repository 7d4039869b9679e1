#!/usr/bin/env python3
"""A shop in three steps: it sells, captures, and ships. Needs nothing but Python.

    shop.py buy ORDER              creates the order at PayPal, places it with Counterfoil, prints where the buyer pays
    shop.py capture PAYPAL_ORDER   takes the money, when the buyer has come back
    shop.py ship                   reads the feed on from where it was, into the shop's own tables

PAYPAL_URL (https://api-m.sandbox.paypal.com), PAYPAL_CLIENT_ID, PAYPAL_SECRET; COUNTERFOIL_URL, COUNTERFOIL_KEY.
"""

import base64
import json
import os
import sqlite3
import sys
import urllib.request


def ask(method, url, headers, body=None):
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer), answer.headers


def paypal(method, path, request_id, body=None):
    url, env = os.environ.get("PAYPAL_URL", "https://api-m.sandbox.paypal.com"), os.environ
    login = base64.b64encode(f"{env['PAYPAL_CLIENT_ID']}:{env['PAYPAL_SECRET']}".encode()).decode()
    form = {"Authorization": f"Basic {login}", "Content-Type": "application/x-www-form-urlencoded"}
    token, _ = ask("POST", url + "/v1/oauth2/token", form, b"grant_type=client_credentials")
    # Whoever asks again under the same id gets the same answer, and not a second order.
    headers = {"Authorization": f"Bearer {token['access_token']}", "PayPal-Request-Id": request_id}
    return ask(method, url + path, headers, body)[0]


def counterfoil(method, path, body=None):
    headers = {"Authorization": f"Bearer {os.environ['COUNTERFOIL_KEY']}", "Prefer": "wait=10"}
    return ask(method, os.environ["COUNTERFOIL_URL"] + path, headers, body)


# The order's id goes into both fields: by one of them each callback finds its order.
def create_at_paypal(order):
    amount = {"currency_code": "USD", "value": "20.00"}
    unit = {"custom_id": order, "invoice_id": order, "amount": amount}
    body = {"intent": "CAPTURE", "purchase_units": [unit]}
    return paypal("POST", "/v2/checkout/orders", f"create-{order}", body)


# The same placement again is the same order, so whoever is not sure whether it arrived sends it again.
def place(order, paypal_order):
    placement = {
        "order": order, "paypal_order_id": paypal_order, "buyer": "b-7", "currency": "USD", "total_minor": 2000,
        "lines": [{"sku": "tea", "qty": 2, "unit_minor": 1000}],
    }
    taken, _ = counterfoil("POST", "/v1/orders", placement)
    return not any(outcome["type"] == "order.refused" for outcome in taken["outcomes"])


# Cursor, what was heard last of each key, and the work itself move in one transaction of the shop's own database.
def ship():
    db = sqlite3.connect(os.environ.get("SHOP_DB", "shop.db"))
    db.executescript("""
        CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, fulfilment TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS heard (key TEXT PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS feed (one INTEGER PRIMARY KEY CHECK (one = 1), cursor TEXT NOT NULL);
        INSERT OR IGNORE INTO feed VALUES (1, 'start');
    """)
    while True:
        (cursor,) = db.execute("SELECT cursor FROM feed").fetchone()
        events, headers = counterfoil("GET", f"/v1/feed?types=order.*&limit=500&after={cursor}")
        with db:
            for event in events:
                take(db, event)
            db.execute("UPDATE feed SET cursor = ?", (headers["counterfoil-cursor"],))
        if headers["counterfoil-cursor"] == cursor:
            return


# An event may come twice, or late, behind newer ones of its key: what is not above the last one is dropped.
def take(db, event):
    at = (int(event["epoch"]), int(event["sequence"]))
    last = db.execute("SELECT epoch, sequence FROM heard WHERE key = ?", (event["subject"],)).fetchone()
    if at <= (last or (-1, -1)) or event.get("shadow"):
        return
    db.execute("INSERT OR REPLACE INTO heard VALUES (?, ?, ?)", (event["subject"], *at))
    order = event["data"].get("order")
    if order:
        db.execute("INSERT OR REPLACE INTO orders VALUES (?, ?)", (order["order"], order["fulfilment"]))
        print(order["order"], order["fulfilment"])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["buy", order]:
            created = create_at_paypal(order)
            if not place(order, created["id"]):
                sys.exit("it cannot be had: do not send the buyer to PayPal")
            print(next(link["href"] for link in created["links"] if link["rel"] == "approve"))
        case ["capture", paypal_order]:
            print(paypal("POST", f"/v2/checkout/orders/{paypal_order}/capture", f"capture-{paypal_order}", {})["status"])
        case ["ship"]:
            ship()
        case _:
            sys.exit(__doc__)
