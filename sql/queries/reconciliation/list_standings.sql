-- list_standings
-- How far each shop is reconciled; ages by the database's clock.
SELECT r.shop_id, r.listed_through, r.error, r.listed, r.appended, r.confirmed, r.refuted, r.looked_up,
    (extract(epoch FROM clock_timestamp() - r.ran_at) * 1000)::bigint AS ran_age_ms,
    (
        SELECT count(*) FROM counterfoil.payments AS p
        WHERE p.shop_id = r.shop_id AND p.standing <> 'matched' AND p.standing = 'awaiting'
    ) AS awaiting
FROM counterfoil.reconciliation AS r
ORDER BY r.shop_id;
