// The stories of an operator, told to the console by a real browser; then every page is looked at by axe-core and kept as a
// picture. What the shop holds comes as JSON by standard input. It fails with the telling and the story in its message.
import { readFileSync, mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const told = JSON.parse(readFileSync(0, "utf8"));
const { chromium } = createRequire(join(told.modules, "package.json"))("playwright-core");
const axe = readFileSync(join(told.modules, "node_modules/axe-core/axe.min.js"), "utf8");

const DESK = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true };
const EN = {
  locale: "en-US", tag: "en", signIn: "Sign in", overview: "Overview", refused: "Not enough stock",
  resolved: "Resolved.", paid: "paid", redriven: "Tried again.", proven: "It is in the log",
  done: { verify: "All of it holds", replay: "As it was recorded", evidence: "Ready:" },
};
const ZH = {
  locale: "zh-CN", tag: "zh-CN", signIn: "登录", overview: "总览", refused: "库存不足",
  resolved: "已处理", paid: "已付款", redriven: "已重试", proven: "它在日志中",
  done: { verify: "全部成立", replay: "与记录一致", evidence: "已就绪" },
};
// Each language, with a script and without, on a desk and on a phone: every two of them meet.
const TELLINGS = [
  { name: "English, desk, script", words: EN, size: DESK, script: true },
  { name: "English, phone, no script", words: EN, size: PHONE, script: false },
  { name: "Chinese, phone, script", words: ZH, size: PHONE, script: true },
  { name: "Chinese, desk, no script", words: ZH, size: DESK, script: false },
];
const LOOKS = [
  { name: "desk", words: EN, size: DESK, colorScheme: "light" },
  { name: "desk-dark", words: EN, size: DESK, colorScheme: "dark" },
  { name: "phone-zh", words: ZH, size: PHONE, colorScheme: "light" },
  { name: "phone-dark-zh", words: ZH, size: PHONE, colorScheme: "dark" },
];

function fail(message) {
  throw new Error(message);
}

// A browser of somebody's own, that may ask nobody but the service.
async function open(browser, { words, size, ...rest }) {
  const context = await browser.newContext({ ...size, locale: words.locale, baseURL: told.url, ...rest });
  // A machine at work is no fault of a page's.
  context.setDefaultTimeout(120_000);
  const faults = [];
  await context.route((url) => url.origin !== told.url, (route) => {
    faults.push(`asked another host: ${route.request().url()}`);
    return route.abort();
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`a script failed: ${error}`));
  page.on("console", (message) => {
    // A page that says no is a page.
    const isRefusal = /^Failed to load resource: the server responded with a status of 4/.test(message.text());
    if (message.type() === "error" && !isRefusal) faults.push(`the browser complains: ${message.text()}`);
  });
  return { context, page, faults };
}

async function fits(page) {
  // Without its styles every page is too wide.
  await page.waitForLoadState();
  const { width } = page.viewportSize();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (wide > width) fail(`${page.url()} is ${wide} px wide on a screen of ${width} px`);
}

const sees = (page, selector, text) => page.locator(selector).filter({ hasText: text }).first().waitFor();

async function goesTo(page, href) {
  await page.locator(`#pages a[href="${href}"]`).click();
  await page.waitForURL(`**${href}`);
}

// The menus are open without a script too, and within the screen.
async function menu(page, id) {
  await page.locator(`#${id} summary`).click();
  const sheet = page.locator(`#${id} .sheet`);
  await sheet.waitFor();
  const { x, width } = await sheet.boundingBox();
  if (x < 0 || x + width > page.viewportSize().width) fail(`#${id} opens beside the screen, at ${x} px`);
  return sheet;
}

async function signIn(page, key = told.key) {
  await page.locator("#key").fill(key);
  await page.locator("form.stack button").click();
}

