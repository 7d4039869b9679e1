-- grow_log
-- Settled orders behind the end of a log, each with all that the sample has left in every table: made by the service itself,
-- so that they are as it would leave them; with ids that are as random and as long.
-- $1 shop_id text
-- $2 sample text: its order
-- $3 positions bigint[]: of its events
-- $4 entries text[]: as formats of order, capture, PayPal's order, id and cause
-- $5 payloads text[]: the same of the first three
-- $6 causes bigint[]: which of its events, from 0
-- $7 at timestamptz
-- $8 first position bigint
-- $9 first number bigint
-- $10 orders bigint
-- $11 outbox from bigint: what lies before is pruned
-- $12 sku text: what each order takes one of
WITH made AS MATERIALIZED (
    SELECT $8::bigint + (g - $9::bigint) * cardinality($3::bigint[]) AS first, 'S-' || (100000000 + g) AS order_id,
        'WH-' || substr(r.event, 1, 17) || '-' || substr(r.event, 18, 17) AS event_key,
        md5('t' || g)::uuid::text AS transmission_id, substr(r.payment, 1, 17) AS capture,
        substr(r.payment, 18, 17) AS paypal_order
    FROM generate_series($9::bigint, $9::bigint + $10::bigint - 1) AS g
    -- All letters and digits, as PayPal's: among others the new ones would have pages of indexes to themselves.
    CROSS JOIN LATERAL (
        SELECT upper(translate(encode(sha256(int8send(g)), 'base64'), '+/', '09')) AS event,
            upper(translate(encode(sha256(int8send(-g - 1)), 'base64'), '+/', '09')) AS payment
    ) AS r
), sample AS MATERIALIZED (
    SELECT s.i - 1 AS i, s.position, s.entry, s.payload, s.cause, e.kind, e.type, o.aggregatetype
    FROM unnest($3::bigint[], $4::text[], $5::text[], $6::bigint[])
        WITH ORDINALITY AS s (position, entry, payload, cause, i)
    JOIN counterfoil.events AS e ON e.shop_id = $1 AND e.position = s.position
    JOIN counterfoil.outbox AS o ON o.shop_id = $1 AND o.position = s.position
), appended AS (
    INSERT INTO counterfoil.events (shop_id, position, id, kind, type, key, at, cause, entry, leaf_hash)
    SELECT $1, position, id, kind, type, key, $7, cause, entry, sha256('\x00'::bytea || convert_to(entry, 'UTF8'))
    FROM (
        SELECT e.*, format(e.pattern, e.order_id, e.capture, e.paypal_order, e.id, e.cause) AS entry
        FROM (
            SELECT m.first + s.i AS position, md5('i' || (m.first + s.i))::uuid AS id, s.kind, s.type,
                'order:' || m.order_id AS key, m.first + s.cause AS cause, s.entry AS pattern, m.order_id, m.capture,
                m.paypal_order
            FROM made AS m CROSS JOIN sample AS s
            ORDER BY m.first, s.i
        ) AS e
        OFFSET 0
    ) AS e
), announced AS (
    INSERT INTO counterfoil.outbox (shop_id, position, id, aggregatetype, aggregateid, type, payload)
    SELECT $1, m.first + s.i, md5('i' || (m.first + s.i))::uuid, s.aggregatetype, m.order_id, s.type,
        format(s.payload, m.order_id, m.capture, m.paypal_order)
    FROM made AS m CROSS JOIN sample AS s
    WHERE m.first >= $11
    ORDER BY m.first, s.i
), sealed AS (
    -- Of the sealed body a part, for the disk's sake: it is appended, and read by nobody here.
    INSERT INTO counterfoil.evidence (shop_id, position, sealed)
    SELECT $1, m.first + s.i, substr(v.sealed, 1, 200)
    FROM sample AS s
    JOIN counterfoil.evidence AS v ON v.shop_id = $1 AND v.position = s.position
    CROSS JOIN made AS m
), wrapped AS (
    INSERT INTO counterfoil.evidence_keys (shop_id, position, kek_id, wrapped_key)
    SELECT $1, m.first + s.i, k.kek_id, k.wrapped_key
    FROM sample AS s
    JOIN counterfoil.evidence_keys AS k ON k.shop_id = $1 AND k.position = s.position
    CROSS JOIN made AS m
), called_back AS (
    INSERT INTO counterfoil.callbacks (shop_id, event_key, body_mac, position)
    SELECT $1, m.event_key, c.body_mac, m.first + s.i
    FROM sample AS s
    JOIN counterfoil.callbacks AS c ON c.shop_id = $1 AND c.position = s.position
    CROSS JOIN made AS m
), transmitted AS (
    INSERT INTO counterfoil.transmissions (shop_id, transmission_id, event_key, body_mac, headers)
    SELECT $1, m.transmission_id, m.event_key, t.body_mac, t.headers
    FROM sample AS s
    JOIN counterfoil.callbacks AS c ON c.shop_id = $1 AND c.position = s.position
    JOIN counterfoil.transmissions AS t ON t.shop_id = $1 AND t.event_key = c.event_key
    CROSS JOIN made AS m
), commanded AS (
    INSERT INTO counterfoil.commands (shop_id, type, id, content_sha256, position)
    SELECT $1, c.type, replace(c.id, $2, m.order_id), c.content_sha256, m.first + s.i
    FROM sample AS s
    JOIN counterfoil.commands AS c ON c.shop_id = $1 AND c.position = s.position
    CROSS JOIN made AS m
), ordered AS (
    INSERT INTO counterfoil.orders (shop_id, order_id, currency, total_minor, state, fulfilment, reasons, refusals, flags,
        captured_minor, refunded_minor, reversed_minor, refund_due_minor, held_until, paid_at, points_revoked, given_back,
        shipped, revision, buyer_id, lines, coupons, points, paypal_order_id, ship_to, tracks, hold_s, placed_at, position,
        at)
    SELECT $1, m.order_id, o.currency, o.total_minor, o.state, o.fulfilment, o.reasons, o.refusals, o.flags,
        o.captured_minor, o.refunded_minor, o.reversed_minor, o.refund_due_minor, o.held_until, $7, o.points_revoked,
        o.given_back, o.shipped, o.revision, o.buyer_id, o.lines, o.coupons, o.points, o.paypal_order_id, o.ship_to,
        o.tracks, o.hold_s, $7, m.first + s.i, $7
    FROM counterfoil.orders AS o
    JOIN sample AS s ON s.position = o.position
    CROSS JOIN made AS m
    WHERE o.shop_id = $1 AND o.order_id = $2
), paid AS (
    INSERT INTO counterfoil.payments (shop_id, id_kind, id, kind, state, standing, order_id, other_order_id, assigned,
        paypal_order_id, authorization_id, captures, amount_minor, currency, fee_minor, net_minor, payee, is_final,
        outcome, position, at)
    SELECT $1, p.id_kind, CASE p.id_kind WHEN 'capture' THEN m.capture ELSE m.paypal_order END, p.kind, p.state,
        p.standing, m.order_id, p.other_order_id, p.assigned, CASE WHEN p.paypal_order_id IS NOT NULL THEN m.paypal_order END,
        p.authorization_id, p.captures, p.amount_minor, p.currency, p.fee_minor, p.net_minor, p.payee, p.is_final,
        p.outcome, m.first + s.i, $7
    FROM counterfoil.payments AS p
    JOIN sample AS s ON s.position = p.position
    CROSS JOIN made AS m
    WHERE p.shop_id = $1 AND p.order_id = $2
), taken AS (
    UPDATE counterfoil.stock SET settled = settled + $10, position = m.position
    FROM (SELECT max(first) + (SELECT max(cause) FROM sample) AS position FROM made) AS m
    WHERE shop_id = $1 AND sku = $12
)
UPDATE counterfoil.checkpoints SET position = m.position
FROM (SELECT max(first) + (SELECT max(cause) FROM sample) AS position FROM made) AS m
WHERE shop_id = $1 AND consumer = 'read-models';
