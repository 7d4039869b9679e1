-- The log: shops, events with their outbox rows, what deduplicates them, sealed evidence, API keys, checkpoints.
--
-- `shop_id` comes first in every primary key and unique constraint, and no foreign key exists: every hot statement
-- names one shop and stays within it, so the schema can be distributed by shop unchanged. Texts that are compared for
-- identity use COLLATE "C": bytes decide, never a locale.

CREATE TABLE counterfoil.shops (
    shop_id          text COLLATE "C" NOT NULL PRIMARY KEY,
    environment      text COLLATE "C" NOT NULL CHECK (environment IN ('live', 'sandbox', 'dev')),
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    feed_epoch       integer NOT NULL DEFAULT 0,
    hash_key_wrapped bytea NOT NULL,
    kek_id           text COLLATE "C" NOT NULL,
    lockable         boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE counterfoil.shops IS 'One PayPal merchant account in one environment; its row is the lock under which positions are given';
COMMENT ON COLUMN counterfoil.shops.shop_id IS 'The shop''s id: 1 to 32 of A-Z a-z 0-9 _ . : -';
COMMENT ON COLUMN counterfoil.shops.environment IS 'Which PayPal it belongs to: live, sandbox, or dev (the simulator)';
COMMENT ON COLUMN counterfoil.shops.created_at IS 'When the shop was created';
COMMENT ON COLUMN counterfoil.shops.feed_epoch IS 'Counts the forks of this log; part of every public cursor';
COMMENT ON COLUMN counterfoil.shops.hash_key_wrapped IS 'The key of body_mac and of keyed hashes, wrapped by the key-encryption key; never rotated';
COMMENT ON COLUMN counterfoil.shops.kek_id IS 'Which key-encryption key wrapped it';
COMMENT ON COLUMN counterfoil.shops.lockable IS 'Never changes: the one column the service may update, for a row lock needs that privilege';

CREATE TABLE counterfoil.webhooks (
    shop_id    text COLLATE "C" NOT NULL,
    webhook_id text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shop_id, webhook_id)
);
COMMENT ON TABLE counterfoil.webhooks IS 'PayPal''s webhook ids that a shop receives under: part of what PayPal signs';
COMMENT ON COLUMN counterfoil.webhooks.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.webhooks.webhook_id IS 'The webhook''s id at PayPal';
COMMENT ON COLUMN counterfoil.webhooks.created_at IS 'When it was added';

CREATE TABLE counterfoil.events (
    shop_id   text COLLATE "C" NOT NULL,
    position  bigint NOT NULL CHECK (position >= 0),
    id        uuid NOT NULL,
    kind      text COLLATE "C" NOT NULL CHECK (kind IN ('fact', 'outcome', 'note')),
    type      text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    at        timestamptz NOT NULL,
    cause     bigint,
    entry     text COLLATE "C" NOT NULL,
    leaf_hash bytea NOT NULL,
    PRIMARY KEY (shop_id, position)
);
CREATE INDEX events_key ON counterfoil.events (shop_id, key, position);
COMMENT ON TABLE counterfoil.events IS 'The log: one row an event, never changed; the entry is the event, the other columns are copies of it';
COMMENT ON COLUMN counterfoil.events.shop_id IS 'Whose log';
COMMENT ON COLUMN counterfoil.events.position IS 'The place in the shop''s log, dense from 0: leaf index, feed position and replay order in one';
COMMENT ON COLUMN counterfoil.events.id IS 'Derived (UUIDv5), so that the same event has the same id after a restore or a second delivery';
COMMENT ON COLUMN counterfoil.events.kind IS 'fact (came from outside), outcome (was decided from a fact) or note (the log about itself)';
COMMENT ON COLUMN counterfoil.events.type IS 'What happened: payment.captured, order.paid, ...';
COMMENT ON COLUMN counterfoil.events.key IS 'What it is about, with its kind: order:1042';
COMMENT ON COLUMN counterfoil.events.at IS 'The later of the database''s clock and the previous event''s time';
COMMENT ON COLUMN counterfoil.events.cause IS 'An outcome''s fact';
COMMENT ON COLUMN counterfoil.events.entry IS 'The event itself: one line of RFC 8785 JSON, at most 60000 bytes';
COMMENT ON COLUMN counterfoil.events.leaf_hash IS 'SHA-256 of a zero byte and the entry: the leaf of the Merkle tree';

CREATE FUNCTION counterfoil.reject_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION counterfoil.reject_change() IS 'Refuses whatever fires it; on no hot path, for inserts do not fire it';
CREATE TRIGGER events_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON counterfoil.events
    FOR EACH STATEMENT EXECUTE FUNCTION counterfoil.reject_change();