// Opens what is sealed of an event, and finds why it was done.
async function reads(page, position, reason) {
  await page.goto(`/console/events/${position}`);
  await page.locator("#open-reason").fill("to see why");
  await page.locator("#open-evidence button").click();
  await sees(page, "#evidence", reason);
}

const STORIES = {
  "sign in": async ({ page, words }) => {
    await page.goto("/console");
    await sees(page, "h1", words.signIn);
    await signIn(page, "cf_demo_000000000000_00");
    await page.locator("#sign-in-error").waitFor();
    await signIn(page);
    await sees(page, "h1", words.overview);
    if ((await page.locator("html").getAttribute("lang")) !== words.tag) fail("it is another language");
    if (await page.getByText(told.key).count()) fail("the key stands in a page");
  },
  "choose how pages look": async ({ page }) => {
    const sheet = await menu(page, "view-menu");
    await sheet.locator('a[href*="theme=dark"]').click();
    await page.locator('html[data-theme="dark"]').waitFor();
    await (await menu(page, "view-menu")).locator('a[href*="theme=auto"]').click();
    await page.locator('html[data-theme="auto"]').waitFor();
  },
  "find a payment by its ids at PayPal": async ({ page, words, script }) => {
    const find = page.locator("#find");
    if (script) {
      await page.waitForLoadState();
      await page.keyboard.press("/");
      await page.locator("#find:focus").waitFor();
    }
    await find.fill(told.paid.payment);
    await find.press("Enter");
    await sees(page, "#rows tr", "payment.captured");
    await sees(page, "#rows tr", told.paid.amount);
    await find.fill(told.paid.event);
    await find.press("Enter");
    await sees(page, "#event", "payment.captured");
    await sees(page, "#event", told.paid.amount);
    await sees(page, "#proof", words.proven);
  },
  "see why an order was refused": async ({ page, words }) => {
    await goesTo(page, "/console/orders");
    await page.locator("table.list a").filter({ hasText: told.refused.order }).first().click();
    await sees(page, "#why", words.refused);
    await sees(page, "#why", told.refused.sku);
    await page.locator("#advice li").first().waitFor();
    await sees(page, "#story", "order.refused");
  },
  "resolve an unmatched capture": async ({ page, words, number }) => {
    const { payment, order } = told.unmatched[number];
    const reason = `the buyer wrote to us, ${number}`;
    await goesTo(page, "/console/payments");
    await page.locator("#payments tr").filter({ hasText: payment }).locator("a.button").click();
    await page.locator("#order").fill(order);
    await page.locator("#reason").fill(reason);
    await page.locator("#resolve button").click();
    await sees(page, "#notice", words.resolved);
    const position = new URL(page.url()).searchParams.get("at");
    if (await page.locator("#payments tr").filter({ hasText: payment }).count()) fail("it is still unmatched");
    await page.goto(`/console/orders/${order}`);
    await sees(page, "#state", words.paid);
    await reads(page, position, reason);
  },
  "redrive a parked event": async ({ page, words, script, number }) => {
    const reason = `after the upgrade, ${number}`;
    await goesTo(page, "/console/parked");
    await page.locator("#f-key").fill(`sku:${told.parked[number]}`);
    await page.locator("#filters button").click();
    await page.waitForURL("**/console/parked?*");
    if (script) {
      await page.keyboard.press("j");
      await page.keyboard.press("Enter");
      await page.waitForURL("**/console/parked/*");
      await page.keyboard.press("r");
      await page.locator("#redrive-reason:focus").waitFor();
    } else {
      await page.locator("#parked tbody a").first().click();
    }
    await page.locator("#redrive-reason").fill(reason);
    await page.locator("#redrive button").click();
    await sees(page, "#notice", words.redriven);
    await reads(page, new URL(page.url()).searchParams.get("at"), reason);
  },
  "watch a callback arrive, and not while the list is looked at": async ({ page, script, number }) => {
    if (!script) return;
    const [first, second] = told.arriving.slice(2 * number);
    await page.goto("/console/events");
    await page.mouse.move(0, 0);
    await page.locator("#live:not(.paused)").waitFor();
    await deliver(first);
    await sees(page, "#rows tr", first.order);
    await page.locator("#rows tr").first().hover();
    await page.locator("#live.paused").waitFor();
    await deliver(second);
    // Twice it would have looked for more, and did not.
    await page.evaluate(() => new Promise((done) => {
      let held = 0;
      document.addEventListener("htmx:beforeRequest", (event) => {
        if (event.defaultPrevented && ++held === 2) done();
      });
    }));
    if (await page.locator("#rows tr").filter({ hasText: second.order }).count()) fail("the list moves under the pointer");
    await page.mouse.move(0, 0);
    await sees(page, "#rows tr", second.order);
  },
  "verify the log, replay it, and take its evidence home": ({ page, words, script, number }) => alone(async () => {
    await goesTo(page, "/console/log");
    for (const id of ["verify", "replay", "evidence"]) {
      if (id === "evidence" && number % 2) await page.locator("#evidence-keys").check();
      await page.locator(`#${id}-reason`).fill(`an audit, ${number}`);
      await page.locator(`#${id}-form button`).click();
      await page.locator(`#${id}-job`).waitFor();
      // A script looks again by itself.
      while (!script && (await page.locator(`#${id}-job progress`).count())) await page.reload();
      await sees(page, `#${id}-job`, words.done[id]);
    }
    await fits(page);
    const download = await downloads(page, "#evidence-job a[download]");
    await download.saveAs(join(told.bundles, `${number}.zip`));
  }),
  "take the checkpoint and a proof home": async ({ page }) => {
    if (!(await downloaded(page, "#published a[download]")).includes("— ")) fail("the checkpoint is not signed");
    await page.locator("#find").fill(told.paid.event);
    await page.locator("#find").press("Enter");
    const proof = await downloaded(page, "#proof a[download]");
    if (!proof.startsWith("c2sp.org/tlog-proof@v1\n")) fail(`that is no proof: ${proof}`);
  },
  "sign out": async ({ page, words }) => {
    await (await menu(page, "account-menu")).locator("#sign-out").click();
    await sees(page, "h1", words.signIn);
    await page.goto("/console/orders");
    await sees(page, "h1", words.signIn);
  },
};

