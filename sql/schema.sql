-- What the migrations make, for reading. Written by `make schema-dump`, and never applied.
CREATE SCHEMA counterfoil;

CREATE FUNCTION counterfoil.reject_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

COMMENT ON FUNCTION counterfoil.reject_change() IS 'Refuses whatever fires it; on no hot path, for inserts do not fire it';

CREATE TABLE counterfoil.api_keys (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    key_id text NOT NULL COLLATE pg_catalog."C",
    secret_sha256 bytea NOT NULL,
    holder text NOT NULL,
    roles text[] NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    expires_at timestamp with time zone,
    replaced_by text COLLATE pg_catalog."C"
);

COMMENT ON TABLE counterfoil.api_keys IS 'Who may use the API of a shop, and as what';

COMMENT ON COLUMN counterfoil.api_keys.shop_id IS 'The shop that the key is bound to';

COMMENT ON COLUMN counterfoil.api_keys.key_id IS 'Opaque; stands as "by" in every command of its holder';

COMMENT ON COLUMN counterfoil.api_keys.secret_sha256 IS 'SHA-256 of the secret, which has 256 random bits and is not stored';

COMMENT ON COLUMN counterfoil.api_keys.holder IS 'Who answers for it: a person or a program';

COMMENT ON COLUMN counterfoil.api_keys.roles IS 'Of shop, feed, audit, operator, viewer';

COMMENT ON COLUMN counterfoil.api_keys.created_at IS 'When it was created';

COMMENT ON COLUMN counterfoil.api_keys.revoked_at IS 'From when it is refused';

COMMENT ON COLUMN counterfoil.api_keys.last_used_at IS 'When it was last used, to the minute';

COMMENT ON COLUMN counterfoil.api_keys.expires_at IS 'From when it is refused by itself: its own end, or that of the overlap with the key that replaces it';

COMMENT ON COLUMN counterfoil.api_keys.replaced_by IS 'The key of the same holder and roles that it was rotated to';

CREATE TABLE counterfoil.callbacks (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    event_key text NOT NULL COLLATE pg_catalog."C",
    body_mac bytea,
    "position" bigint NOT NULL
);

COMMENT ON TABLE counterfoil.callbacks IS 'Every callback that became a fact: decides that it does so once';

COMMENT ON COLUMN counterfoil.callbacks.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.callbacks.event_key IS 'PayPal''s event id, or body:<mac> without a usable one; <event id>/<mac> for a revision';

COMMENT ON COLUMN counterfoil.callbacks.body_mac IS 'HMAC-SHA256 of the raw body; null for a copy from the API, whose bytes are never compared';

COMMENT ON COLUMN counterfoil.callbacks."position" IS 'Its fact';

CREATE TABLE counterfoil.certificates (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    sha256 bytea NOT NULL,
    der bytea NOT NULL,
    url text NOT NULL,
    first_seen timestamp with time zone NOT NULL
);

COMMENT ON TABLE counterfoil.certificates IS 'The certificates that signed callbacks, once each';

COMMENT ON COLUMN counterfoil.certificates.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.certificates.sha256 IS 'SHA-256 of the certificate; evidence names it';

COMMENT ON COLUMN counterfoil.certificates.der IS 'The certificate, DER';

COMMENT ON COLUMN counterfoil.certificates.url IS 'Where it was fetched from';

COMMENT ON COLUMN counterfoil.certificates.first_seen IS 'When it first signed something that was kept';

CREATE TABLE counterfoil.checkpoints (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    consumer text NOT NULL COLLATE pg_catalog."C",
    "position" bigint DEFAULT '-1'::integer NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    lease_holder text,
    lease_expires_at timestamp with time zone,
    heartbeat_at timestamp with time zone,
    progressed_at timestamp with time zone
)
WITH (fillfactor='50');

COMMENT ON TABLE counterfoil.checkpoints IS 'How far each consumer of a log has come, and who leads it';

COMMENT ON COLUMN counterfoil.checkpoints.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.checkpoints.consumer IS 'relay, or the name of another consumer';

COMMENT ON COLUMN counterfoil.checkpoints."position" IS 'The last position that is done; -1 before the first';

COMMENT ON COLUMN counterfoil.checkpoints.epoch IS 'Goes up with every lease: the fence that a stale leader fails';

COMMENT ON COLUMN counterfoil.checkpoints.lease_holder IS 'Who leads';

COMMENT ON COLUMN counterfoil.checkpoints.lease_expires_at IS 'Until when, by the database''s clock';

COMMENT ON COLUMN counterfoil.checkpoints.heartbeat_at IS 'When the leader last said that it lives';

COMMENT ON COLUMN counterfoil.checkpoints.progressed_at IS 'When the position last moved, by the database''s clock; empty until it does';

CREATE TABLE counterfoil.commands (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    content_sha256 bytea NOT NULL,
    "position" bigint NOT NULL
);

COMMENT ON TABLE counterfoil.commands IS 'Every fact that is no callback: decides that a command or a timer takes effect once';

COMMENT ON COLUMN counterfoil.commands.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.commands.type IS 'The fact''s type';

COMMENT ON COLUMN counterfoil.commands.id IS 'The shop''s id of the command, or what a timer derives';

COMMENT ON COLUMN counterfoil.commands.content_sha256 IS 'SHA-256 of its content: the same id with other content is a conflict';

COMMENT ON COLUMN counterfoil.commands."position" IS 'Its fact';

CREATE TABLE counterfoil.conflicting_transmissions (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    transmission_id text NOT NULL COLLATE pg_catalog."C",
    body_mac bytea NOT NULL,
    first_seen timestamp with time zone NOT NULL
);

COMMENT ON TABLE counterfoil.conflicting_transmissions IS 'Known transmissions that came again, signed, with other bytes: refused; only their hashes are kept';

COMMENT ON COLUMN counterfoil.conflicting_transmissions.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.conflicting_transmissions.transmission_id IS 'The transmission';

COMMENT ON COLUMN counterfoil.conflicting_transmissions.body_mac IS 'HMAC-SHA256 of the other body';

COMMENT ON COLUMN counterfoil.conflicting_transmissions.first_seen IS 'When it came first';

CREATE TABLE counterfoil.consumers (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    epoch integer NOT NULL,
    "position" bigint NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    moved_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    lost_at timestamp with time zone
)
WITH (fillfactor='50');

COMMENT ON TABLE counterfoil.consumers IS 'Readers of the feed that keep their cursor here';

COMMENT ON COLUMN counterfoil.consumers.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.consumers.name IS 'The consumer''s name';

COMMENT ON COLUMN counterfoil.consumers.epoch IS 'The epoch of its cursor';

COMMENT ON COLUMN counterfoil.consumers."position" IS 'The last position it is done with; -1 before the first';

COMMENT ON COLUMN counterfoil.consumers.created_at IS 'When it came';