CREATE TABLE counterfoil.outbox (
    shop_id       text COLLATE "C" NOT NULL,
    position      bigint NOT NULL,
    id            uuid NOT NULL,
    aggregatetype text COLLATE "C" NOT NULL,
    aggregateid   text COLLATE "C" NOT NULL,
    type          text COLLATE "C" NOT NULL,
    payload       text COLLATE "C" NOT NULL,
    PRIMARY KEY (shop_id, position)
);
COMMENT ON TABLE counterfoil.outbox IS 'One row an event, written with it; named as Debezium''s EventRouter reads it; pruned behind every consumer';
COMMENT ON COLUMN counterfoil.outbox.shop_id IS 'Whose log';
COMMENT ON COLUMN counterfoil.outbox.position IS 'The event''s position';
COMMENT ON COLUMN counterfoil.outbox.id IS 'The event''s id';
COMMENT ON COLUMN counterfoil.outbox.aggregatetype IS 'callback or command (facts); order, payment, stock, coupon, points (outcomes); log (notes, timers, parkings)';
COMMENT ON COLUMN counterfoil.outbox.aggregateid IS 'The key without its kind: messages of one aggregate keep their order';
COMMENT ON COLUMN counterfoil.outbox.type IS 'The event''s type';
COMMENT ON COLUMN counterfoil.outbox.payload IS 'The entry''s data: the public contract';

CREATE TABLE counterfoil.transmissions (
    shop_id         text COLLATE "C" NOT NULL,
    transmission_id text COLLATE "C" NOT NULL,
    event_key       text COLLATE "C" NOT NULL,
    body_mac        bytea NOT NULL,
    headers         text NOT NULL,
    PRIMARY KEY (shop_id, transmission_id)
);
COMMENT ON TABLE counterfoil.transmissions IS 'Every signed delivery that was accepted, once';
COMMENT ON COLUMN counterfoil.transmissions.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.transmissions.transmission_id IS 'PayPal''s id of the delivery, which its signature covers';
COMMENT ON COLUMN counterfoil.transmissions.event_key IS 'Which callback it brought';
COMMENT ON COLUMN counterfoil.transmissions.body_mac IS 'HMAC-SHA256 of the raw body under the shop''s hash key: one transmission has one body';
COMMENT ON COLUMN counterfoil.transmissions.headers IS 'Its five headers, compact JSON';

CREATE TABLE counterfoil.conflicting_transmissions (
    shop_id         text COLLATE "C" NOT NULL,
    transmission_id text COLLATE "C" NOT NULL,
    body_mac        bytea NOT NULL,
    first_seen      timestamptz NOT NULL,
    PRIMARY KEY (shop_id, transmission_id, body_mac)
);
COMMENT ON TABLE counterfoil.conflicting_transmissions IS 'Known transmissions that came again, signed, with other bytes: refused; only their hashes are kept';
COMMENT ON COLUMN counterfoil.conflicting_transmissions.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.conflicting_transmissions.transmission_id IS 'The transmission';
COMMENT ON COLUMN counterfoil.conflicting_transmissions.body_mac IS 'HMAC-SHA256 of the other body';
COMMENT ON COLUMN counterfoil.conflicting_transmissions.first_seen IS 'When it came first';

CREATE TABLE counterfoil.callbacks (
    shop_id   text COLLATE "C" NOT NULL,
    event_key text COLLATE "C" NOT NULL,
    body_mac  bytea,
    position  bigint NOT NULL,
    PRIMARY KEY (shop_id, event_key)
);
COMMENT ON TABLE counterfoil.callbacks IS 'Every callback that became a fact: decides that it does so once';
COMMENT ON COLUMN counterfoil.callbacks.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.callbacks.event_key IS 'PayPal''s event id, or body:<mac> without a usable one; <event id>/<mac> for a revision';
COMMENT ON COLUMN counterfoil.callbacks.body_mac IS 'HMAC-SHA256 of the raw body; null for a copy from the API, whose bytes are never compared';
COMMENT ON COLUMN counterfoil.callbacks.position IS 'Its fact';

