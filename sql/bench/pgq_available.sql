-- pgq_available
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pgq') AS is_available;
