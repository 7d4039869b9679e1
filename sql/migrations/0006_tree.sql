-- The Merkle tree over each shop's log: how far it is, its tiles, and what the log has signed. Entries and leaf hashes are
-- not kept again: they stand in `events`.

SET LOCAL lock_timeout = '1s';

CREATE TABLE counterfoil.trees (
    shop_id        text COLLATE "C" NOT NULL PRIMARY KEY,
    size           bigint NOT NULL CHECK (size >= 0),
    root           bytea NOT NULL CHECK (octet_length(root) = 32),
    published_size bigint CHECK (published_size <= size),
    published_at   timestamptz,
    error          text
) WITH (fillfactor = 50);
COMMENT ON TABLE counterfoil.trees IS 'How far each log''s Merkle tree (RFC 6962) is; whoever has the lease of the consumer tree grows it';
COMMENT ON COLUMN counterfoil.trees.shop_id IS 'Whose log';
COMMENT ON COLUMN counterfoil.trees.size IS 'So many events are in the tree: those at positions below';
COMMENT ON COLUMN counterfoil.trees.root IS 'The root over them, SHA-256';
COMMENT ON COLUMN counterfoil.trees.published_size IS 'The size of the checkpoint that was published last';
COMMENT ON COLUMN counterfoil.trees.published_at IS 'When it was';
COMMENT ON COLUMN counterfoil.trees.error IS 'Why the tree does not grow; null: it does, or was not tried';

CREATE TABLE counterfoil.tree_tiles (
    shop_id text COLLATE "C" NOT NULL,
    level   smallint NOT NULL CHECK (level BETWEEN 0 AND 63),
    index   bigint NOT NULL CHECK (index >= 0),
    width   smallint NOT NULL CHECK (width BETWEEN 1 AND 256),
    hashes  bytea NOT NULL CHECK (octet_length(hashes) = 32 * width),
    PRIMARY KEY (shop_id, level, index)
);
-- Hashes do not get smaller.
ALTER TABLE counterfoil.tree_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
COMMENT ON TABLE counterfoil.tree_tiles IS 'The tree as tiles (c2sp.org/tlog-tiles), each as wide as it is by now: a narrower one is its beginning';
COMMENT ON COLUMN counterfoil.tree_tiles.shop_id IS 'Whose log';
COMMENT ON COLUMN counterfoil.tree_tiles.level IS '0: leaf hashes; above: roots of full tiles of the level below';
COMMENT ON COLUMN counterfoil.tree_tiles.index IS 'Which tile of the level, from the left';
COMMENT ON COLUMN counterfoil.tree_tiles.width IS 'How many hashes; with 256 it never changes again';
COMMENT ON COLUMN counterfoil.tree_tiles.hashes IS 'The hashes, 32 bytes each';

CREATE TABLE counterfoil.tree_checkpoints (
    shop_id      text COLLATE "C" NOT NULL,
    size         bigint NOT NULL CHECK (size > 0),
    root         bytea NOT NULL CHECK (octet_length(root) = 32),
    epoch        integer NOT NULL,
    note         text NOT NULL,
    signed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    PRIMARY KEY (shop_id, size)
);
COMMENT ON TABLE counterfoil.tree_checkpoints IS 'What each log has signed (c2sp.org/tlog-checkpoint), one root a size; what was not published goes when a later one is';
COMMENT ON COLUMN counterfoil.tree_checkpoints.shop_id IS 'Whose log';
COMMENT ON COLUMN counterfoil.tree_checkpoints.size IS 'The size of the tree';
COMMENT ON COLUMN counterfoil.tree_checkpoints.root IS 'Its root';
COMMENT ON COLUMN counterfoil.tree_checkpoints.epoch IS 'The epoch of the log, which its origin tells';
COMMENT ON COLUMN counterfoil.tree_checkpoints.note IS 'The signed note, byte for byte; cosignatures are added below';
COMMENT ON COLUMN counterfoil.tree_checkpoints.signed_at IS 'When it was signed';
COMMENT ON COLUMN counterfoil.tree_checkpoints.published_at IS 'When it was published; null: it was not';
