-- list_keys
-- $1 shop text
SELECT key_id, holder, roles, created_at, revoked_at, last_used_at, expires_at, replaced_by
FROM counterfoil.api_keys WHERE shop_id = $1 ORDER BY created_at, key_id
