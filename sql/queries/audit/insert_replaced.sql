-- insert_replaced
-- $1 shop text
-- $2 rebuild text
-- $3 model text
-- $4 tables text[]
-- $5 old text[]
-- $6 new text[]
INSERT INTO counterfoil.replaced_rows (shop_id, rebuild, n, model, table_name, old, new, at)
SELECT s.shop_id, $2, r.n - 1, $3, r.table_name, r.old::jsonb, r.new::jsonb, statement_timestamp()
FROM counterfoil.shops AS s CROSS JOIN (
    SELECT generate_subscripts($4::text[], 1) AS n, unnest($4::text[]) AS table_name, unnest($5::text[]) AS old,
        unnest($6::text[]) AS new
) AS r
WHERE s.shop_id = $1