COMMENT ON COLUMN counterfoil.consumers.moved_at IS 'When it last moved its cursor, or was reset';

COMMENT ON COLUMN counterfoil.consumers.lost_at IS 'Since when it is declared lost: the outbox waits for it no longer';

CREATE TABLE counterfoil.coupon_buyers (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    code text NOT NULL COLLATE pg_catalog."C",
    buyer_id text NOT NULL COLLATE pg_catalog."C",
    held bigint NOT NULL,
    used bigint NOT NULL,
    CONSTRAINT coupon_buyers_uses_not_negative CHECK (((held >= 0) AND (used >= 0)))
)
WITH (fillfactor='80');

COMMENT ON TABLE counterfoil.coupon_buyers IS 'One buyer''s uses of one coupon.';

COMMENT ON COLUMN counterfoil.coupon_buyers.shop_id IS 'The shop.';

COMMENT ON COLUMN counterfoil.coupon_buyers.code IS 'The coupon''s code.';

COMMENT ON COLUMN counterfoil.coupon_buyers.buyer_id IS 'The buyer.';

COMMENT ON COLUMN counterfoil.coupon_buyers.held IS 'Set aside for open orders.';

COMMENT ON COLUMN counterfoil.coupon_buyers.used IS 'Used by paid orders.';

CREATE TABLE counterfoil.coupons (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    code text NOT NULL COLLATE pg_catalog."C",
    max_uses bigint NOT NULL,
    max_per_buyer bigint,
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    voided boolean NOT NULL,
    held bigint NOT NULL,
    used bigint NOT NULL,
    "position" bigint NOT NULL,
    CONSTRAINT coupons_uses_not_negative CHECK (((held >= 0) AND (used >= 0))),
    CONSTRAINT coupons_uses_within_max CHECK ((used <= max_uses))
)
WITH (fillfactor='80');

COMMENT ON TABLE counterfoil.coupons IS 'Coupons with their terms and uses.';

COMMENT ON COLUMN counterfoil.coupons.shop_id IS 'The shop.';

COMMENT ON COLUMN counterfoil.coupons.code IS 'The coupon''s code.';

COMMENT ON COLUMN counterfoil.coupons.max_uses IS 'How many orders may use it.';

COMMENT ON COLUMN counterfoil.coupons.max_per_buyer IS 'How many orders of one buyer may use it.';

COMMENT ON COLUMN counterfoil.coupons.valid_from IS 'Not before.';

COMMENT ON COLUMN counterfoil.coupons.valid_until IS 'Not from here on.';

COMMENT ON COLUMN counterfoil.coupons.voided IS 'It takes no new holds.';

COMMENT ON COLUMN counterfoil.coupons.held IS 'Set aside for open orders.';

COMMENT ON COLUMN counterfoil.coupons.used IS 'Used by paid orders.';

COMMENT ON COLUMN counterfoil.coupons."position" IS 'The fact that changed the row last.';

CREATE TABLE counterfoil.delivery_attempts (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    sink text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    duration_ms integer NOT NULL,
    status integer,
    error text
);

COMMENT ON TABLE counterfoil.delivery_attempts IS 'Every attempt of an outgoing webhook, never changed; pruned with the outbox';

COMMENT ON COLUMN counterfoil.delivery_attempts.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.delivery_attempts.sink IS 'The sink';

COMMENT ON COLUMN counterfoil.delivery_attempts."position" IS 'The event';

COMMENT ON COLUMN counterfoil.delivery_attempts.at IS 'When it was tried';

COMMENT ON COLUMN counterfoil.delivery_attempts.duration_ms IS 'How long it took';

COMMENT ON COLUMN counterfoil.delivery_attempts.status IS 'The HTTP status; null: there was no answer';

COMMENT ON COLUMN counterfoil.delivery_attempts.error IS 'Why it does not count as delivered; null: it does';

CREATE TABLE counterfoil.events (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    at timestamp with time zone NOT NULL,
    cause bigint,
    entry text NOT NULL COLLATE pg_catalog."C",
    leaf_hash bytea NOT NULL,
    traceparent text COLLATE pg_catalog."C",
    CONSTRAINT events_kind_check CHECK ((kind = ANY (ARRAY['fact'::text, 'outcome'::text, 'note'::text]))),
    CONSTRAINT events_position_check CHECK (("position" >= 0))
);

COMMENT ON TABLE counterfoil.events IS 'The log: one row an event, never changed; the entry is the event, the other columns are copies of it';

COMMENT ON COLUMN counterfoil.events.shop_id IS 'Whose log';

COMMENT ON COLUMN counterfoil.events."position" IS 'The place in the shop''s log, dense from 0: leaf index, feed position and replay order in one';

COMMENT ON COLUMN counterfoil.events.id IS 'Derived (UUIDv5), so that the same event has the same id after a restore or a second delivery';

COMMENT ON COLUMN counterfoil.events.kind IS 'fact (came from outside), outcome (was decided from a fact) or note (the log about itself)';

COMMENT ON COLUMN counterfoil.events.type IS 'What happened: payment.captured, order.paid, ...';

COMMENT ON COLUMN counterfoil.events.key IS 'What it is about, with its kind: order:1042';

COMMENT ON COLUMN counterfoil.events.at IS 'The later of the database''s clock and the previous event''s time';

COMMENT ON COLUMN counterfoil.events.cause IS 'An outcome''s fact';

COMMENT ON COLUMN counterfoil.events.entry IS 'The event itself: one line of RFC 8785 JSON, at most 60000 bytes';

COMMENT ON COLUMN counterfoil.events.leaf_hash IS 'SHA-256 of a zero byte and the entry: the leaf of the Merkle tree';

COMMENT ON COLUMN counterfoil.events.traceparent IS 'The trace that it belongs to (W3C Trace Context), where it was recorded; no part of the entry, nor of the leaf';

CREATE TABLE counterfoil.evidence (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    sealed bytea NOT NULL
);

ALTER TABLE ONLY counterfoil.evidence ALTER COLUMN sealed SET STORAGE EXTERNAL;

COMMENT ON TABLE counterfoil.evidence IS 'What facts rest on: raw bodies and headers, or a command''s reason; sealed';

COMMENT ON COLUMN counterfoil.evidence.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.evidence."position" IS 'The fact';

COMMENT ON COLUMN counterfoil.evidence.sealed IS 'Compressed, then AES-256-GCM under a key of its own; the entry holds its SHA-256';

CREATE TABLE counterfoil.evidence_keys (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    kek_id text NOT NULL COLLATE pg_catalog."C",
    wrapped_key bytea NOT NULL
);

COMMENT ON TABLE counterfoil.evidence_keys IS 'The key of each evidence, wrapped; destroying the row erases a person while every proof stays green';

COMMENT ON COLUMN counterfoil.evidence_keys.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.evidence_keys."position" IS 'The fact';

