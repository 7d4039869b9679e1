-- Who else has seen a log: witnesses, time stamps; and what came back from the published log after a restore.

SET LOCAL lock_timeout = '1s';

CREATE TABLE counterfoil.witnesses (
    shop_id text COLLATE "C" NOT NULL,
    origin  text COLLATE "C" NOT NULL,
    witness text COLLATE "C" NOT NULL,
    size    bigint NOT NULL DEFAULT 0,
    at      timestamptz,
    error   text,
    PRIMARY KEY (shop_id, origin, witness)
) WITH (fillfactor = 50);
COMMENT ON TABLE counterfoil.witnesses IS 'What each witness has seen last of a shop''s log';
COMMENT ON COLUMN counterfoil.witnesses.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.witnesses.origin IS 'The log as witnesses know it: each epoch has its own';
COMMENT ON COLUMN counterfoil.witnesses.witness IS 'The name of the witness''s key';
COMMENT ON COLUMN counterfoil.witnesses.size IS 'The size of the checkpoint that it cosigned last; 0: none yet';
COMMENT ON COLUMN counterfoil.witnesses.at IS 'When it did, by its own clock';
COMMENT ON COLUMN counterfoil.witnesses.error IS 'Why it did not, the last time; null: it did';

CREATE TABLE counterfoil.stamps (
    shop_id    text COLLATE "C" NOT NULL,
    origin     text COLLATE "C" NOT NULL,
    size       bigint NOT NULL,
    at         timestamptz NOT NULL,
    checkpoint text NOT NULL,
    response   bytea NOT NULL,
    PRIMARY KEY (shop_id, origin, size)
);
COMMENT ON TABLE counterfoil.stamps IS 'Time stamps of checkpoints (RFC 3161): they were there at that time, says a third party';
COMMENT ON COLUMN counterfoil.stamps.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.stamps.origin IS 'The log that the checkpoint is of';
COMMENT ON COLUMN counterfoil.stamps.size IS 'The size of the checkpoint';
COMMENT ON COLUMN counterfoil.stamps.at IS 'The time that the stamp says';
COMMENT ON COLUMN counterfoil.stamps.checkpoint IS 'The note, byte for byte, whose SHA-256 is stamped';
COMMENT ON COLUMN counterfoil.stamps.response IS 'The authority''s whole answer, DER';

ALTER TABLE counterfoil.shops ADD COLUMN has_reimported boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN counterfoil.shops.has_reimported IS 'There are rows of it in reimported: what is appended is looked up there too';

CREATE TABLE counterfoil.reimported (
    shop_id  text COLLATE "C" NOT NULL,
    id       uuid NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (shop_id, id)
);
COMMENT ON TABLE counterfoil.reimported IS 'Facts and notes that came back from the published log: it has not what deduplicates them, but their ids follow from that';
COMMENT ON COLUMN counterfoil.reimported.shop_id IS 'The shop';
COMMENT ON COLUMN counterfoil.reimported.id IS 'The event''s id';
COMMENT ON COLUMN counterfoil.reimported.position IS 'The event''s position';