// The service does one such thing at a time, and the tellings run side by side.
let last = Promise.resolve();
function alone(happens) {
  last = last.then(happens);
  return last;
}

async function downloads(page, selector) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(selector).click()]);
  return download;
}

async function downloaded(page, selector) {
  return readFileSync(await (await downloads(page, selector)).path(), "utf8");
}

// As PayPal does it, from elsewhere.
async function deliver({ path, headers, body }) {
  const answer = await fetch(told.url + path, { method: "POST", headers, body });
  if (!answer.ok) fail(`the callback is answered ${answer.status}`);
}

async function tellAll(browser, telling, number) {
  const { context, page, faults } = await open(browser, { ...telling, javaScriptEnabled: telling.script });
  for (const [story, happens] of Object.entries(STORIES)) {
    try {
      await happens({ page, words: telling.words, script: telling.script, number });
      await fits(page);
      if (faults.length) fail(faults.join("; "));
    } catch (error) {
      await page.screenshot({ path: join(told.screenshots, "failed.png") });
      fail(`${telling.name}: ${story}: at ${page.url()}: ${error.message}`);
    }
  }
  await context.close();
}

// Every page by a name for its picture.
function pages(positions) {
  const left = told.unmatched.at(-1);
  return {
    overview: "/console", events: "/console/events", "events-filtered": `/console/events?paypal=${told.paid.payment}`,
    "event-fact": `/console/events/${positions.fact}`, "event-outcome": `/console/events/${positions.outcome}`,
    orders: "/console/orders", "order-paid": `/console/orders/${told.paid.order}`, "order-refused": `/console/orders/${told.refused.order}`,
    payments: "/console/payments", "payments-refunds": "/console/payments?view=refunds", "payments-all": "/console/payments?view=all",
    "payment-resolve": `/console/payments/${left.payment}/resolve`, parked: "/console/parked",
    "parked-one": `/console/parked/${positions.parked}`, "parked-redrive": "/console/parked/redrive", stock: "/console/stock",
    coupons: "/console/coupons", points: "/console/points", sinks: "/console/sinks", "sink-undelivered": "/console/sinks/books",
    audit: "/console/log", settings: "/console/settings", nowhere: "/console/nowhere", found: `/console/find?q=none`,
  };
}

