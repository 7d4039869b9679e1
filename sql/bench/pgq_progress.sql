-- pgq_progress
-- How many events were put into the queue, and how many of them the consumer is done with.
SELECT (SELECT last_value FROM pgq.event_1_id_seq) AS inserted,
    (SELECT t.tick_event_seq FROM pgq.subscription AS s
        JOIN pgq.tick AS t ON t.tick_queue = s.sub_queue AND t.tick_id = s.sub_last_tick) AS consumed;
