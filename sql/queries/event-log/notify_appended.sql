-- notify_appended
-- $1 channel text
-- $2 shops text[]
SELECT pg_catalog.pg_notify($1, shop) FROM unnest($2::text[]) AS appended (shop)
