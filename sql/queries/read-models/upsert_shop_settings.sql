-- upsert_shop_settings
-- $1 shop_id text
-- $2 settings text
-- $3 rules integer
INSERT INTO counterfoil.shop_settings (shop_id, settings, rules)
VALUES ($1, $2::text::jsonb, $3)
ON CONFLICT (shop_id) DO UPDATE SET settings = excluded.settings, rules = excluded.rules;
