-- find_commands
-- $1 shop text
-- $2 types text[]
-- $3 ids text[]
SELECT c.type, c.id, c.content_sha256, c.position
FROM unnest($2::text[], $3::text[]) AS asked (type, id)
CROSS JOIN LATERAL (
    SELECT * FROM counterfoil.commands AS c
    WHERE c.shop_id = $1 AND c.type = asked.type AND c.id = asked.id OFFSET 0
) AS c
