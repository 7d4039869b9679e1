-- list_distributed
SELECT c.relname::text AS name
FROM pg_catalog.pg_dist_partition AS p
JOIN pg_catalog.pg_class AS c ON c.oid = p.logicalrelid
JOIN pg_catalog.pg_class AS shops ON shops.oid = 'counterfoil.shops'::regclass AND shops.relnamespace = c.relnamespace
ORDER BY c.relname;
