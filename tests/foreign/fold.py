#!/usr/bin/env python3
"""Folds the event log of a shop into its read models, apart from the service, and checks what must hold of them.

Written from the design's tables and the contracts of events (crates/delivery/contract.json), in another language and
with nothing of the service: where both come to the same rows, the log alone says what the tables say. Outcomes are
taken as they were decided. Whether each is what its fact leads to is for a replay to find out.
"""
import argparse
import json
import sys
import uuid
from collections import Counter, defaultdict
from datetime import datetime, timezone
from pathlib import Path

EXAMPLE = """example:
  psql -XAtc "SELECT entry FROM counterfoil.events WHERE shop_id = 'demo' ORDER BY position" > log.jsonl
  psql -XAtc "SELECT to_jsonb(t) FROM counterfoil.orders AS t WHERE shop_id = 'demo'" > live/orders.jsonl   # and so on
  fold.py log.jsonl --out folded --diff live

The log has one entry a line, from position 0 on, without a gap. A table is DIR/<table>.jsonl, one row a line, its
columns named as in sql/schema.sql, shop_id left out or not: an entry does not name its shop. The tables are:
  {tables}

exit status: 0 all holds, 1 something does not hold or differs (each is named), 2 something cannot be read
"""
# Table: (how many of its columns are the key, its columns), without shop_id.
TABLES = {table: (keys, columns.split()) for table, keys, columns in (
    ("orders", 1, "order_id currency total_minor state fulfilment reasons refusals flags captured_minor refunded_minor "
     "reversed_minor refund_due_minor held_until paid_at points_revoked given_back shipped revision buyer_id lines "
     "coupons points paypal_order_id ship_to tracks hold_s placed_at position at"),
    ("payments", 2, "id_kind id kind state standing order_id other_order_id assigned paypal_order_id authorization_id "
     "captures amount_minor currency fee_minor net_minor payee is_final outcome position at"),
    ("payment_captures", 3, "capture_id id_kind id"),
    ("stock", 1, "sku received adjusted settled returned held position"),
    ("coupons", 1, "code max_uses max_per_buyer valid_from valid_until voided held used position"),
    ("coupon_buyers", 2, "code buyer_id held used"),
    ("points", 1, "buyer_id granted earned revoked spent returned expired held position"),
    ("parked", 1, "position group_position keys error parked_at"),
    ("parked_groups", 1, "group_position attempts error failed_at"),
    ("parked_keys", 1, "key group_position"),
    ("shop_settings", 0, "settings rules"))}
TIMES = {"at", "failed_at", "held_until", "paid_at", "parked_at", "placed_at", "valid_from", "valid_until"}
# Arrays whose order says nothing.
SETS = {"flags", "given_back", "tracks", "captures"}
# Fields of events that are called otherwise in the tables.
RENAMED = {"authorization": "authorization_id", "buyer": "buyer_id", "final": "is_final", "order": "order_id",
           "other_order": "other_order_id", "paypal_order": "paypal_order_id"}
# What only a placement or a revision says of an order.
TERMS = "revision buyer_id lines coupons points paypal_order_id ship_to tracks hold_s placed_at".split()
# What moves; uses of a coupon in the coupon's row and in its buyer's.
MOVES = {"stock": "received adjusted settled returned held".split(), "coupons": ["held", "used"],
         "coupon_buyers": ["held", "used"], "points": "granted earned revoked spent returned expired held".split()}
# What a shop says when it moves in: what was there, and what its paid orders had taken by then.
IMPORTS = {"stock.imported", "coupon.imported", "coupon.buyer_imported", "points.imported", "order.imported"}
# What may be moved by the facts about these alone. Everything else is moved by orders.
OUTSIDE = {"stock": {"received", "adjusted", "returned"}, "points": {"granted", "expired"}}
# Outcome: what its data may have.
OUTCOMES = {f"{kind}.{step}": fields.split() for kind, steps, fields in (
    ("order", "placed revised imported paid partially_paid overpaid payment_mismatched payment_noted payment_pending refunded "
     "payment_awaiting_confirmation payment_refuted "
     "reversed disputed dispute_resolved cancelled closed expired held released refused shipped unfulfillable",
     "order payments stock coupons points"),
    ("payment", "unmatched foreign mismatched noted dismissed", "payments"),
    ("stock", "received imported adjusted returned", "stock"), ("coupon", "imported", "coupon coupons voided"),
    ("coupon", "buyer_imported", "coupons"), ("stock", "short", "short"), ("coupon", "issued", "coupon"),
    ("coupon", "voided", "voided"), ("points", "granted imported expired", "points"), ("shop", "configured", "settings"),
    ("rules", "activated", "rules"), ("event", "parked", "parked"), ("event", "unparked", "unparked"),
    *((kind, "rejected", "command reasons")
      for kind in ("order", "payment", "stock", "coupon", "points", "event", "shop")),
) for step in steps.split()}
RISES = {"named": 0, "approved": 1, "authorized": 1, "pending": 1, "refunded": 1, "open": 1,
         "voided": 2, "denied": 2, "resolved": 2, "captured": 3}
