-- check_coupons
-- Uses are within the terms; held is the open holds, used is the paid orders that have not given them back, and what was used
-- before the shop moved in (imported: less what orders that were imported as paid account for). A buyer's uses are counted where the coupon limits them; by rules before 3 of every coupon, and what is left of that nobody reads.
-- $1 shop_id text
WITH claimed AS (
    SELECT c ->> 'code' AS code, o.buyer_id,
        count(*) FILTER (WHERE o.held_until IS NOT NULL) AS held,
        count(*) FILTER (WHERE o.paid_at IS NOT NULL AND NOT ('coupons' = ANY (o.given_back))) AS used
    FROM counterfoil.orders AS o
    CROSS JOIN LATERAL jsonb_array_elements(o.coupons) AS c
    WHERE o.shop_id = $1 AND 'coupons' = ANY (o.tracks)
    GROUP BY c ->> 'code', o.buyer_id
), before AS (
    SELECT m ->> 'code' AS code, m ->> 'buyer' AS buyer_id, 0 AS held, sum((m ->> 'imported')::bigint) AS used
    FROM counterfoil.events AS e
    CROSS JOIN LATERAL jsonb_array_elements(e.entry::jsonb #> '{data,coupons}') AS m
    WHERE e.shop_id = $1 AND e.kind = 'outcome'
        AND e.type IN ('coupon.imported', 'coupon.buyer_imported', 'order.imported')
        AND (e.entry::jsonb -> 'data') ? 'coupons'
    GROUP BY m ->> 'code', m ->> 'buyer'
), uses AS (
    SELECT u.code, u.buyer_id, sum(u.held) AS held, sum(u.used) AS used
    FROM (SELECT * FROM claimed UNION ALL SELECT * FROM before) AS u
    GROUP BY u.code, u.buyer_id
), limited AS (
    SELECT k.code FROM counterfoil.coupons AS k WHERE k.shop_id = $1 AND k.max_per_buyer IS NOT NULL
), wrong AS (
    SELECT coalesce(k.code, u.code) AS subject,
        format('held %s, open holds %s, used %s, in paid orders %s, at most %s',
            k.held, u.held, k.used, u.used, k.max_uses) AS detail
    FROM (SELECT * FROM counterfoil.coupons WHERE shop_id = $1) AS k
    FULL JOIN (SELECT code, sum(held) AS held, sum(used) AS used FROM uses GROUP BY code) AS u
        ON u.code = k.code
    WHERE coalesce(k.held, 0) <> coalesce(u.held, 0) OR coalesce(k.used, 0) <> coalesce(u.used, 0)
        OR k.used > k.max_uses
    UNION ALL
    SELECT coalesce(b.code, u.code) || ' of ' || coalesce(b.buyer_id, u.buyer_id),
        format('held %s, open holds %s, used %s, in paid orders %s', b.held, u.held, b.used, u.used)
    FROM (SELECT * FROM counterfoil.coupon_buyers WHERE shop_id = $1 AND code IN (SELECT code FROM limited)) AS b
    FULL JOIN (SELECT * FROM uses WHERE buyer_id IS NOT NULL AND code IN (SELECT code FROM limited)) AS u
        ON u.code = b.code AND u.buyer_id = b.buyer_id
    WHERE coalesce(b.held, 0) <> coalesce(u.held, 0) OR coalesce(b.used, 0) <> coalesce(u.used, 0)
)
SELECT w.subject, w.detail FROM wrong AS w ORDER BY w.subject;
