-- prune_outbox
-- Some of it at a time. How far it is gone and what is gone are one.
-- $1 shop_id text
-- $2 from bigint
-- $3 through bigint
WITH pruned AS (
    INSERT INTO counterfoil.outbox_retention AS r (shop_id, pruned_through, pruned_at)
    VALUES ($1, $3, statement_timestamp())
    ON CONFLICT (shop_id) DO UPDATE
    SET pruned_through = greatest(r.pruned_through, excluded.pruned_through), pruned_at = excluded.pruned_at
)
DELETE FROM counterfoil.outbox WHERE shop_id = $1 AND position > $2 AND position <= $3;
