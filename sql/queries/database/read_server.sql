-- read_server
-- What the start-up check looks at.
SELECT
    current_setting('server_version_num')::int AS version_number,
    current_setting('server_version') AS version,
    current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS synchronous_standby_names,
    current_setting('server_encoding') AS server_encoding,
    current_setting('transaction_read_only') AS transaction_read_only,
    pg_is_in_recovery() AS in_recovery;
