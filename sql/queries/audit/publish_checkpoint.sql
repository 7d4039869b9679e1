-- publish_checkpoint
-- Publishes the checkpoint of a size, if that is the latest and the last one was published long enough ago. Those before it
-- that were not published are of no use to anybody any more.
-- $1 shop_id text
-- $2 consumer text
-- $3 epoch of the lease bigint
-- $4 size bigint
-- $5 every_ms bigint
WITH led AS (
    SELECT c.shop_id FROM counterfoil.checkpoints AS c
    WHERE c.shop_id = $1 AND c.consumer = $2 AND c.epoch = $3 AND c.position = $4::bigint - 1
    FOR NO KEY UPDATE
), before AS (
    SELECT coalesce(t.published_size, 0) AS size FROM counterfoil.trees AS t WHERE t.shop_id = $1
), published AS (
    UPDATE counterfoil.trees AS t SET published_size = $4, published_at = statement_timestamp()
    FROM led
    WHERE t.shop_id = $1 AND t.shop_id = led.shop_id
        AND (t.published_size IS NULL OR t.published_size < $4)
        AND (t.published_at IS NULL OR t.published_at <= statement_timestamp() - $5::bigint * interval '1 ms')
    RETURNING t.shop_id
), marked AS (
    UPDATE counterfoil.tree_checkpoints AS c SET published_at = statement_timestamp()
    FROM published
    WHERE c.shop_id = $1 AND c.size = $4 AND c.shop_id = published.shop_id
), thinned AS (
    DELETE FROM counterfoil.tree_checkpoints AS c
    WHERE c.shop_id = $1 AND c.size > (SELECT before.size FROM before) AND c.size < $4 AND c.published_at IS NULL
        AND EXISTS (SELECT FROM published)
)
SELECT EXISTS (SELECT FROM published) OR before.size >= $4 AS is_published FROM before;
