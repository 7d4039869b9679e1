-- read_wal_pages
-- $1 begin bigint
-- $2 end bigint
-- Whole pages in a part of the write-ahead log. What is not flushed yet cannot be read.
SELECT coalesce(sum(fpi_size), 0)::bigint AS bytes
FROM pg_get_wal_stats('0/0'::pg_lsn + $1::bigint::numeric,
    least('0/0'::pg_lsn + $2::bigint::numeric, pg_current_wal_flush_lsn()));
