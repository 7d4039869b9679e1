-- The read models: fold(outcomes). Only the relay writes them, behind its fence.
--
-- Ids are compared byte by byte (COLLATE "C"), so that pages come in the order in which every reader sorts.
-- Rows that change often leave room in their page (fillfactor) for the next version.

CREATE TABLE counterfoil.orders (
    shop_id           text COLLATE "C" NOT NULL,
    order_id          text COLLATE "C" NOT NULL,
    currency          text NOT NULL,
    total_minor       bigint NOT NULL,
    state             text NOT NULL,
    fulfilment        text NOT NULL,
    reasons           jsonb NOT NULL,
    refusals          jsonb NOT NULL,
    flags             text[] NOT NULL,
    captured_minor    bigint NOT NULL,
    refunded_minor    bigint NOT NULL,
    reversed_minor    bigint NOT NULL,
    refund_due_minor  bigint NOT NULL,
    held_until        timestamptz,
    paid_at           timestamptz,
    points_revoked    bigint NOT NULL,
    given_back        text[] NOT NULL,
    shipped           jsonb NOT NULL,
    revision          bigint,
    buyer_id          text,
    lines             jsonb,
    coupons           jsonb,
    points            jsonb,
    paypal_order_id   text,
    ship_to           text,
    tracks            text[],
    hold_s            bigint,
    placed_at         timestamptz,
    position          bigint NOT NULL,
    at                timestamptz,
    PRIMARY KEY (shop_id, order_id),
    CONSTRAINT orders_money_not_negative CHECK (
        total_minor >= 0 AND captured_minor >= 0 AND refunded_minor >= 0
        AND reversed_minor >= 0 AND refund_due_minor >= 0
    ),
    CONSTRAINT orders_reversed_is_part_of_refunded CHECK (reversed_minor <= refunded_minor),
    CONSTRAINT orders_paid_holds_nothing CHECK (paid_at IS NULL OR held_until IS NULL)
) WITH (fillfactor = 80);
-- The timer looks for holds that have run out, an adjustment for the orders that hold an article.
CREATE INDEX orders_held ON counterfoil.orders (shop_id, held_until) WHERE held_until IS NOT NULL;
CREATE INDEX orders_refund_due ON counterfoil.orders (shop_id, order_id) WHERE refund_due_minor > 0;