# A shop that was never configured; nor need there be a row of it.
EVERYTHING = {"stock": True, "coupons": True, "points": True}
UNCONFIGURED = {"settings": {"hold_s": 3600, "tracks": EVERYTHING, "returns": EVERYTHING}, "rules": 1}


class Unreadable(Exception):
    """What this fold does not understand. It never guesses."""


def only(what, data, known):
    """Refuses a field that a newer version may have added."""
    if unknown := set(data) - set(known):
        raise Unreadable(f"{what} has {', '.join(sorted(unknown))}, which this fold does not know")


def instant(text):
    return text and datetime.fromisoformat(text).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(table, row):
    """A row with its columns in order, times and sets in one form. A column that is left out is null."""
    columns = TABLES[table][1]
    only(f"a row of {table}", row, [*columns, "shop_id"])
    form = {column: instant(row.get(column)) if column in TIMES else row.get(column) for column in columns}
    return form | {column: sorted(form[column]) for column in SETS.intersection(columns) if form[column] is not None}


def compact(row):
    """A row as a line, RFC 8785, what is null left out."""
    said = {column: value for column, value in row.items() if value is not None}
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


class Fold:
    """The read models so far, and what fails."""

    def __init__(self):
        self.entries, self.cause_before, self.n_before = [], -1, -1
        self.tables = {table: {} for table in TABLES} | {"shop_settings": {(): dict(UNCONFIGURED)}}
        # What orders and the facts from outside say of (table, key, column); what was moved must come to the same.
        self.told, self.settled = Counter(), Counter()
        self.payments_of, self.about = defaultdict(set), defaultdict(set)
        self.failures = {}

    def require(self, holds, subject, says):
        """Names what does not hold, once for each subject: where it went wrong first."""
        if not holds:
            self.failures.setdefault(subject, f"position {len(self.entries) - 1}: {subject}: {says}")

    def add(self, entry):
        """The next entry."""
        only("the entry", entry, "v id type key at by cause n for evidence data".split())
        if entry["v"] != 1:
            raise Unreadable(f"version {entry['v']} of entries is not known to this fold")
        at = instant(entry["at"])
        self.require(not self.entries or self.entries[-1][0] <= at, "log", f"{at} is before the entry before it")
        self.entries.append((at, entry["id"], "cause" not in entry))
        if "cause" in entry:
            self.check_place(entry)
            self.changed_orders, self.moved = set(), set()
            self.evolve(entry)
            # The invariants of the design's section 4, which every prefix of the log keeps.
            for table, key in self.moved:
                self.check_moved(table, key, self.tables[table].get(key))
            for row in filter(None, (self.tables["orders"].get((order,)) for order in self.changed_orders)):
                self.check_order(row)

    def check_place(self, entry):
        """Outcomes stand behind their causes and in their order, numbered from 0, with ids that follow."""
        cause, n = entry["cause"], entry["n"]
        if cause >= len(self.entries) - 1 or not self.entries[cause][2]:
            raise Unreadable(f"its cause {cause} is no fact before it")
        follows = n == self.n_before + 1 if cause == self.cause_before else cause > self.cause_before and n == 0
        self.require(follows, "log", f"outcome {n} of {cause} follows outcome {self.n_before} of {self.cause_before}")
        derived = str(uuid.uuid5(uuid.UUID(self.entries[cause][1]), str(n)))
        self.require(entry["id"] == derived, "log", f"its id should be {derived}")
        self.cause_before, self.n_before = cause, n

    def evolve(self, entry):
        """Writes rows. Their positions and times are the cause's."""
        kind, data = entry["type"], entry["data"]
        if kind not in OUTCOMES:
            raise Unreadable(f"{kind} is an outcome that this fold does not know")
        only(kind, data, [*OUTCOMES[kind], "shadow"])
        self.position, self.at = entry["cause"], self.entries[entry["cause"]][0]
        for payment in data.get("payments", ()):
            self.put_payment(payment)
        if "order" in data:
            imported = kind == "order.imported" and "paid_at" in data["order"]
            self.settled[data["order"]["order"]] += kind == "order.paid" or imported
            self.put_order(data["order"])
        outside = {"received", "granted"} if kind in IMPORTS else OUTSIDE.get(kind.split(".")[0], ())
        if "coupon" in data:
            row = self.blank("coupons", voided=False, held=0, used=0) | data["coupon"]
            self.require((row["code"],) not in self.tables["coupons"], f"coupons {row['code']}", "issued twice")
            self.tables["coupons"][(row["code"],)] = row
        for move in data.get("stock", ()):
            self.move("stock", move, ["sku"], outside)
        for move in data.get("coupons", ()):
            self.require((move["code"],) in self.tables["coupons"], f"coupons {move['code']}", "never issued, and used")
            self.move("coupons", move, ["code"], outside)
            if "buyer" in move:
                self.move("coupon_buyers", move, ["code", "buyer"], outside)
        if "points" in data:
            self.move("points", data["points"], ["buyer"], outside)
        if "voided" in data:
            self.tables["coupons"][(data["voided"],)] |= {"voided": True, "position": self.position}
        if "settings" in data or "rules" in data:
            said = {name: data[name] for name in ("settings", "rules") if name in data}
            self.tables["shop_settings"][()].update(said)
        if "parked" in data:
            self.park(**data["parked"])
        if "unparked" in data:
            self.unpark(**data["unparked"])

    def blank(self, table, **defaults):
        row = dict.fromkeys(TABLES[table][1]) | defaults
        return row | {column: getattr(self, column) for column in ("position", "at") if column in row}

    def put_order(self, order):
        before = self.tables["orders"].get((order["order"],))
        row = self.blank("orders", reasons=[], refusals=[], shipped=[])
        terms = {"coupons": [], **order["terms"]} if "terms" in order else {}
        rest = {field: value for field, value in order.items() if field not in ("terms", "money", "given_back")}
        row |= {RENAMED.get(field, field): value for field, value in (rest | terms).items()} | order["money"]
        if terms:
            row["tracks"] = [what for what, is_kept in terms["tracks"].items() if is_kept]
        elif before:
            row |= {column: before[column] for column in TERMS}
        row["flags"] = [flag for flag, is_raised in order["flags"].items() if is_raised]
        back = dict(order["given_back"])
        row["points_revoked"] = back.pop("points_revoked", 0)
        row["given_back"] = [what for what, is_back in back.items() if is_back]
        self.tables["orders"][(order["order"],)] = row
        self.changed_orders.add(order["order"])
        for sign, claimed in ((-1, before), (1, row)):
            for where, much in claims(claimed):
                self.told[where] += sign * much
                self.moved.add(where[:2])

    def put_payment(self, payment):
        (key,) = payment["id"].items()
        before = self.tables["payments"].get(key)
        row = self.blank("payments", captures=[], assigned=False, is_final=False)
        row |= {RENAMED.get(field, field): value for field, value in payment.items()}
        row |= {"id_kind": key[0], "id": key[1]}
        self.tables["payments"][key] = row
        if before:
            self.payments_of[before["order_id"]].discard(key)
            rises = RISES[before["state"]] <= RISES[row["state"]]
            self.require(rises, f"payments {key[1]}", f"{before['state']} became {row['state']}")
        self.payments_of[row["order_id"]].add(key)
        for capture in row["captures"]:
            self.about[capture].add(key)
        captures = [self.tables["payments"].get(("capture", capture)) for capture in row["captures"]]
        self.changed_orders |= {known["order_id"] for known in (before, row, *captures) if known}

    def move(self, table, move, names, outside):
        only(f"the move of {table}", move, ["sku", "code", "buyer", "imported", *MOVES[table]])
        key = tuple(move[name] for name in names)
        row = self.tables[table].setdefault(key, dict.fromkeys(TABLES[table][1], 0) | dict(zip(TABLES[table][1], key)))
        for column in MOVES[table]:
            row[column] += move.get(column, 0)
            if column in outside:
                self.told[table, key, column] += move.get(column, 0)
        if "imported" in move:
            # Used before the shop moved in, by what no order here says.
            row["used"] += move["imported"]
            self.told[table, key, "used"] += move["imported"]
        if "position" in row:
            row["position"] = self.position
        self.moved.add((table, key))

    def park(self, fact, group, keys, absorbs=(), error=None):
        rows, groups = self.tables["parked"], self.tables["parked_groups"]
        waits_in = groups.setdefault((group,), self.blank("parked_groups", group_position=group, attempts=0))
        for absorbed in absorbs:
            waits_in["attempts"] = max(waits_in["attempts"], groups.pop((absorbed,))["attempts"])
            for row in rows.values():
                if row["group_position"] == absorbed:
                    row["group_position"] = group
        before = rows.get((fact,))
        if error is not None:
            # The first time is no attempt again.
            waits_in |= {"attempts": waits_in["attempts"] + bool(before), "error": error, "failed_at": self.at}
        after = {"group_position": group, "keys": keys, "error": error}
        rows[(fact,)] = {"position": fact, "parked_at": self.at} | (before or {}) | after

    def unpark(self, fact, group, dismissed=False):
        rows = self.tables["parked"]
        waited_in = rows.pop((fact,), {"group_position": None})["group_position"]
        self.require(waited_in == group, f"parked {fact}", f"unparked of {group}, {dismissed=}, and not there")
        if any(row["group_position"] == group for row in rows.values()):
            # It gets on: what is left has all its attempts before it.
            self.tables["parked_groups"][(group,)]["attempts"] = 0
        else:
            self.tables["parked_groups"].pop((group,), None)

    def finish(self):
        """Writes the indexes, which are functions of the rows."""
        for (id_kind, own_id), row in self.tables["payments"].items():
            for capture in row["captures"]:
                index = {"capture_id": capture, "id_kind": id_kind, "id": own_id}
                self.tables["payment_captures"][tuple(index.values())] = index
        for row in self.tables["parked"].values():
            for key in row["keys"]:
                leads = {"key": key, "group_position": row["group_position"]}
                one = self.tables["parked_keys"].setdefault((key,), leads) == leads
                self.require(one, f"parked_keys {key}", "leads into two groups")

    def check_moved(self, table, key, row):
        """What was moved is what orders and the facts from outside say; nothing is below 0 or above what there is."""
        subject = f"{table} {' '.join(key)}"
        limit = self.tables["coupons"].get(key[:1], {}).get("max_per_buyer") if table == "coupon_buyers" else 1
        if limit is None and self.tables["shop_settings"][()]["rules"] >= 3:
            # By rules 3 nobody counts who uses a coupon that limits no buyers.
            return
        for column in MOVES[table]:
            told, moved = self.told[table, key, column], row[column] if row else 0
            says = f"{column} is {moved}, and {told} by orders and what came from outside"
            self.require(moved == told and (column != "held" or moved >= 0), subject, says)
        if row and table == "stock":
            on_hand = row["received"] + row["adjusted"] - row["settled"] + row["returned"]
            self.require(on_hand >= 0, subject, f"on hand is {on_hand}")
        if row and table == "coupons":
            self.require(0 <= row["used"] <= row["max_uses"], subject, f"used {row['used']} of {row['max_uses']} times")

    def check_order(self, row):
        """Paid exactly once, and the money is the sums over the payments."""
        subject, paid, times = f"orders {row['order_id']}", row["paid_at"] is not None, self.settled[row["order_id"]]
        self.require(times == paid == (row["state"] == "paid"), subject, f"{row['state']}, and settled {times} times")
        self.require(not paid or row["held_until"] is None, subject, "paid, and holds goods still")
        rows, currency = self.tables["payments"], row["currency"]
        counted = [p for p in map(rows.get, self.payments_of[row["order_id"]]) if p["kind"] in ("capture", "tender")
                   and (p["state"], p["standing"], p["currency"]) == ("captured", "matched", currency)]
        backs = {key for p in counted for key in self.about[p["id"]] if p["id"] in rows[key]["captures"]}
        backs = [p for p in map(rows.get, backs) if p["kind"] in ("refund", "reversal") and p["currency"] == currency]
        captured, refunded = sum(p["amount_minor"] for p in counted), sum(p["amount_minor"] for p in backs)
        reversed_ = sum(p["amount_minor"] for p in backs if p["kind"] == "reversal")
        owed = 0 if {"cancelled", "unfulfillable", "closed"} & set(row["flags"]) else row["total_minor"]
        for column, due in (("captured_minor", captured), ("refunded_minor", refunded), ("reversed_minor", reversed_),
                            ("refund_due_minor", max(0, captured - refunded - owed))):
            self.require(row[column] == due, subject, f"{column} is {row[column]}, and {due} by its payments")
        if paid and captured and row["total_minor"]:
            self.check_given_back(row, subject, captured, refunded, reversed_)

    def check_given_back(self, row, subject, captured, refunded, reversed_):
        """What a settled order gave back is a function of its money; a shop may have set that less comes back."""
        kept, back = max(0, min(row["total_minor"], captured - refunded)), set(row["given_back"])
        earned = row["points"]["earn"] if row["points"] and row["buyer_id"] and "points" in row["tracks"] else 0
        revoked = earned - earned * kept // row["total_minor"]
        self.require(row["points_revoked"] == revoked, subject, f"points_revoked is not {revoked}")
        if "unfulfillable" not in row["flags"]:
            self.require(kept == 0 or not back & {"coupons", "points"}, subject, f"{back} back, and {kept} is kept")
            self.require("stock" not in back or refunded - reversed_ >= captured, subject, "stock back unrefunded")


