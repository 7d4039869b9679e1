#!/usr/bin/env node
// A shop in three steps: it sells, captures, and ships. Needs nothing but Node.js 20.
//
//   shop.mjs buy ORDER              creates the order at PayPal, places it with Counterfoil, prints where the buyer pays
//   shop.mjs capture PAYPAL_ORDER   takes the money, when the buyer has come back
//   shop.mjs ship                   reads the feed on from where it was
//
// PAYPAL_URL (https://api-m.sandbox.paypal.com), PAYPAL_CLIENT_ID, PAYPAL_SECRET; COUNTERFOIL_URL, COUNTERFOIL_KEY.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const { PAYPAL_URL = "https://api-m.sandbox.paypal.com", PAYPAL_CLIENT_ID, PAYPAL_SECRET } = process.env;
const { COUNTERFOIL_URL, COUNTERFOIL_KEY, SHOP_STATE = "shop.json" } = process.env;

async function ask(method, url, headers, body) {
  const answer = await fetch(url, { method, headers: { "content-type": "application/json", ...headers }, body });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer;
}

async function paypal(method, path, requestId, body) {
  const login = Buffer.from(`${PAYPAL_CLIENT_ID}:${PAYPAL_SECRET}`).toString("base64");
  const form = { authorization: `Basic ${login}`, "content-type": "application/x-www-form-urlencoded" };
  const token = await (await ask("POST", `${PAYPAL_URL}/v1/oauth2/token`, form, "grant_type=client_credentials")).json();
  // Whoever asks again under the same id gets the same answer, and not a second order.
  const headers = { authorization: `Bearer ${token.access_token}`, "paypal-request-id": requestId };
  return (await ask(method, PAYPAL_URL + path, headers, JSON.stringify(body))).json();
}

const counterfoil = (method, path, body) =>
  ask(method, COUNTERFOIL_URL + path, { authorization: `Bearer ${COUNTERFOIL_KEY}`, prefer: "wait=10" }, body && JSON.stringify(body));

// The order's id goes into both fields: by one of them each callback finds its order.
function createAtPaypal(order) {
  const amount = { currency_code: "USD", value: "20.00" };
  const unit = { custom_id: order, invoice_id: order, amount };
  return paypal("POST", "/v2/checkout/orders", `create-${order}`, { intent: "CAPTURE", purchase_units: [unit] });
}

// The same placement again is the same order, so whoever is not sure whether it arrived sends it again.
async function place(order, paypalOrder) {
  const placement = {
    order, paypal_order_id: paypalOrder, buyer: "b-7", currency: "USD", total_minor: 2000,
    lines: [{ sku: "tea", qty: 2, unit_minor: 1000 }],
  };
  const { outcomes } = await (await counterfoil("POST", "/v1/orders", placement)).json();
  return !outcomes.some(({ type }) => type === "order.refused");
}

// Cursor, what was heard last of each key, and the work itself are kept together: one file, put in place at once.
async function ship() {
  const start = { cursor: "start", heard: {}, orders: {} };
  const state = existsSync(SHOP_STATE) ? JSON.parse(readFileSync(SHOP_STATE, "utf8")) : start;
  for (;;) {
    const page = await counterfoil("GET", `/v1/feed?types=order.*&limit=500&after=${state.cursor}`);
    for (const event of await page.json()) take(state, event);
    const behind = page.headers.get("counterfoil-cursor");
    if (behind === state.cursor) return;
    state.cursor = behind;
    writeFileSync(`${SHOP_STATE}.new`, JSON.stringify(state));
    renameSync(`${SHOP_STATE}.new`, SHOP_STATE);
  }
}

// An event may come twice, or late, behind newer ones of its key: what is not above the last one is dropped.
function take(state, event) {
  const [epoch, sequence] = [Number(event.epoch), Number(event.sequence)];
  const [known, last] = state.heard[event.subject] ?? [-1, -1];
  if (epoch < known || (epoch === known && sequence <= last) || event.shadow) return;
  state.heard[event.subject] = [epoch, sequence];
  const { order } = event.data;
  if (!order) return;
  state.orders[order.order] = order.fulfilment;
  console.log(order.order, order.fulfilment);
}

const [step, id] = process.argv.slice(2);
if (step === "buy") {
  const created = await createAtPaypal(id);
  if (!(await place(id, created.id))) throw new Error("it cannot be had: do not send the buyer to PayPal");
  console.log(created.links.find(({ rel }) => rel === "approve").href);
} else if (step === "capture") {
  console.log((await paypal("POST", `/v2/checkout/orders/${id}/capture`, `capture-${id}`, {})).status);
} else if (step === "ship") {
  await ship();
} else {
  console.error("usage: shop.mjs buy ORDER | capture PAYPAL_ORDER | ship");
  process.exit(2);
}
