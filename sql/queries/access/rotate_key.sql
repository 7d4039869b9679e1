-- rotate_key
-- $1 shop text
-- $2 key id text
-- $3 new key id text
-- $4 new secret sha256 bytea
-- $5 seconds of overlap bigint
-- $6 seconds until the new one ends bigint
-- The old key goes on through the overlap, but never for longer than it would have. One that is revoked, has ended or was
-- rotated before is left alone, and nothing is inserted.
WITH old AS (
    UPDATE counterfoil.api_keys
    SET replaced_by = $3, expires_at = least(expires_at, statement_timestamp() + make_interval(secs => $5::bigint))
    WHERE shop_id = $1 AND key_id = $2 AND revoked_at IS NULL AND replaced_by IS NULL
        AND (expires_at IS NULL OR expires_at > statement_timestamp())
    RETURNING shop_id, holder, roles, expires_at
), new AS (
    INSERT INTO counterfoil.api_keys (shop_id, key_id, secret_sha256, holder, roles, created_at, expires_at)
    SELECT shop_id, $3::text, $4::bytea, holder, roles, statement_timestamp(),
        statement_timestamp() + make_interval(secs => $6::bigint) FROM old
)
SELECT expires_at FROM old