COMMENT ON TABLE counterfoil.orders IS 'Orders: what was agreed, what came in, may it be shipped.';
COMMENT ON COLUMN counterfoil.orders.shop_id IS 'The shop.';
COMMENT ON COLUMN counterfoil.orders.order_id IS 'The shop''s id of the order.';
COMMENT ON COLUMN counterfoil.orders.currency IS 'ISO 4217, of every amount in the row.';
COMMENT ON COLUMN counterfoil.orders.total_minor IS 'What the buyer is to pay, in minor units.';
COMMENT ON COLUMN counterfoil.orders.state IS 'Where it stands, in one word.';
COMMENT ON COLUMN counterfoil.orders.fulfilment IS 'May it be shipped: wait, ship, stop, shipped.';
COMMENT ON COLUMN counterfoil.orders.reasons IS 'Every reason against shipping: [{code, detail}].';
COMMENT ON COLUMN counterfoil.orders.refusals IS 'Why it was refused or its goods were not to be had, the last time.';
COMMENT ON COLUMN counterfoil.orders.flags IS 'The flags that are raised, by name.';
COMMENT ON COLUMN counterfoil.orders.captured_minor IS 'Counted captures and tenders, gross.';
COMMENT ON COLUMN counterfoil.orders.refunded_minor IS 'Their refunds and reversals.';
COMMENT ON COLUMN counterfoil.orders.reversed_minor IS 'The reversals among them.';
COMMENT ON COLUMN counterfoil.orders.refund_due_minor IS 'What is to be paid back.';
COMMENT ON COLUMN counterfoil.orders.held_until IS 'Until when unpaid goods are held; null: nothing is held.';
COMMENT ON COLUMN counterfoil.orders.paid_at IS 'When it was settled.';
COMMENT ON COLUMN counterfoil.orders.points_revoked IS 'Earned points that were taken back.';
COMMENT ON COLUMN counterfoil.orders.given_back IS 'What came back since: points, coupons, stock.';
COMMENT ON COLUMN counterfoil.orders.shipped IS 'What has been shipped: [{sku, qty}].';
COMMENT ON COLUMN counterfoil.orders.revision IS 'Goes up with each accepted revision; null with all that follows: nothing was agreed.';
COMMENT ON COLUMN counterfoil.orders.buyer_id IS 'Whose points and coupon uses count.';
COMMENT ON COLUMN counterfoil.orders.lines IS 'What is bought: [{sku, qty, unit_minor}].';
COMMENT ON COLUMN counterfoil.orders.coupons IS 'Coupons with what each takes off: [{code, minor}].';
COMMENT ON COLUMN counterfoil.orders.points IS 'Points spent and earned: {spend, minor, earn}.';
COMMENT ON COLUMN counterfoil.orders.paypal_order_id IS 'The order at PayPal as the shop named it.';
COMMENT ON COLUMN counterfoil.orders.ship_to IS 'The shop''s reference for where the goods go.';
COMMENT ON COLUMN counterfoil.orders.tracks IS 'What of it is held and deducted: stock, coupons, points.';
COMMENT ON COLUMN counterfoil.orders.hold_s IS 'How long a hold lasts, in seconds.';
COMMENT ON COLUMN counterfoil.orders.placed_at IS 'When it was placed or revised.';
COMMENT ON COLUMN counterfoil.orders.position IS 'The fact that changed the row last.';
COMMENT ON COLUMN counterfoil.orders.at IS 'When that was.';