async function lookAtAll(browser, look) {
  // Only here, for axe-core is no script of the console's.
  const { words, size, colorScheme } = look;
  const { context, page, faults } = await open(browser, { words, size, colorScheme, reducedMotion: "reduce", bypassCSP: true });
  const judge = async (name) => {
    await page.waitForFunction(() => [...document.querySelectorAll("figure[data-chart]")].every((f) => f.querySelector("canvas")));
    await page.screenshot({ path: join(told.screenshots, `${name}-${look.name}.png`), fullPage: true });
    await fits(page);
    await page.addScriptTag({ content: axe });
    const { violations, passes } = await page.evaluate(() => axe.run(document));
    if (passes.length === 0) fail(`${name}: axe-core has looked at nothing`);
    for (const { id, impact, nodes } of violations.filter(({ impact }) => ["serious", "critical"].includes(impact))) {
      faults.push(`${impact}: ${id}: ${nodes.map((node) => `${node.target} (${node.failureSummary})`).join(", ")}`);
    }
    return faults.splice(0).map((fault) => `${look.name}: ${name}: ${fault}`);
  };
  await page.goto("/console/sign-in");
  const all = await judge("sign-in");
  await signIn(page);
  await page.locator("#pages").waitFor();
  const position = async (path, selector) => {
    await page.goto(path);
    return (await page.locator(selector).first().getAttribute("href")).split("/").at(-1);
  };
  const positions = {
    fact: await position(`/console/events?paypal=${told.paid.payment}&kind=fact`, "#rows a"),
    outcome: await position("/console/events?type=order.refused", "#rows a"),
    parked: await position("/console/parked", "#parked tbody a"),
  };
  for (const [name, path] of Object.entries(pages(positions))) {
    const answer = await page.goto(path);
    if (answer.status() !== (name === "nowhere" ? 404 : 200)) fail(`${path} is answered ${answer.status()}`);
    all.push(...(await judge(name)));
  }
  await page.goto(`/console/events/${positions.fact}`);
  await page.locator("#open-reason").fill("to see what it looks like");
  await page.locator("#open-evidence button").click();
  await page.locator("#checks").waitFor();
  all.push(...(await judge("evidence")));
  await page.goto("/console");
  await menu(page, "view-menu");
  all.push(...(await judge("menu")));
  await page.keyboard.press("Escape");
  await page.locator("#view-menu:not([open])").waitFor();
  await page.keyboard.press("?");
  await page.locator("#help[open]").waitFor();
  all.push(...(await judge("help")));
  await context.close();
  return all;
}

rmSync(told.screenshots, { recursive: true, force: true });
mkdirSync(told.screenshots, { recursive: true });
const browser = await chromium.launch({
  executablePath: told.chromium,
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});
const began = Date.now();
let failed = false;
try {
  await Promise.all(TELLINGS.map((telling, number) => tellAll(browser, telling, number)));
  console.log(`stories: ${Date.now() - began} ms`);
  const found = (await Promise.all(LOOKS.map((look) => lookAtAll(browser, look)))).flat();
  if (found.length) fail(found.join("\n"));
  console.log(`all: ${Date.now() - began} ms`);
} catch (error) {
  console.error(error.message);
  failed = true;
} finally {
  await browser.close();
}
process.exitCode = failed ? 1 : 0;