COMMENT ON COLUMN counterfoil.evidence_keys.kek_id IS 'Which key-encryption key wrapped it';

COMMENT ON COLUMN counterfoil.evidence_keys.wrapped_key IS 'The evidence''s key, wrapped';

CREATE TABLE counterfoil.forks (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    epoch integer NOT NULL,
    forked_at bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT forks_epoch_check CHECK ((epoch > 0))
);

COMMENT ON TABLE counterfoil.forks IS 'Where each epoch of a log began: what readers of another epoch are told';

COMMENT ON COLUMN counterfoil.forks.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.forks.epoch IS 'The epoch that began';

COMMENT ON COLUMN counterfoil.forks.forked_at IS 'The last position that it has in common with the epoch before; -1: none';

COMMENT ON COLUMN counterfoil.forks.at IS 'When it began';

CREATE TABLE counterfoil.order_lookups (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    order_id text NOT NULL COLLATE pg_catalog."C",
    looked_up_at timestamp with time zone NOT NULL
)
WITH (fillfactor='80');

COMMENT ON TABLE counterfoil.order_lookups IS 'Which unpaid orders were looked up at PayPal; kept for some days';

COMMENT ON COLUMN counterfoil.order_lookups.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.order_lookups.order_id IS 'The order';

COMMENT ON COLUMN counterfoil.order_lookups.looked_up_at IS 'When, the last time';

CREATE TABLE counterfoil.orders (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    order_id text NOT NULL COLLATE pg_catalog."C",
    currency text NOT NULL,
    total_minor bigint NOT NULL,
    state text NOT NULL,
    fulfilment text NOT NULL,
    reasons jsonb NOT NULL,
    refusals jsonb NOT NULL,
    flags text[] NOT NULL,
    captured_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    reversed_minor bigint NOT NULL,
    refund_due_minor bigint NOT NULL,
    held_until timestamp with time zone,
    paid_at timestamp with time zone,
    points_revoked bigint NOT NULL,
    given_back text[] NOT NULL,
    shipped jsonb NOT NULL,
    revision bigint,
    buyer_id text,
    lines jsonb,
    coupons jsonb,
    points jsonb,
    paypal_order_id text,
    ship_to text,
    tracks text[],
    hold_s bigint,
    placed_at timestamp with time zone,
    "position" bigint NOT NULL,
    at timestamp with time zone,
    CONSTRAINT orders_money_not_negative CHECK (((total_minor >= 0) AND (captured_minor >= 0) AND (refunded_minor >= 0) AND (reversed_minor >= 0) AND (refund_due_minor >= 0))),
    CONSTRAINT orders_paid_holds_nothing CHECK (((paid_at IS NULL) OR (held_until IS NULL))),
    CONSTRAINT orders_reversed_is_part_of_refunded CHECK ((reversed_minor <= refunded_minor))
)
WITH (fillfactor='80');

COMMENT ON TABLE counterfoil.orders IS 'Orders: what was agreed, what came in, may it be shipped.';

COMMENT ON COLUMN counterfoil.orders.shop_id IS 'The shop.';

COMMENT ON COLUMN counterfoil.orders.order_id IS 'The shop''s id of the order.';

COMMENT ON COLUMN counterfoil.orders.currency IS 'ISO 4217, of every amount in the row.';

COMMENT ON COLUMN counterfoil.orders.total_minor IS 'What the buyer is to pay, in minor units.';

COMMENT ON COLUMN counterfoil.orders.state IS 'Where it stands, in one word.';

COMMENT ON COLUMN counterfoil.orders.fulfilment IS 'May it be shipped: wait, ship, stop, shipped.';

COMMENT ON COLUMN counterfoil.orders.reasons IS 'Every reason against shipping: [{code, detail}].';

COMMENT ON COLUMN counterfoil.orders.refusals IS 'Why it was refused or its goods were not to be had, the last time.';

COMMENT ON COLUMN counterfoil.orders.flags IS 'The flags that are raised, by name.';

COMMENT ON COLUMN counterfoil.orders.captured_minor IS 'Counted captures and tenders, gross.';

COMMENT ON COLUMN counterfoil.orders.refunded_minor IS 'Their refunds and reversals.';

COMMENT ON COLUMN counterfoil.orders.reversed_minor IS 'The reversals among them.';

COMMENT ON COLUMN counterfoil.orders.refund_due_minor IS 'What is to be paid back.';

COMMENT ON COLUMN counterfoil.orders.held_until IS 'Until when unpaid goods are held; null: nothing is held.';

COMMENT ON COLUMN counterfoil.orders.paid_at IS 'When it was settled.';

COMMENT ON COLUMN counterfoil.orders.points_revoked IS 'Earned points that were taken back.';

COMMENT ON COLUMN counterfoil.orders.given_back IS 'What came back since: points, coupons, stock.';

COMMENT ON COLUMN counterfoil.orders.shipped IS 'What has been shipped: [{sku, qty}].';

COMMENT ON COLUMN counterfoil.orders.revision IS 'Goes up with each accepted revision; null with all that follows: nothing was agreed.';

COMMENT ON COLUMN counterfoil.orders.buyer_id IS 'Whose points and coupon uses count.';

COMMENT ON COLUMN counterfoil.orders.lines IS 'What is bought: [{sku, qty, unit_minor}].';

COMMENT ON COLUMN counterfoil.orders.coupons IS 'Coupons with what each takes off: [{code, minor}].';

COMMENT ON COLUMN counterfoil.orders.points IS 'Points spent and earned: {spend, minor, earn}.';

COMMENT ON COLUMN counterfoil.orders.paypal_order_id IS 'The order at PayPal as the shop named it.';

COMMENT ON COLUMN counterfoil.orders.ship_to IS 'The shop''s reference for where the goods go.';

COMMENT ON COLUMN counterfoil.orders.tracks IS 'What of it is held and deducted: stock, coupons, points.';

COMMENT ON COLUMN counterfoil.orders.hold_s IS 'How long a hold lasts, in seconds.';

COMMENT ON COLUMN counterfoil.orders.placed_at IS 'When it was placed or revised.';

COMMENT ON COLUMN counterfoil.orders."position" IS 'The fact that changed the row last.';

COMMENT ON COLUMN counterfoil.orders.at IS 'When that was.';

CREATE TABLE counterfoil.outbox (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    id uuid NOT NULL,
    aggregatetype text NOT NULL COLLATE pg_catalog."C",
    aggregateid text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    payload text NOT NULL COLLATE pg_catalog."C",
    traceparent text COLLATE pg_catalog."C"
);

COMMENT ON TABLE counterfoil.outbox IS 'One row an event, written with it; named as Debezium''s EventRouter reads it; pruned behind every consumer';

COMMENT ON COLUMN counterfoil.outbox.shop_id IS 'Whose log';

COMMENT ON COLUMN counterfoil.outbox."position" IS 'The event''s position';

