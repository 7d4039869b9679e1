-- grow_tree
-- All that an integration stores, behind its fence: nothing is changed for one that has lost its lease, or that takes the
-- tree to be of another size. A tile that is there already gets wider.
-- $1 shop_id text
-- $2 consumer text
-- $3 epoch of the lease bigint
-- $4 lease_ms bigint
-- $5 from bigint
-- $6 to bigint
-- $7 root bytea
-- $8 epoch of the log integer
-- $9 note text
-- tiles: $10 level smallint[], $11 index bigint[], $12 width smallint[], $13 hashes bytea[]
WITH led AS (
    UPDATE counterfoil.checkpoints
    SET position = $6::bigint - 1, lease_expires_at = statement_timestamp() + $4::bigint * interval '1 ms',
        heartbeat_at = statement_timestamp(), progressed_at = statement_timestamp()
    WHERE shop_id = $1 AND consumer = $2 AND epoch = $3 AND position = $5::bigint - 1
        AND EXISTS (SELECT FROM counterfoil.trees AS t WHERE t.shop_id = $1 AND t.size = $5)
    RETURNING shop_id
), grown AS (
    UPDATE counterfoil.trees AS t SET size = $6, root = $7, error = NULL
    FROM led
    WHERE t.shop_id = $1 AND t.shop_id = led.shop_id AND t.size = $5
    RETURNING t.shop_id
), tiles AS (
    INSERT INTO counterfoil.tree_tiles AS t (shop_id, level, index, width, hashes)
    SELECT s.shop_id, r.level, r.index, r.width, r.hashes
    FROM counterfoil.shops AS s
    JOIN grown AS g ON g.shop_id = s.shop_id
    CROSS JOIN (
        SELECT unnest($10::smallint[]) AS level, unnest($11::bigint[]) AS index, unnest($12::smallint[]) AS width,
            unnest($13::bytea[]) AS hashes
    ) AS r
    WHERE s.shop_id = $1
    ON CONFLICT (shop_id, level, index) DO UPDATE SET width = excluded.width, hashes = excluded.hashes
    WHERE t.width < excluded.width
), signed AS (
    INSERT INTO counterfoil.tree_checkpoints (shop_id, size, root, epoch, note, signed_at)
    SELECT s.shop_id, $6, $7, $8::integer, $9, statement_timestamp()
    FROM counterfoil.shops AS s
    JOIN grown AS g ON g.shop_id = s.shop_id
    WHERE s.shop_id = $1
)
SELECT count(*) AS grown FROM grown;
