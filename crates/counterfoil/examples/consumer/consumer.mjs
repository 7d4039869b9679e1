#!/usr/bin/env node
// Takes events from the feed, or as signed webhooks, each once and each key in order, and appends them to a file, one a
// line. Needs nothing but Node.js 20.
//
// What a consumer has to do, whatever it is written in:
//
// - An event may come twice: its `id` is the same, and so are its bytes.
// - A leader that was stopped and woken again may send an event late, behind newer ones of its key. So keep the highest
//   (epoch, sequence) of each key, and drop what is not above it. Both stand in every event.
// - Keep that in the same transaction as the work that an event causes, before it is acknowledged. Here the work is a line
//   in a file, and what was highest is read from that file again: one write does both.
//
//   consumer.mjs feed http://127.0.0.1:8080 KEY [--into FILE] [--consumer NAME] [--until N]
//   consumer.mjs webhook PORT whsec_.. [--into FILE] [--until N]
//
// Without --into it prints, and forgets.

import { createHmac, timingSafeEqual } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, truncateSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { into: { type: "string" }, consumer: { type: "string" }, until: { type: "string" } },
});
let left = values.until === undefined ? Infinity : Number(values.until);

/** The highest (epoch, sequence) for which the work was done, by key. */
const highest = new Map();
if (values.into && existsSync(values.into)) {
  const text = readFileSync(values.into, "utf8");
  // One that was killed in the midst of a line did not do the work.
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  truncateSync(values.into, Buffer.byteLength(whole));
  for (const line of whole.split("\n").slice(0, -1)) {
    const { subject, epoch, sequence } = JSON.parse(line);
    highest.set(subject, [Number(epoch), Number(sequence)]);
  }
}

/** What is done with an event. */
function take(event) {
  const [known, last] = highest.get(event.subject) ?? [-1, -1];
  const [epoch, sequence] = [Number(event.epoch), Number(event.sequence)];
  if (epoch < known || (epoch === known && sequence <= last)) {
    console.error(JSON.stringify({ dropped: event.id }));
    return;
  }
  const line = JSON.stringify(event) + "\n";
  if (values.into) appendFileSync(values.into, line);
  else process.stdout.write(line);
  highest.set(event.subject, [epoch, sequence]);
  left -= 1;
}

async function feed(url, key) {
  const ask = async (method, path, body) => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    return fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  };
  const consumer = `/v1/consumers/${encodeURIComponent(values.consumer ?? "example")}`;
  let answer = await ask("GET", consumer);
  if (answer.status === 404) answer = await ask("PUT", consumer, { cursor: "start" });
  let { cursor } = await answer.json();
  while (left > 0) {
    const page = await ask("GET", `/v1/feed?limit=500&timeout=20000&after=${cursor}`);
    if (!page.ok) throw new Error(JSON.stringify(await page.json()));
    (await page.json()).forEach(take);
    const behind = page.headers.get("counterfoil-cursor");
    if (behind === cursor) continue;
    // Another instance that works under this name gets a 409 here, and so would this one.
    const moved = await ask("PUT", consumer, { cursor: behind, was: cursor });
    if (!moved.ok) throw new Error(JSON.stringify(await moved.json()));
    cursor = behind;
  }
}

/** Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, one of several signatures. */
function isAuthentic(secret, headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
  return (signatures ?? "").split(" ").some((signature) => {
    const [version, value] = signature.split(",");
    const given = Buffer.from(value ?? "", "base64");
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

function webhook(port, secret) {
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const authentic = isAuthentic(secret, request.headers, body);
    if (authentic) take(JSON.parse(body));
    response.writeHead(authentic ? 204 : 401).end();
    if (left <= 0) server.close();
  });
  server.listen(Number(port), "127.0.0.1", () => console.error(JSON.stringify({ port: server.address().port })));
}

const [source, ...rest] = positionals;
const sources = { feed, webhook };
if (!sources[source]) {
  console.error("usage: consumer.mjs feed URL KEY | webhook PORT SECRET");
  process.exit(2);
}
await sources[source](...rest);
