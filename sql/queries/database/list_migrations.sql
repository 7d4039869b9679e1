-- list_migrations
SELECT version, name
FROM counterfoil.schema_history
ORDER BY version;