COMMENT ON COLUMN counterfoil.outbox.id IS 'The event''s id';

COMMENT ON COLUMN counterfoil.outbox.aggregatetype IS 'callback or command (facts); order, payment, stock, coupon, points (outcomes); log (notes, timers, parkings)';

COMMENT ON COLUMN counterfoil.outbox.aggregateid IS 'The key without its kind: messages of one aggregate keep their order';

COMMENT ON COLUMN counterfoil.outbox.type IS 'The event''s type';

COMMENT ON COLUMN counterfoil.outbox.payload IS 'The entry''s data: the public contract';

COMMENT ON COLUMN counterfoil.outbox.traceparent IS 'The same, for readers of the outbox alone';

CREATE VIEW counterfoil.outbox_feed WITH (security_barrier='true') AS
 SELECT o.shop_id,
    o."position",
    o.id,
    e.kind,
    o.type,
    e.key,
    o.aggregatetype,
    o.aggregateid,
    e.at,
    e.cause,
    o.payload
   FROM (counterfoil.outbox o
     JOIN counterfoil.events e ON (((e.shop_id = o.shop_id) AND (e."position" = o."position"))));
COMMENT ON VIEW counterfoil.outbox_feed IS 'The outbox with what the log says of each event: read WHERE shop_id = .. AND position > .. ORDER BY position';