CREATE TABLE counterfoil.payments (
    shop_id          text COLLATE "C" NOT NULL,
    id_kind          text COLLATE "C" NOT NULL,
    id               text COLLATE "C" NOT NULL,
    kind             text NOT NULL,
    state            text NOT NULL,
    standing         text NOT NULL,
    order_id         text COLLATE "C",
    other_order_id   text COLLATE "C",
    assigned         boolean NOT NULL,
    paypal_order_id  text COLLATE "C",
    authorization_id text COLLATE "C",
    captures         text[] NOT NULL,
    amount_minor     bigint NOT NULL,
    currency         text,
    fee_minor        bigint,
    net_minor        bigint,
    payee            text,
    is_final         boolean NOT NULL,
    outcome          text,
    position         bigint NOT NULL,
    at               timestamptz,
    PRIMARY KEY (shop_id, id_kind, id),
    CONSTRAINT payments_amount_not_negative CHECK (amount_minor >= 0)
) WITH (fillfactor = 80);
CREATE INDEX payments_of_order ON counterfoil.payments (shop_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX payments_of_paypal_order ON counterfoil.payments (shop_id, paypal_order_id)
    WHERE paypal_order_id IS NOT NULL AND kind <> 'paypal_order';
CREATE INDEX payments_of_authorization ON counterfoil.payments (shop_id, authorization_id)
    WHERE authorization_id IS NOT NULL AND kind <> 'authorization';
-- What an operator looks through: money that counts for no order, and money that is under way.
CREATE INDEX payments_set_apart ON counterfoil.payments (shop_id, id_kind, id) WHERE standing <> 'matched';
CREATE INDEX payments_pending ON counterfoil.payments (shop_id, id_kind, id) WHERE state = 'pending';

COMMENT ON TABLE counterfoil.payments IS 'Payments by their own ids, kept also while their order is unknown.';
COMMENT ON COLUMN counterfoil.payments.shop_id IS 'The shop.';
COMMENT ON COLUMN counterfoil.payments.id_kind IS 'Whose id it is: paypal_order, authorization, capture, refund, dispute.';
COMMENT ON COLUMN counterfoil.payments.id IS 'PayPal''s id, or <provider>:<payment> of another tender.';
COMMENT ON COLUMN counterfoil.payments.kind IS 'What it is; a tender has a capture''s id, a reversal a refund''s.';
COMMENT ON COLUMN counterfoil.payments.state IS 'How far it has come; it only rises.';
COMMENT ON COLUMN counterfoil.payments.standing IS 'Whether it counts for its order, and if not, why.';
COMMENT ON COLUMN counterfoil.payments.order_id IS 'The order it belongs to, named or found through its links.';
COMMENT ON COLUMN counterfoil.payments.other_order_id IS 'Another order that its ids name as well.';
COMMENT ON COLUMN counterfoil.payments.assigned IS 'An operator assigned the order.';
COMMENT ON COLUMN counterfoil.payments.paypal_order_id IS 'The PayPal order it belongs to.';
COMMENT ON COLUMN counterfoil.payments.authorization_id IS 'The authorisation it was captured from.';
COMMENT ON COLUMN counterfoil.payments.captures IS 'What a refund pays back from; what a dispute is about.';
COMMENT ON COLUMN counterfoil.payments.amount_minor IS 'Gross, in minor units.';
COMMENT ON COLUMN counterfoil.payments.currency IS 'ISO 4217; null while only others named it.';
COMMENT ON COLUMN counterfoil.payments.fee_minor IS 'PayPal''s fee, where it was told.';
COMMENT ON COLUMN counterfoil.payments.net_minor IS 'What is left, where it was told.';
COMMENT ON COLUMN counterfoil.payments.payee IS 'The merchant account that received it.';
COMMENT ON COLUMN counterfoil.payments.is_final IS 'No further capture follows.';
COMMENT ON COLUMN counterfoil.payments.outcome IS 'A dispute''s outcome code, as PayPal gave it.';
COMMENT ON COLUMN counterfoil.payments.position IS 'The fact that changed the row last.';
COMMENT ON COLUMN counterfoil.payments.at IS 'When that was.';

CREATE TABLE counterfoil.payment_captures (
    shop_id    text COLLATE "C" NOT NULL,
    capture_id text COLLATE "C" NOT NULL,
    id_kind    text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    PRIMARY KEY (shop_id, capture_id, id_kind, id)
);
COMMENT ON TABLE counterfoil.payment_captures IS 'Which refunds, reversals and disputes are about a capture: an index over payments.captures.';
COMMENT ON COLUMN counterfoil.payment_captures.shop_id IS 'The shop.';
COMMENT ON COLUMN counterfoil.payment_captures.capture_id IS 'The capture.';
COMMENT ON COLUMN counterfoil.payment_captures.id_kind IS 'refund or dispute.';
COMMENT ON COLUMN counterfoil.payment_captures.id IS 'The refund''s, reversal''s or dispute''s id.';

CREATE TABLE counterfoil.stock (
    shop_id  text COLLATE "C" NOT NULL,
    sku      text COLLATE "C" NOT NULL,
    received bigint NOT NULL,
    adjusted bigint NOT NULL,
    settled  bigint NOT NULL,
    returned bigint NOT NULL,
    held     bigint NOT NULL,
    position bigint,
    PRIMARY KEY (shop_id, sku),
    CONSTRAINT stock_on_hand_not_negative CHECK (received + adjusted - settled + returned >= 0),
    CONSTRAINT stock_held_not_negative CHECK (held >= 0)
) WITH (fillfactor = 80);
COMMENT ON TABLE counterfoil.stock IS 'Stock in pieces; on hand = received + adjusted - settled + returned.';
COMMENT ON COLUMN counterfoil.stock.shop_id IS 'The shop.';
COMMENT ON COLUMN counterfoil.stock.sku IS 'The article.';
COMMENT ON COLUMN counterfoil.stock.received IS 'Came in.';
COMMENT ON COLUMN counterfoil.stock.adjusted IS 'Found by counting, signed.';
COMMENT ON COLUMN counterfoil.stock.settled IS 'Left with paid orders.';
COMMENT ON COLUMN counterfoil.stock.returned IS 'Came back.';
COMMENT ON COLUMN counterfoil.stock.held IS 'Set aside for open orders.';
COMMENT ON COLUMN counterfoil.stock.position IS 'The fact that changed the row last.';

CREATE TABLE counterfoil.coupons (
    shop_id       text COLLATE "C" NOT NULL,
    code          text COLLATE "C" NOT NULL,
    max_uses      bigint NOT NULL,
    max_per_buyer bigint,
    valid_from    timestamptz,
    valid_until   timestamptz,
    voided        boolean NOT NULL,
    held          bigint NOT NULL,
    used          bigint NOT NULL,
    position      bigint NOT NULL,
    PRIMARY KEY (shop_id, code),
    CONSTRAINT coupons_uses_within_max CHECK (used <= max_uses),
    CONSTRAINT coupons_uses_not_negative CHECK (held >= 0 AND used >= 0)
) WITH (fillfactor = 80);
COMMENT ON TABLE counterfoil.coupons IS 'Coupons with their terms and uses.';
COMMENT ON COLUMN counterfoil.coupons.shop_id IS 'The shop.';
COMMENT ON COLUMN counterfoil.coupons.code IS 'The coupon''s code.';
COMMENT ON COLUMN counterfoil.coupons.max_uses IS 'How many orders may use it.';
COMMENT ON COLUMN counterfoil.coupons.max_per_buyer IS 'How many orders of one buyer may use it.';
COMMENT ON COLUMN counterfoil.coupons.valid_from IS 'Not before.';
COMMENT ON COLUMN counterfoil.coupons.valid_until IS 'Not from here on.';
COMMENT ON COLUMN counterfoil.coupons.voided IS 'It takes no new holds.';
COMMENT ON COLUMN counterfoil.coupons.held IS 'Set aside for open orders.';
COMMENT ON COLUMN counterfoil.coupons.used IS 'Used by paid orders.';
COMMENT ON COLUMN counterfoil.coupons.position IS 'The fact that changed the row last.';

CREATE TABLE counterfoil.coupon_buyers (
    shop_id  text COLLATE "C" NOT NULL,
    code     text COLLATE "C" NOT NULL,
    buyer_id text COLLATE "C" NOT NULL,
    held     bigint NOT NULL,
    used     bigint NOT NULL,
    PRIMARY KEY (shop_id, code, buyer_id),
    CONSTRAINT coupon_buyers_uses_not_negative CHECK (held >= 0 AND used >= 0)
) WITH (fillfactor = 80);
COMMENT ON TABLE counterfoil.coupon_buyers IS 'One buyer''s uses of one coupon.';
COMMENT ON COLUMN counterfoil.coupon_buyers.shop_id IS 'The shop.';
COMMENT ON COLUMN counterfoil.coupon_buyers.code IS 'The coupon''s code.';
COMMENT ON COLUMN counterfoil.coupon_buyers.buyer_id IS 'The buyer.';
COMMENT ON COLUMN counterfoil.coupon_buyers.held IS 'Set aside for open orders.';
COMMENT ON COLUMN counterfoil.coupon_buyers.used IS 'Used by paid orders.';

CREATE TABLE counterfoil.points (
    shop_id  text COLLATE "C" NOT NULL,
    buyer_id text COLLATE "C" NOT NULL,
    granted  bigint NOT NULL,
    earned   bigint NOT NULL,
    revoked  bigint NOT NULL,
    spent    bigint NOT NULL,
    returned bigint NOT NULL,
    expired  bigint NOT NULL,
    held     bigint NOT NULL,
    position bigint,
    PRIMARY KEY (shop_id, buyer_id),
    CONSTRAINT points_held_not_negative CHECK (held >= 0)
) WITH (fillfactor = 80);
COMMENT ON TABLE counterfoil.points IS 'Points; balance = granted + earned - revoked - spent + returned - expired, below 0 when earned ones were spent before they were revoked.';
COMMENT ON COLUMN counterfoil.points.shop_id IS 'The shop.';
COMMENT ON COLUMN counterfoil.points.buyer_id IS 'The buyer.';
COMMENT ON COLUMN counterfoil.points.granted IS 'Given by the shop.';
COMMENT ON COLUMN counterfoil.points.earned IS 'Earned by paid orders.';
COMMENT ON COLUMN counterfoil.points.revoked IS 'Earned ones taken back at refunds.';
COMMENT ON COLUMN counterfoil.points.spent IS 'Spent on paid orders.';
COMMENT ON COLUMN counterfoil.points.returned IS 'Spent ones that came back.';
COMMENT ON COLUMN counterfoil.points.expired IS 'Lapsed.';
COMMENT ON COLUMN counterfoil.points.held IS 'Set aside for open orders.';
COMMENT ON COLUMN counterfoil.points.position IS 'The fact that changed the row last.';

CREATE TABLE counterfoil.shop_settings (
    shop_id  text COLLATE "C" NOT NULL,
    settings jsonb NOT NULL,
    rules    integer NOT NULL,
    PRIMARY KEY (shop_id)
);
COMMENT ON TABLE counterfoil.shop_settings IS 'The settings and rules in force, once a fact has set them.';
COMMENT ON COLUMN counterfoil.shop_settings.shop_id IS 'The shop.';
COMMENT ON COLUMN counterfoil.shop_settings.settings IS 'As shop.configured said, whole.';
COMMENT ON COLUMN counterfoil.shop_settings.rules IS 'The version of the rules.';

CREATE TABLE counterfoil.parked (
    shop_id        text COLLATE "C" NOT NULL,
    position       bigint NOT NULL,
    group_position bigint NOT NULL,
    keys           text[] NOT NULL,
    error          text,
    parked_at      timestamptz NOT NULL,
    PRIMARY KEY (shop_id, position)
);
CREATE INDEX parked_of_group ON counterfoil.parked (shop_id, group_position);
COMMENT ON TABLE counterfoil.parked IS 'Facts that could not be decided, or wait behind one that could not.';
COMMENT ON COLUMN counterfoil.parked.shop_id IS 'The shop.';
COMMENT ON COLUMN counterfoil.parked.position IS 'The parked fact.';
COMMENT ON COLUMN counterfoil.parked.group_position IS 'The group it waits in.';
COMMENT ON COLUMN counterfoil.parked.keys IS 'The ids it names: later facts about them wait behind it.';
COMMENT ON COLUMN counterfoil.parked.error IS 'Why it could not be decided; null: it waits behind another.';
COMMENT ON COLUMN counterfoil.parked.parked_at IS 'When it was parked first.';

CREATE TABLE counterfoil.parked_groups (
    shop_id        text COLLATE "C" NOT NULL,
    group_position bigint NOT NULL,
    attempts       bigint NOT NULL,
    error          text NOT NULL,
    failed_at      timestamptz,
    PRIMARY KEY (shop_id, group_position)
);
COMMENT ON TABLE counterfoil.parked_groups IS 'Parked facts that wait together.';
COMMENT ON COLUMN counterfoil.parked_groups.shop_id IS 'The shop.';
COMMENT ON COLUMN counterfoil.parked_groups.group_position IS 'The group''s first fact.';
COMMENT ON COLUMN counterfoil.parked_groups.attempts IS 'How often it was tried again in vain.';
COMMENT ON COLUMN counterfoil.parked_groups.error IS 'Why, the last time.';
COMMENT ON COLUMN counterfoil.parked_groups.failed_at IS 'When that was.';

CREATE TABLE counterfoil.parked_keys (
    shop_id        text COLLATE "C" NOT NULL,
    key            text COLLATE "C" NOT NULL,
    group_position bigint NOT NULL,
    PRIMARY KEY (shop_id, key)
);
COMMENT ON TABLE counterfoil.parked_keys IS 'Which group an id leads into.';
COMMENT ON COLUMN counterfoil.parked_keys.shop_id IS 'The shop.';
COMMENT ON COLUMN counterfoil.parked_keys.key IS 'An id with its kind: order:1042.';
COMMENT ON COLUMN counterfoil.parked_keys.group_position IS 'The group.';