CREATE TABLE counterfoil.commands (
    shop_id        text COLLATE "C" NOT NULL,
    type           text COLLATE "C" NOT NULL,
    id             text COLLATE "C" NOT NULL,
    content_sha256 bytea NOT NULL,
    position       bigint NOT NULL,
    PRIMARY KEY (shop_id, type, id)
);
COMMENT ON TABLE counterfoil.commands IS 'Every fact that is no callback: decides that a command or a timer takes effect once';
COMMENT ON COLUMN counterfoil.commands.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.commands.type IS 'The fact''s type';
COMMENT ON COLUMN counterfoil.commands.id IS 'The shop''s id of the command, or what a timer derives';
COMMENT ON COLUMN counterfoil.commands.content_sha256 IS 'SHA-256 of its content: the same id with other content is a conflict';
COMMENT ON COLUMN counterfoil.commands.position IS 'Its fact';

CREATE TABLE counterfoil.certificates (
    shop_id    text COLLATE "C" NOT NULL,
    sha256     bytea NOT NULL,
    der        bytea NOT NULL,
    url        text NOT NULL,
    first_seen timestamptz NOT NULL,
    PRIMARY KEY (shop_id, sha256)
);
COMMENT ON TABLE counterfoil.certificates IS 'The certificates that signed callbacks, once each';
COMMENT ON COLUMN counterfoil.certificates.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.certificates.sha256 IS 'SHA-256 of the certificate; evidence names it';
COMMENT ON COLUMN counterfoil.certificates.der IS 'The certificate, DER';
COMMENT ON COLUMN counterfoil.certificates.url IS 'Where it was fetched from';
COMMENT ON COLUMN counterfoil.certificates.first_seen IS 'When it first signed something that was kept';

CREATE TABLE counterfoil.evidence (
    shop_id  text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    sealed   bytea NOT NULL,
    PRIMARY KEY (shop_id, position)
);
-- Compressed and encrypted already: trying to compress it again costs time and wins nothing.
ALTER TABLE counterfoil.evidence ALTER COLUMN sealed SET STORAGE EXTERNAL;
COMMENT ON TABLE counterfoil.evidence IS 'What facts rest on: raw bodies and headers, or a command''s reason; sealed';
COMMENT ON COLUMN counterfoil.evidence.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.evidence.position IS 'The fact';
COMMENT ON COLUMN counterfoil.evidence.sealed IS 'Compressed, then AES-256-GCM under a key of its own; the entry holds its SHA-256';

CREATE TABLE counterfoil.evidence_keys (
    shop_id     text COLLATE "C" NOT NULL,
    position    bigint NOT NULL,
    kek_id      text COLLATE "C" NOT NULL,
    wrapped_key bytea NOT NULL,
    PRIMARY KEY (shop_id, position)
);
COMMENT ON TABLE counterfoil.evidence_keys IS 'The key of each evidence, wrapped; destroying the row erases a person while every proof stays green';
COMMENT ON COLUMN counterfoil.evidence_keys.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.evidence_keys.position IS 'The fact';
COMMENT ON COLUMN counterfoil.evidence_keys.kek_id IS 'Which key-encryption key wrapped it';
COMMENT ON COLUMN counterfoil.evidence_keys.wrapped_key IS 'The evidence''s key, wrapped';

CREATE TABLE counterfoil.api_keys (
    shop_id       text COLLATE "C" NOT NULL,
    key_id        text COLLATE "C" NOT NULL,
    secret_sha256 bytea NOT NULL,
    holder        text NOT NULL,
    roles         text[] NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_at    timestamptz,
    last_used_at  timestamptz,
    PRIMARY KEY (shop_id, key_id)
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

CREATE TABLE counterfoil.checkpoints (
    shop_id          text COLLATE "C" NOT NULL,
    consumer         text COLLATE "C" NOT NULL,
    position         bigint NOT NULL DEFAULT -1,
    epoch            bigint NOT NULL DEFAULT 0,
    lease_holder     text,
    lease_expires_at timestamptz,
    heartbeat_at     timestamptz,
    PRIMARY KEY (shop_id, consumer)
) WITH (fillfactor = 50);
COMMENT ON TABLE counterfoil.checkpoints IS 'How far each consumer of a log has come, and who leads it';
COMMENT ON COLUMN counterfoil.checkpoints.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.checkpoints.consumer IS 'relay, or the name of another consumer';
COMMENT ON COLUMN counterfoil.checkpoints.position IS 'The last position that is done; -1 before the first';
COMMENT ON COLUMN counterfoil.checkpoints.epoch IS 'Goes up with every lease: the fence that a stale leader fails';
COMMENT ON COLUMN counterfoil.checkpoints.lease_holder IS 'Who leads';
COMMENT ON COLUMN counterfoil.checkpoints.lease_expires_at IS 'Until when, by the database''s clock';
COMMENT ON COLUMN counterfoil.checkpoints.heartbeat_at IS 'When the leader last said that it lives';