CREATE TABLE counterfoil.outbox_retention (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    pruned_through bigint NOT NULL,
    pruned_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE counterfoil.outbox_retention IS 'How far each outbox was pruned; no row: it has everything';

COMMENT ON COLUMN counterfoil.outbox_retention.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.outbox_retention.pruned_through IS 'Up to here rows are gone from the outbox; the log has them still';

COMMENT ON COLUMN counterfoil.outbox_retention.pruned_at IS 'When it was pruned last';

CREATE TABLE counterfoil.parked (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    group_position bigint NOT NULL,
    keys text[] NOT NULL,
    error text,
    parked_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE counterfoil.parked IS 'Facts that could not be decided, or wait behind one that could not.';

COMMENT ON COLUMN counterfoil.parked.shop_id IS 'The shop.';

COMMENT ON COLUMN counterfoil.parked."position" IS 'The parked fact.';

COMMENT ON COLUMN counterfoil.parked.group_position IS 'The group it waits in.';

COMMENT ON COLUMN counterfoil.parked.keys IS 'The ids it names: later facts about them wait behind it.';

COMMENT ON COLUMN counterfoil.parked.error IS 'Why it could not be decided; null: it waits behind another.';

COMMENT ON COLUMN counterfoil.parked.parked_at IS 'When it was parked first.';

CREATE TABLE counterfoil.parked_groups (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    group_position bigint NOT NULL,
    attempts bigint NOT NULL,
    error text NOT NULL,
    failed_at timestamp with time zone
);

COMMENT ON TABLE counterfoil.parked_groups IS 'Parked facts that wait together.';

COMMENT ON COLUMN counterfoil.parked_groups.shop_id IS 'The shop.';

COMMENT ON COLUMN counterfoil.parked_groups.group_position IS 'The group''s first fact.';

COMMENT ON COLUMN counterfoil.parked_groups.attempts IS 'How often it was tried again in vain.';

COMMENT ON COLUMN counterfoil.parked_groups.error IS 'Why, the last time.';

COMMENT ON COLUMN counterfoil.parked_groups.failed_at IS 'When that was.';

CREATE TABLE counterfoil.parked_keys (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    group_position bigint NOT NULL
);

COMMENT ON TABLE counterfoil.parked_keys IS 'Which group an id leads into.';

COMMENT ON COLUMN counterfoil.parked_keys.shop_id IS 'The shop.';

COMMENT ON COLUMN counterfoil.parked_keys.key IS 'An id with its kind: order:1042.';

COMMENT ON COLUMN counterfoil.parked_keys.group_position IS 'The group.';

CREATE TABLE counterfoil.payment_captures (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    capture_id text NOT NULL COLLATE pg_catalog."C",
    id_kind text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C"
);

COMMENT ON TABLE counterfoil.payment_captures IS 'Which refunds, reversals and disputes are about a capture: an index over payments.captures.';

COMMENT ON COLUMN counterfoil.payment_captures.shop_id IS 'The shop.';

COMMENT ON COLUMN counterfoil.payment_captures.capture_id IS 'The capture.';

COMMENT ON COLUMN counterfoil.payment_captures.id_kind IS 'refund or dispute.';

COMMENT ON COLUMN counterfoil.payment_captures.id IS 'The refund''s, reversal''s or dispute''s id.';

CREATE TABLE counterfoil.payments (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    id_kind text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    state text NOT NULL,
    standing text NOT NULL,
    order_id text COLLATE pg_catalog."C",
    other_order_id text COLLATE pg_catalog."C",
    assigned boolean NOT NULL,
    paypal_order_id text COLLATE pg_catalog."C",
    authorization_id text COLLATE pg_catalog."C",
    captures text[] NOT NULL,
    amount_minor bigint NOT NULL,
    currency text,
    fee_minor bigint,
    net_minor bigint,
    payee text,
    is_final boolean NOT NULL,
    outcome text,
    "position" bigint NOT NULL,
    at timestamp with time zone,
    CONSTRAINT payments_amount_not_negative CHECK ((amount_minor >= 0))
)
WITH (fillfactor='80');

COMMENT ON TABLE counterfoil.payments IS 'Payments by their own ids, kept also while their order is unknown.';

COMMENT ON COLUMN counterfoil.payments.shop_id IS 'The shop.';

COMMENT ON COLUMN counterfoil.payments.id_kind IS 'Whose id it is: paypal_order, authorization, capture, refund, dispute.';

COMMENT ON COLUMN counterfoil.payments.id IS 'PayPal''s id, or <provider>:<payment> of another tender.';

COMMENT ON COLUMN counterfoil.payments.kind IS 'What it is; a tender has a capture''s id, a reversal a refund''s.';

COMMENT ON COLUMN counterfoil.payments.state IS 'How far it has come; it only rises.';

COMMENT ON COLUMN counterfoil.payments.standing IS 'Whether it counts for its order, and if not, why.';

COMMENT ON COLUMN counterfoil.payments.order_id IS 'The order it belongs to, named or found through its links.';

COMMENT ON COLUMN counterfoil.payments.other_order_id IS 'Another order that its ids name as well.';

COMMENT ON COLUMN counterfoil.payments.assigned IS 'An operator assigned the order.';

COMMENT ON COLUMN counterfoil.payments.paypal_order_id IS 'The PayPal order it belongs to.';

COMMENT ON COLUMN counterfoil.payments.authorization_id IS 'The authorisation it was captured from.';

COMMENT ON COLUMN counterfoil.payments.captures IS 'What a refund pays back from; what a dispute is about.';

COMMENT ON COLUMN counterfoil.payments.amount_minor IS 'Gross, in minor units.';

COMMENT ON COLUMN counterfoil.payments.currency IS 'ISO 4217; null while only others named it.';

COMMENT ON COLUMN counterfoil.payments.fee_minor IS 'PayPal''s fee, where it was told.';

COMMENT ON COLUMN counterfoil.payments.net_minor IS 'What is left, where it was told.';

COMMENT ON COLUMN counterfoil.payments.payee IS 'The merchant account that received it.';

COMMENT ON COLUMN counterfoil.payments.is_final IS 'No further capture follows.';

COMMENT ON COLUMN counterfoil.payments.outcome IS 'A dispute''s outcome code, as PayPal gave it.';

COMMENT ON COLUMN counterfoil.payments."position" IS 'The fact that changed the row last.';

COMMENT ON COLUMN counterfoil.payments.at IS 'When that was.';

CREATE TABLE counterfoil.points (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    buyer_id text NOT NULL COLLATE pg_catalog."C",
    granted bigint NOT NULL,
    earned bigint NOT NULL,
    revoked bigint NOT NULL,
    spent bigint NOT NULL,
    returned bigint NOT NULL,
    expired bigint NOT NULL,
    held bigint NOT NULL,
    "position" bigint,
    CONSTRAINT points_held_not_negative CHECK ((held >= 0))
)
WITH (fillfactor='80');

COMMENT ON TABLE counterfoil.points IS 'Points; balance = granted + earned - revoked - spent + returned - expired, below 0 when earned ones were spent before they were revoked.';

COMMENT ON COLUMN counterfoil.points.shop_id IS 'The shop.';

COMMENT ON COLUMN counterfoil.points.buyer_id IS 'The buyer.';

COMMENT ON COLUMN counterfoil.points.granted IS 'Given by the shop.';

COMMENT ON COLUMN counterfoil.points.earned IS 'Earned by paid orders.';

COMMENT ON COLUMN counterfoil.points.revoked IS 'Earned ones taken back at refunds.';

COMMENT ON COLUMN counterfoil.points.spent IS 'Spent on paid orders.';

COMMENT ON COLUMN counterfoil.points.returned IS 'Spent ones that came back.';

COMMENT ON COLUMN counterfoil.points.expired IS 'Lapsed.';

COMMENT ON COLUMN counterfoil.points.held IS 'Set aside for open orders.';

COMMENT ON COLUMN counterfoil.points."position" IS 'The fact that changed the row last.';

CREATE TABLE counterfoil.reconciliation (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    listed_through timestamp with time zone,
    ran_at timestamp with time zone,
    failed_at timestamp with time zone,
    error text,
    listed bigint DEFAULT 0 NOT NULL,
    appended bigint DEFAULT 0 NOT NULL,
    confirmed bigint DEFAULT 0 NOT NULL,
    refuted bigint DEFAULT 0 NOT NULL,
    looked_up bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE counterfoil.reconciliation IS 'How far each shop is reconciled with PayPal';

COMMENT ON COLUMN counterfoil.reconciliation.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.reconciliation.listed_through IS 'Every event that PayPal has listed up to then is in the log; null: none was listed yet';

COMMENT ON COLUMN counterfoil.reconciliation.ran_at IS 'When a run last ended well';

COMMENT ON COLUMN counterfoil.reconciliation.failed_at IS 'When one last failed';

COMMENT ON COLUMN counterfoil.reconciliation.error IS 'Why the last run failed; null: it did not';

COMMENT ON COLUMN counterfoil.reconciliation.listed IS 'Events that PayPal has listed, those of the overlap each time';

COMMENT ON COLUMN counterfoil.reconciliation.appended IS 'Events that the log lacked';

COMMENT ON COLUMN counterfoil.reconciliation.confirmed IS 'Captures that PayPal has confirmed';

COMMENT ON COLUMN counterfoil.reconciliation.refuted IS 'Captures that PayPal has refuted';

COMMENT ON COLUMN counterfoil.reconciliation.looked_up IS 'Orders that were looked up at PayPal';

CREATE TABLE counterfoil.reimported (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    "position" bigint NOT NULL
);

COMMENT ON TABLE counterfoil.reimported IS 'Facts and notes that came back from the published log: it has not what deduplicates them, but their ids follow from that';

COMMENT ON COLUMN counterfoil.reimported.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.reimported.id IS 'The event''s id';

COMMENT ON COLUMN counterfoil.reimported."position" IS 'The event''s position';

CREATE TABLE counterfoil.replaced_rows (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    rebuild text NOT NULL COLLATE pg_catalog."C",
    n bigint NOT NULL,
    model text NOT NULL COLLATE pg_catalog."C",
    table_name text NOT NULL COLLATE pg_catalog."C",
    old jsonb,
    new jsonb,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    undone_at timestamp with time zone
);

COMMENT ON TABLE counterfoil.replaced_rows IS 'Rows of read models that a rebuild replaced, as they were and as they were made';

COMMENT ON COLUMN counterfoil.replaced_rows.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.replaced_rows.rebuild IS 'The rebuild''s id';

COMMENT ON COLUMN counterfoil.replaced_rows.n IS 'Counts the rows of one rebuild';

COMMENT ON COLUMN counterfoil.replaced_rows.model IS 'The model that was rebuilt';

COMMENT ON COLUMN counterfoil.replaced_rows.table_name IS 'The row''s table';

COMMENT ON COLUMN counterfoil.replaced_rows.old IS 'The row as it was; null: there was none';

COMMENT ON COLUMN counterfoil.replaced_rows.new IS 'The row as it was made; null: it was removed';

COMMENT ON COLUMN counterfoil.replaced_rows.at IS 'When';

COMMENT ON COLUMN counterfoil.replaced_rows.undone_at IS 'When the way back was taken';

CREATE TABLE counterfoil.schema_history (
    version integer NOT NULL,
    name character varying(255),
    applied_on character varying(255),
    checksum character varying(255)
);

CREATE TABLE counterfoil.shop_settings (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    settings jsonb NOT NULL,
    rules integer NOT NULL
);

COMMENT ON TABLE counterfoil.shop_settings IS 'The settings and rules in force, once a fact has set them.';

COMMENT ON COLUMN counterfoil.shop_settings.shop_id IS 'The shop.';

COMMENT ON COLUMN counterfoil.shop_settings.settings IS 'As shop.configured said, whole.';

COMMENT ON COLUMN counterfoil.shop_settings.rules IS 'The version of the rules.';

CREATE TABLE counterfoil.shops (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    environment text NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    feed_epoch integer DEFAULT 0 NOT NULL,
    hash_key_wrapped bytea NOT NULL,
    kek_id text NOT NULL COLLATE pg_catalog."C",
    lockable boolean DEFAULT true NOT NULL,
    has_reimported boolean DEFAULT false NOT NULL,
    CONSTRAINT shops_environment_check CHECK ((environment = ANY (ARRAY['live'::text, 'sandbox'::text, 'dev'::text])))
);

COMMENT ON TABLE counterfoil.shops IS 'One PayPal merchant account in one environment; its row is the lock under which positions are given';

COMMENT ON COLUMN counterfoil.shops.shop_id IS 'The shop''s id: 1 to 32 of A-Z a-z 0-9 _ . : -';

COMMENT ON COLUMN counterfoil.shops.environment IS 'Which PayPal it belongs to: live, sandbox, or dev (the simulator)';

COMMENT ON COLUMN counterfoil.shops.created_at IS 'When the shop was created';

COMMENT ON COLUMN counterfoil.shops.feed_epoch IS 'Counts the forks of this log; part of every public cursor';

COMMENT ON COLUMN counterfoil.shops.hash_key_wrapped IS 'The key of body_mac and of keyed hashes, wrapped by the key-encryption key; never rotated';

COMMENT ON COLUMN counterfoil.shops.kek_id IS 'Which key-encryption key wrapped it';

COMMENT ON COLUMN counterfoil.shops.lockable IS 'Never changes: the one column the service may update, for a row lock needs that privilege';

COMMENT ON COLUMN counterfoil.shops.has_reimported IS 'There are rows of it in reimported: what is appended is looked up there too';

CREATE TABLE counterfoil.sinks (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    settings jsonb NOT NULL,
    secrets bytea NOT NULL,
    kek_id text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    reason text,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    failing_since timestamp with time zone,
    error text,
    CONSTRAINT sinks_state_check CHECK ((state = ANY (ARRAY['running'::text, 'paused'::text, 'disabled'::text, 'lost'::text])))
)
WITH (fillfactor='50');

COMMENT ON TABLE counterfoil.sinks IS 'Where events are sent to; how far each has come stands in checkpoints, as sink:<name>';

COMMENT ON COLUMN counterfoil.sinks.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.sinks.name IS 'The sink''s name';

COMMENT ON COLUMN counterfoil.sinks.kind IS 'webhook, kafka, rabbitmq or nats';

COMMENT ON COLUMN counterfoil.sinks.settings IS 'Where to, what, and how: no secrets';

COMMENT ON COLUMN counterfoil.sinks.secrets IS 'Passwords and signing keys, JSON, wrapped by the key-encryption key';

COMMENT ON COLUMN counterfoil.sinks.kek_id IS 'Which key-encryption key wrapped them';

COMMENT ON COLUMN counterfoil.sinks.state IS 'running, paused (by an operator), disabled (by the endpoint''s 410), lost (the outbox waits for it no longer)';

COMMENT ON COLUMN counterfoil.sinks.reason IS 'Why it is not running';

COMMENT ON COLUMN counterfoil.sinks.version IS 'Goes up with each change: whoever works with another looks again';

COMMENT ON COLUMN counterfoil.sinks.created_at IS 'When it was made';

COMMENT ON COLUMN counterfoil.sinks.failing_since IS 'Since when nothing gets through; null: it is well';

COMMENT ON COLUMN counterfoil.sinks.error IS 'Why, the last time';

CREATE TABLE counterfoil.stamps (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    origin text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    checkpoint text NOT NULL,
    response bytea NOT NULL
);

COMMENT ON TABLE counterfoil.stamps IS 'Time stamps of checkpoints (RFC 3161): they were there at that time, says a third party';

COMMENT ON COLUMN counterfoil.stamps.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.stamps.origin IS 'The log that the checkpoint is of';

COMMENT ON COLUMN counterfoil.stamps.size IS 'The size of the checkpoint';

COMMENT ON COLUMN counterfoil.stamps.at IS 'The time that the stamp says';

COMMENT ON COLUMN counterfoil.stamps.checkpoint IS 'The note, byte for byte, whose SHA-256 is stamped';

COMMENT ON COLUMN counterfoil.stamps.response IS 'The authority''s whole answer, DER';

CREATE TABLE counterfoil.stock (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    sku text NOT NULL COLLATE pg_catalog."C",
    received bigint NOT NULL,
    adjusted bigint NOT NULL,
    settled bigint NOT NULL,
    returned bigint NOT NULL,
    held bigint NOT NULL,
    "position" bigint,
    CONSTRAINT stock_held_not_negative CHECK ((held >= 0)),
    CONSTRAINT stock_on_hand_not_negative CHECK (((((received + adjusted) - settled) + returned) >= 0))
)
WITH (fillfactor='80');

COMMENT ON TABLE counterfoil.stock IS 'Stock in pieces; on hand = received + adjusted - settled + returned.';

COMMENT ON COLUMN counterfoil.stock.shop_id IS 'The shop.';

COMMENT ON COLUMN counterfoil.stock.sku IS 'The article.';

COMMENT ON COLUMN counterfoil.stock.received IS 'Came in.';

COMMENT ON COLUMN counterfoil.stock.adjusted IS 'Found by counting, signed.';

COMMENT ON COLUMN counterfoil.stock.settled IS 'Left with paid orders.';

COMMENT ON COLUMN counterfoil.stock.returned IS 'Came back.';

COMMENT ON COLUMN counterfoil.stock.held IS 'Set aside for open orders.';

COMMENT ON COLUMN counterfoil.stock."position" IS 'The fact that changed the row last.';

CREATE TABLE counterfoil.transmissions (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    transmission_id text NOT NULL COLLATE pg_catalog."C",
    event_key text NOT NULL COLLATE pg_catalog."C",
    body_mac bytea NOT NULL,
    headers text NOT NULL
);

COMMENT ON TABLE counterfoil.transmissions IS 'Every signed delivery that was accepted, once';

COMMENT ON COLUMN counterfoil.transmissions.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.transmissions.transmission_id IS 'PayPal''s id of the delivery, which its signature covers';

COMMENT ON COLUMN counterfoil.transmissions.event_key IS 'Which callback it brought';

COMMENT ON COLUMN counterfoil.transmissions.body_mac IS 'HMAC-SHA256 of the raw body under the shop''s hash key: one transmission has one body';

COMMENT ON COLUMN counterfoil.transmissions.headers IS 'Its five headers, compact JSON; empty where it brought the callback, whose evidence has them';

CREATE TABLE counterfoil.tree_checkpoints (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    root bytea NOT NULL,
    epoch integer NOT NULL,
    note text NOT NULL,
    signed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    published_at timestamp with time zone,
    CONSTRAINT tree_checkpoints_root_check CHECK ((octet_length(root) = 32)),
    CONSTRAINT tree_checkpoints_size_check CHECK ((size > 0))
);

COMMENT ON TABLE counterfoil.tree_checkpoints IS 'What each log has signed (c2sp.org/tlog-checkpoint), one root a size; what was not published goes when a later one is';

COMMENT ON COLUMN counterfoil.tree_checkpoints.shop_id IS 'Whose log';

COMMENT ON COLUMN counterfoil.tree_checkpoints.size IS 'The size of the tree';

COMMENT ON COLUMN counterfoil.tree_checkpoints.root IS 'Its root';

COMMENT ON COLUMN counterfoil.tree_checkpoints.epoch IS 'The epoch of the log, which its origin tells';

COMMENT ON COLUMN counterfoil.tree_checkpoints.note IS 'The signed note, byte for byte; cosignatures are added below';

COMMENT ON COLUMN counterfoil.tree_checkpoints.signed_at IS 'When it was signed';

COMMENT ON COLUMN counterfoil.tree_checkpoints.published_at IS 'When it was published; null: it was not';

CREATE TABLE counterfoil.tree_tiles (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    level smallint NOT NULL,
    index bigint NOT NULL,
    width smallint NOT NULL,
    hashes bytea NOT NULL,
    CONSTRAINT tree_tiles_check CHECK ((octet_length(hashes) = (32 * width))),
    CONSTRAINT tree_tiles_index_check CHECK ((index >= 0)),
    CONSTRAINT tree_tiles_level_check CHECK (((level >= 0) AND (level <= 63))),
    CONSTRAINT tree_tiles_width_check CHECK (((width >= 1) AND (width <= 256)))
);

ALTER TABLE ONLY counterfoil.tree_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

COMMENT ON TABLE counterfoil.tree_tiles IS 'The tree as tiles (c2sp.org/tlog-tiles), each as wide as it is by now: a narrower one is its beginning';

COMMENT ON COLUMN counterfoil.tree_tiles.shop_id IS 'Whose log';

COMMENT ON COLUMN counterfoil.tree_tiles.level IS '0: leaf hashes; above: roots of full tiles of the level below';

COMMENT ON COLUMN counterfoil.tree_tiles.index IS 'Which tile of the level, from the left';

COMMENT ON COLUMN counterfoil.tree_tiles.width IS 'How many hashes; with 256 it never changes again';

COMMENT ON COLUMN counterfoil.tree_tiles.hashes IS 'The hashes, 32 bytes each';

CREATE TABLE counterfoil.trees (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    root bytea NOT NULL,
    published_size bigint,
    published_at timestamp with time zone,
    error text,
    CONSTRAINT trees_check CHECK ((published_size <= size)),
    CONSTRAINT trees_root_check CHECK ((octet_length(root) = 32)),
    CONSTRAINT trees_size_check CHECK ((size >= 0))
)
WITH (fillfactor='50');

COMMENT ON TABLE counterfoil.trees IS 'How far each log''s Merkle tree (RFC 6962) is; whoever has the lease of the consumer tree grows it';

COMMENT ON COLUMN counterfoil.trees.shop_id IS 'Whose log';

COMMENT ON COLUMN counterfoil.trees.size IS 'So many events are in the tree: those at positions below';

COMMENT ON COLUMN counterfoil.trees.root IS 'The root over them, SHA-256';

COMMENT ON COLUMN counterfoil.trees.published_size IS 'The size of the checkpoint that was published last';

COMMENT ON COLUMN counterfoil.trees.published_at IS 'When it was';

COMMENT ON COLUMN counterfoil.trees.error IS 'Why the tree does not grow; null: it does, or was not tried';

CREATE TABLE counterfoil.undelivered (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    sink text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    attempts integer NOT NULL,
    next_at timestamp with time zone NOT NULL,
    error text NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT undelivered_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'dead'::text])))
);

