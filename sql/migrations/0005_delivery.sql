-- Who reads the outbox, how far it is pruned behind them, and what a sink could not deliver.
--
-- Where a sink or a consumer stands is apart from the log: nothing here is read by a decision.

SET LOCAL lock_timeout = '1s';

-- A reader of the feed names the last event by its id. Hash, for it is the cheapest to keep: one page, no order.
CREATE INDEX outbox_id ON counterfoil.outbox USING hash (id);

CREATE TABLE counterfoil.outbox_retention (
    shop_id        text COLLATE "C" NOT NULL PRIMARY KEY,
    pruned_through bigint NOT NULL,
    pruned_at      timestamptz NOT NULL
);
COMMENT ON TABLE counterfoil.outbox_retention IS 'How far each outbox was pruned; no row: it has everything';
COMMENT ON COLUMN counterfoil.outbox_retention.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.outbox_retention.pruned_through IS 'Up to here rows are gone from the outbox; the log has them still';
COMMENT ON COLUMN counterfoil.outbox_retention.pruned_at IS 'When it was pruned last';

CREATE TABLE counterfoil.forks (
    shop_id   text COLLATE "C" NOT NULL,
    epoch     integer NOT NULL CHECK (epoch > 0),
    forked_at bigint NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shop_id, epoch)
);
COMMENT ON TABLE counterfoil.forks IS 'Where each epoch of a log began: what readers of another epoch are told';
COMMENT ON COLUMN counterfoil.forks.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.forks.epoch IS 'The epoch that began';
COMMENT ON COLUMN counterfoil.forks.forked_at IS 'The last position that it has in common with the epoch before; -1: none';
COMMENT ON COLUMN counterfoil.forks.at IS 'When it began';

CREATE TABLE counterfoil.consumers (
    shop_id    text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    epoch      integer NOT NULL,
    position   bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    moved_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    lost_at    timestamptz,
    PRIMARY KEY (shop_id, name)
) WITH (fillfactor = 50);
COMMENT ON TABLE counterfoil.consumers IS 'Readers of the feed that keep their cursor here';
COMMENT ON COLUMN counterfoil.consumers.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.consumers.name IS 'The consumer''s name';
COMMENT ON COLUMN counterfoil.consumers.epoch IS 'The epoch of its cursor';
COMMENT ON COLUMN counterfoil.consumers.position IS 'The last position it is done with; -1 before the first';
COMMENT ON COLUMN counterfoil.consumers.created_at IS 'When it came';
COMMENT ON COLUMN counterfoil.consumers.moved_at IS 'When it last moved its cursor, or was reset';
COMMENT ON COLUMN counterfoil.consumers.lost_at IS 'Since when it is declared lost: the outbox waits for it no longer';

CREATE TABLE counterfoil.sinks (
    shop_id       text COLLATE "C" NOT NULL,
    name          text COLLATE "C" NOT NULL,
    kind          text COLLATE "C" NOT NULL,
    settings      jsonb NOT NULL,
    secrets       bytea NOT NULL,
    kek_id        text COLLATE "C" NOT NULL,
    state         text COLLATE "C" NOT NULL CHECK (state IN ('running', 'paused', 'disabled', 'lost')),
    reason        text,
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    failing_since timestamptz,
    error         text,
    PRIMARY KEY (shop_id, name)
) WITH (fillfactor = 50);
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

CREATE TABLE counterfoil.undelivered (
    shop_id   text COLLATE "C" NOT NULL,
    sink      text COLLATE "C" NOT NULL,
    position  bigint NOT NULL,
    key       text COLLATE "C" NOT NULL,
    type      text COLLATE "C" NOT NULL,
    state     text COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'dead')),
    attempts  integer NOT NULL,
    next_at   timestamptz NOT NULL,
    error     text NOT NULL,
    since     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shop_id, sink, position)
);
CREATE INDEX undelivered_waiting ON counterfoil.undelivered (shop_id, sink, next_at) WHERE state = 'waiting';
COMMENT ON TABLE counterfoil.undelivered IS 'Events that a sink has passed and not delivered: they hold back later ones of their key, and nothing else';
COMMENT ON COLUMN counterfoil.undelivered.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.undelivered.sink IS 'The sink';
COMMENT ON COLUMN counterfoil.undelivered.position IS 'The event';
COMMENT ON COLUMN counterfoil.undelivered.key IS 'The event''s key';
COMMENT ON COLUMN counterfoil.undelivered.type IS 'The event''s type';
COMMENT ON COLUMN counterfoil.undelivered.state IS 'waiting (will be tried again) or dead (a dead letter: until somebody redrives it)';
COMMENT ON COLUMN counterfoil.undelivered.attempts IS 'How often it was tried; 0: it waits behind another of its key';
COMMENT ON COLUMN counterfoil.undelivered.next_at IS 'When it is tried again, if it waits';
COMMENT ON COLUMN counterfoil.undelivered.error IS 'Why, the last time';
COMMENT ON COLUMN counterfoil.undelivered.since IS 'When it was set aside';

CREATE TABLE counterfoil.delivery_attempts (
    shop_id     text COLLATE "C" NOT NULL,
    sink        text COLLATE "C" NOT NULL,
    position    bigint NOT NULL,
    at          timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    status      integer,
    error       text,
    PRIMARY KEY (shop_id, sink, position, at)
);
COMMENT ON TABLE counterfoil.delivery_attempts IS 'Every attempt of an outgoing webhook, never changed; pruned with the outbox';
COMMENT ON COLUMN counterfoil.delivery_attempts.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.delivery_attempts.sink IS 'The sink';
COMMENT ON COLUMN counterfoil.delivery_attempts.position IS 'The event';
COMMENT ON COLUMN counterfoil.delivery_attempts.at IS 'When it was tried';
COMMENT ON COLUMN counterfoil.delivery_attempts.duration_ms IS 'How long it took';
COMMENT ON COLUMN counterfoil.delivery_attempts.status IS 'The HTTP status; null: there was no answer';
COMMENT ON COLUMN counterfoil.delivery_attempts.error IS 'Why it does not count as delivered; null: it does';

-- For people who read with SQL, and for change data capture.
CREATE VIEW counterfoil.outbox_feed WITH (security_barrier) AS
SELECT o.shop_id, o.position, o.id, e.kind, o.type, e.key, o.aggregatetype, o.aggregateid, e.at, e.cause, o.payload
FROM counterfoil.outbox AS o
JOIN counterfoil.events AS e ON e.shop_id = o.shop_id AND e.position = o.position;
COMMENT ON VIEW counterfoil.outbox_feed IS 'The outbox with what the log says of each event: read WHERE shop_id = .. AND position > .. ORDER BY position';
