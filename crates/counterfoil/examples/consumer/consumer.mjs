#!/usr/bin/env node
// Takes events from the feed, or as signed webhooks, each once and each key in order, and prints them, one JSON document
// a line. Needs nothing but Node.js 20.
//
// What a consumer has to do, whatever it is written in:
//
// - An event may come twice: its `id` is the same, and so are its bytes.
// - A leader that was stopped and woken again may send an event late, behind newer ones of its key. So keep the highest
//   (epoch, sequence) of each key, and drop what is not above it. Both stand in every event.
// - Keep that in the same transaction as the work that an event causes. Here it is a file of one line per key.
//
//   consumer.mjs feed http://127.0.0.1:8080 KEY [--state FILE] [--consumer NAME] [--until N]
//   consumer.mjs webhook PORT whsec_.. [--state FILE] [--until N]

import { createHmac, timingSafeEqual } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

/** The highest (epoch, sequence) that was taken of each key. */
class Latest {
  constructor(path) {
    this.path = path;
    this.highest = new Map();
    if (path && existsSync(path)) {
      for (const line of readFileSync(path, "utf8").split("\n").slice(0, -1)) {
        const [key, epoch, sequence] = JSON.parse(line);
        this.highest.set(key, [epoch, sequence]);
      }
    }
  }

  /** Whether the event is new; then it is remembered. */
  takes({ subject, epoch, sequence }) {
    const [known, last] = this.highest.get(subject) ?? [-1, -1];
    const at = [Number(epoch), Number(sequence)];
    if (at[0] < known || (at[0] === known && at[1] <= last)) return false;
    this.highest.set(subject, at);
    if (this.path) appendFileSync(this.path, JSON.stringify([subject, ...at]) + "\n");
    return true;
  }
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { state: { type: "string" }, consumer: { type: "string" }, until: { type: "string" } },
});
const latest = new Latest(values.state);
let left = values.until === undefined ? Infinity : Number(values.until);

/** What is done with an event. Here it is printed. */
function take(event) {
  if (!latest.takes(event)) {
    console.error(JSON.stringify({ dropped: event.id }));
    return;
  }
  console.log(JSON.stringify(event));
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