def claims(order):
    """What an order says of its articles, coupons and points: ((table, key, column), how much)."""
    if not order or order["lines"] is None:
        return
    held, paid = order["held_until"] is not None, order["paid_at"] is not None
    tracks, back, buyer, points = order["tracks"], order["given_back"], order["buyer_id"], order["points"]
    for line in order["lines"] if "stock" in tracks else ():
        for column, counts in (("held", held), ("settled", paid), ("returned", "stock" in back)):
            yield ("stock", (line["sku"],), column), line["qty"] * counts
    for line in order["shipped"] if "stock" in tracks and "stock" in back else ():
        yield ("stock", (line["sku"],), "returned"), -line["qty"]
    for coupon in order["coupons"] if "coupons" in tracks else ():
        for column, counts in (("held", held), ("used", paid and "coupons" not in back)):
            yield ("coupons", (coupon["code"],), column), int(counts)
            if buyer:
                yield ("coupon_buyers", (coupon["code"], buyer), column), int(counts)
    if "points" in tracks and buyer and points:
        spend = points["spend"]
        for column, much in (("held", spend * held), ("spent", spend * paid), ("returned", spend * ("points" in back)),
                             ("earned", points["earn"] * paid), ("revoked", order["points_revoked"])):
            yield ("points", (buyer,), column), much


