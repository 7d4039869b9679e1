-- read_wal_by_relation
-- $1 begin bigint
-- $2 end bigint
-- Bytes of a part of the write-ahead log by the table or index that each record is about, by its first block.
SELECT coalesce(r.relname, 'commits and others') AS name, sum(w.bytes)::bigint AS bytes
FROM (
    SELECT (regexp_match(block_ref, 'rel \d+/\d+/(\d+)'))[1]::oid AS file, sum(record_length) AS bytes
    FROM pg_get_wal_records_info('0/0'::pg_lsn + $1::bigint::numeric,
        least('0/0'::pg_lsn + $2::bigint::numeric, pg_current_wal_flush_lsn()))
    GROUP BY 1
) AS w
LEFT JOIN pg_class AS r ON r.relfilenode = w.file AND r.relnamespace = 'counterfoil'::regnamespace
GROUP BY 1
ORDER BY 2 DESC;
