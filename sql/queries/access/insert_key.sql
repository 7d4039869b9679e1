-- insert_key
-- $1 shop text
-- $2 key id text
-- $3 secret sha256 bytea
-- $4 holder text
-- $5 roles text[]
-- $6 seconds until it ends bigint
-- Inserts nothing for a shop that does not exist.
INSERT INTO counterfoil.api_keys AS k (shop_id, key_id, secret_sha256, holder, roles, created_at, expires_at)
SELECT s.shop_id, $2::text, $3::bytea, $4::text, $5::text[], statement_timestamp(),
    statement_timestamp() + make_interval(secs => $6::bigint)
FROM counterfoil.shops AS s WHERE s.shop_id = $1
RETURNING k.key_id