def each_line(path, take):
    """Gives away what stands in the file line by line, and says where it cannot be taken."""
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            try:
                take(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, Unreadable) as error:
                raise Unreadable(f"line {number} of {path}: {type(error).__name__}: {error}") from error


def read_table(path, table):
    """The rows of an exported table by their keys."""
    rows = [dict(UNCONFIGURED)] if table == "shop_settings" else []
    each_line(path, lambda row: rows.append(canonical(table, row)))
    return {tuple(row.values())[:TABLES[table][0]]: row for row in rows}


def differences(table, folded, live):
    """Table, key, column and both values of all that differs."""
    for key in sorted(folded.keys() | live.keys()):
        name = f"{table} {' '.join(map(str, key)) or 'of the shop'}"
        if key not in live:
            yield f"{name}: is not in the table"
        elif key not in folded:
            yield f"{name}: is not in the log"
        else:
            for column, value in folded[key].items():
                if value != (other := live[key][column]):
                    yield f"{name} {column}: {json.dumps(value)} by the log, {json.dumps(other)} in the table"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE.replace("{tables}", " ".join(TABLES)),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path, metavar="LOG.jsonl", help="the log, one entry a line")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the read models to DIR/<table>.jsonl")
    parser.add_argument("--diff", type=Path, metavar="DIR", help="compare with the tables in DIR/<table>.jsonl")
    args, fold, found, sizes = parser.parse_args(), Fold(), [], []
    try:
        each_line(args.log, fold.add)
        fold.finish()
        for table in TABLES:
            rows = {key: canonical(table, row) for key, row in sorted(fold.tables[table].items())}
            sizes.append(f"{table} {len(rows)}")
            if args.out:
                args.out.mkdir(parents=True, exist_ok=True)
                (args.out / f"{table}.jsonl").write_text("".join(map(compact, rows.values())), encoding="utf-8")
            if args.diff:
                found += differences(table, rows, read_table(args.diff / f"{table}.jsonl", table))
    except (OSError, Unreadable) as error:
        print(f"fold.py: {error}", file=sys.stderr)
        sys.exit(2)
    for line in [*fold.failures.values(), *found]:
        print(line, file=sys.stderr)
    print(f"{len(fold.entries)} entries: {', '.join(sizes)}")
    sys.exit(1 if fold.failures or found else 0)


if __name__ == "__main__":
    main()
