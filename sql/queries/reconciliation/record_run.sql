-- record_run
-- What came of a run; an error is kept until one ends well.
-- $1 shop_id text
-- $2 error text
-- $3 confirmed bigint
-- $4 refuted bigint
-- $5 looked_up bigint
INSERT INTO counterfoil.reconciliation AS r (shop_id, ran_at, failed_at, error, confirmed, refuted, looked_up)
VALUES (
    $1, CASE WHEN $2::text IS NULL THEN statement_timestamp() END,
    CASE WHEN $2::text IS NOT NULL THEN statement_timestamp() END, $2, $3, $4, $5
)
ON CONFLICT (shop_id) DO UPDATE
SET ran_at = coalesce(excluded.ran_at, r.ran_at), failed_at = coalesce(excluded.failed_at, r.failed_at),
    error = excluded.error, confirmed = r.confirmed + excluded.confirmed, refuted = r.refuted + excluded.refuted,
    looked_up = r.looked_up + excluded.looked_up;