COMMENT ON TABLE counterfoil.undelivered IS 'Events that a sink has passed and not delivered: they hold back later ones of their key, and nothing else';

COMMENT ON COLUMN counterfoil.undelivered.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.undelivered.sink IS 'The sink';

COMMENT ON COLUMN counterfoil.undelivered."position" IS 'The event';

COMMENT ON COLUMN counterfoil.undelivered.key IS 'The event''s key';

COMMENT ON COLUMN counterfoil.undelivered.type IS 'The event''s type';

COMMENT ON COLUMN counterfoil.undelivered.state IS 'waiting (will be tried again) or dead (a dead letter: until somebody redrives it)';

COMMENT ON COLUMN counterfoil.undelivered.attempts IS 'How often it was tried; 0: it waits behind another of its key';

COMMENT ON COLUMN counterfoil.undelivered.next_at IS 'When it is tried again, if it waits';

COMMENT ON COLUMN counterfoil.undelivered.error IS 'Why, the last time';

COMMENT ON COLUMN counterfoil.undelivered.since IS 'When it was set aside';

CREATE TABLE counterfoil.webhooks (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    webhook_id text NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE counterfoil.webhooks IS 'PayPal''s webhook ids that a shop receives under: part of what PayPal signs';

COMMENT ON COLUMN counterfoil.webhooks.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.webhooks.webhook_id IS 'The webhook''s id at PayPal';

COMMENT ON COLUMN counterfoil.webhooks.created_at IS 'When it was added';

CREATE TABLE counterfoil.witnesses (
    shop_id text NOT NULL COLLATE pg_catalog."C",
    origin text NOT NULL COLLATE pg_catalog."C",
    witness text NOT NULL COLLATE pg_catalog."C",
    size bigint DEFAULT 0 NOT NULL,
    at timestamp with time zone,
    error text
)
WITH (fillfactor='50');

COMMENT ON TABLE counterfoil.witnesses IS 'What each witness has seen last of a shop''s log';

COMMENT ON COLUMN counterfoil.witnesses.shop_id IS 'The shop';

COMMENT ON COLUMN counterfoil.witnesses.origin IS 'The log as witnesses know it: each epoch has its own';

COMMENT ON COLUMN counterfoil.witnesses.witness IS 'The name of the witness''s key';

COMMENT ON COLUMN counterfoil.witnesses.size IS 'The size of the checkpoint that it cosigned last; 0: none yet';

COMMENT ON COLUMN counterfoil.witnesses.at IS 'When it did, by its own clock';

COMMENT ON COLUMN counterfoil.witnesses.error IS 'Why it did not, the last time; null: it did';

ALTER TABLE ONLY counterfoil.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (shop_id, key_id);
ALTER TABLE ONLY counterfoil.callbacks
    ADD CONSTRAINT callbacks_pkey PRIMARY KEY (shop_id, event_key);
ALTER TABLE ONLY counterfoil.certificates
    ADD CONSTRAINT certificates_pkey PRIMARY KEY (shop_id, sha256);
ALTER TABLE ONLY counterfoil.checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (shop_id, consumer);
ALTER TABLE ONLY counterfoil.commands
    ADD CONSTRAINT commands_pkey PRIMARY KEY (shop_id, type, id);
ALTER TABLE ONLY counterfoil.conflicting_transmissions
    ADD CONSTRAINT conflicting_transmissions_pkey PRIMARY KEY (shop_id, transmission_id, body_mac);
ALTER TABLE ONLY counterfoil.consumers
    ADD CONSTRAINT consumers_pkey PRIMARY KEY (shop_id, name);
ALTER TABLE ONLY counterfoil.coupon_buyers
    ADD CONSTRAINT coupon_buyers_pkey PRIMARY KEY (shop_id, code, buyer_id);
ALTER TABLE ONLY counterfoil.coupons
    ADD CONSTRAINT coupons_pkey PRIMARY KEY (shop_id, code);
ALTER TABLE ONLY counterfoil.delivery_attempts
    ADD CONSTRAINT delivery_attempts_pkey PRIMARY KEY (shop_id, sink, "position", at);
ALTER TABLE ONLY counterfoil.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (shop_id, "position");
ALTER TABLE ONLY counterfoil.evidence_keys
    ADD CONSTRAINT evidence_keys_pkey PRIMARY KEY (shop_id, "position");
ALTER TABLE ONLY counterfoil.evidence
    ADD CONSTRAINT evidence_pkey PRIMARY KEY (shop_id, "position");
ALTER TABLE ONLY counterfoil.forks
    ADD CONSTRAINT forks_pkey PRIMARY KEY (shop_id, epoch);
ALTER TABLE ONLY counterfoil.order_lookups
    ADD CONSTRAINT order_lookups_pkey PRIMARY KEY (shop_id, order_id);
ALTER TABLE ONLY counterfoil.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (shop_id, order_id);
ALTER TABLE ONLY counterfoil.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (shop_id, "position");
ALTER TABLE ONLY counterfoil.outbox_retention
    ADD CONSTRAINT outbox_retention_pkey PRIMARY KEY (shop_id);
ALTER TABLE ONLY counterfoil.parked_groups
    ADD CONSTRAINT parked_groups_pkey PRIMARY KEY (shop_id, group_position);
ALTER TABLE ONLY counterfoil.parked_keys
    ADD CONSTRAINT parked_keys_pkey PRIMARY KEY (shop_id, key);
ALTER TABLE ONLY counterfoil.parked
    ADD CONSTRAINT parked_pkey PRIMARY KEY (shop_id, "position");
ALTER TABLE ONLY counterfoil.payment_captures
    ADD CONSTRAINT payment_captures_pkey PRIMARY KEY (shop_id, capture_id, id_kind, id);
ALTER TABLE ONLY counterfoil.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (shop_id, id_kind, id);
ALTER TABLE ONLY counterfoil.points
    ADD CONSTRAINT points_pkey PRIMARY KEY (shop_id, buyer_id);
ALTER TABLE ONLY counterfoil.reconciliation
    ADD CONSTRAINT reconciliation_pkey PRIMARY KEY (shop_id);
ALTER TABLE ONLY counterfoil.reimported
    ADD CONSTRAINT reimported_pkey PRIMARY KEY (shop_id, id);
ALTER TABLE ONLY counterfoil.replaced_rows
    ADD CONSTRAINT replaced_rows_pkey PRIMARY KEY (shop_id, rebuild, n);
ALTER TABLE ONLY counterfoil.schema_history
    ADD CONSTRAINT schema_history_pkey PRIMARY KEY (version);
ALTER TABLE ONLY counterfoil.shop_settings
    ADD CONSTRAINT shop_settings_pkey PRIMARY KEY (shop_id);
ALTER TABLE ONLY counterfoil.shops
    ADD CONSTRAINT shops_pkey PRIMARY KEY (shop_id);
ALTER TABLE ONLY counterfoil.sinks
    ADD CONSTRAINT sinks_pkey PRIMARY KEY (shop_id, name);
ALTER TABLE ONLY counterfoil.stamps
    ADD CONSTRAINT stamps_pkey PRIMARY KEY (shop_id, origin, size);
ALTER TABLE ONLY counterfoil.stock
    ADD CONSTRAINT stock_pkey PRIMARY KEY (shop_id, sku);
ALTER TABLE ONLY counterfoil.transmissions
    ADD CONSTRAINT transmissions_pkey PRIMARY KEY (shop_id, transmission_id);
ALTER TABLE ONLY counterfoil.tree_checkpoints
    ADD CONSTRAINT tree_checkpoints_pkey PRIMARY KEY (shop_id, size);
ALTER TABLE ONLY counterfoil.tree_tiles
    ADD CONSTRAINT tree_tiles_pkey PRIMARY KEY (shop_id, level, index);
ALTER TABLE ONLY counterfoil.trees
    ADD CONSTRAINT trees_pkey PRIMARY KEY (shop_id);
ALTER TABLE ONLY counterfoil.undelivered
    ADD CONSTRAINT undelivered_pkey PRIMARY KEY (shop_id, sink, "position");
ALTER TABLE ONLY counterfoil.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (shop_id, webhook_id);
ALTER TABLE ONLY counterfoil.witnesses
    ADD CONSTRAINT witnesses_pkey PRIMARY KEY (shop_id, origin, witness);
CREATE INDEX events_key ON counterfoil.events USING btree (shop_id, key, "position");

CREATE INDEX orders_held ON counterfoil.orders USING btree (shop_id, held_until) WHERE (held_until IS NOT NULL);

CREATE INDEX orders_refund_due ON counterfoil.orders USING btree (shop_id, order_id) WHERE (refund_due_minor > 0);

CREATE INDEX orders_unpaid ON counterfoil.orders USING btree (shop_id, placed_at) WHERE (paid_at IS NULL);

CREATE INDEX outbox_id ON counterfoil.outbox USING hash (id);

CREATE INDEX parked_of_group ON counterfoil.parked USING btree (shop_id, group_position);

CREATE INDEX payments_of_authorization ON counterfoil.payments USING btree (shop_id, authorization_id) WHERE ((authorization_id IS NOT NULL) AND (kind <> 'authorization'::text));

CREATE INDEX payments_of_order ON counterfoil.payments USING btree (shop_id, order_id) WHERE (order_id IS NOT NULL);

CREATE INDEX payments_of_paypal_order ON counterfoil.payments USING btree (shop_id, paypal_order_id) WHERE ((paypal_order_id IS NOT NULL) AND (kind <> 'paypal_order'::text));

CREATE INDEX payments_pending ON counterfoil.payments USING btree (shop_id, id_kind, id) WHERE (state = 'pending'::text);

CREATE INDEX payments_set_apart ON counterfoil.payments USING btree (shop_id, id_kind, id) WHERE (standing <> 'matched'::text);

CREATE INDEX undelivered_waiting ON counterfoil.undelivered USING btree (shop_id, sink, next_at) WHERE (state = 'waiting'::text);

CREATE TRIGGER events_never_change BEFORE DELETE OR UPDATE OR TRUNCATE ON counterfoil.events FOR EACH STATEMENT EXECUTE FUNCTION counterfoil.reject_change();

