-- note_uses
-- $1 shops text[]
-- $2 key ids text[]
-- At most once a minute for each, however many processes see the key.
UPDATE counterfoil.api_keys AS k SET last_used_at = statement_timestamp()
FROM (SELECT unnest($1::text[]) AS shop_id, unnest($2::text[]) AS key_id) AS u
WHERE k.shop_id = u.shop_id AND k.key_id = u.key_id
    AND (k.last_used_at IS NULL OR k.last_used_at < statement_timestamp() - interval '1 minute')
