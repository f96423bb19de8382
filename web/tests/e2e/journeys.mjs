/**
 * Journeys through the page in a real browser: `npm run e2e -- URL`, where URL is what
 * `sondage view --no-open REC` prints. Works with any recording that has a few functions.
 */
import assert from "node:assert/strict";
import { launch, settled } from "./browser.mjs";

const url = process.argv[2];
if (!url) {
  console.error("usage: npm run e2e -- http://127.0.0.1:PORT/TOKEN/");
  process.exit(2);
}
const base = new URL(url);
const browser = await launch();
const problems = [];

async function open(hash = "", options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: "light",
    ...options,
  });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !page.expectErrors)
      problems.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`page error: ${error.stack ?? error}`));
  page.on("request", (request) => {
    const to = new URL(request.url());
    if (to.protocol !== "data:" && to.hostname !== "127.0.0.1")
      problems.push(`request leaves the machine: ${request.url()}`);
  });
  await page.goto(url + hash);
  await settled(page);
  return page;
}

const api = async (page, path) => page.evaluate(async (to) => (await fetch(`api/${to}`)).json(), path);
const weight = (page) => page.locator(".weight b").innerText();
const hash = (page) => page.evaluate(() => location.hash);
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

const journeys = {
  async "a dragged range narrows everything, and can be taken back"(page) {
    const whole = await weight(page);
    const box = await page.locator(".lane-canvases").boundingBox();
    await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.45, box.y + 45, { steps: 4 });
    await page.mouse.up();
    await settled(page);
    assert.match(await hash(page), /range=\d+-\d+/);
    assert.equal(await page.locator(".chip").count(), 1);
    assert.notEqual(await weight(page), whole);
    const [, from, to] = /range=(\d+)-(\d+)/.exec(await hash(page));
    await page.keyboard.press("4");
    await settled(page);
    const table = await api(page, `functions?rec=0&from=${from}&to=${to}`);
    assert.equal(
      await page.locator(".bar .muted").first().innerText(),
      `${table.rows.toLocaleString("en-US")} function${table.rows === 1 ? "" : "s"}`,
    );
    const first = (await page.locator(".body .row").first().locator(".name").innerText()).trim();
    assert.equal(first, table.label[0]);
    await page.locator(".chip button").click();
    await settled(page);
    assert.equal(await weight(page), whole);
    await page.goBack();
    await settled(page);
    assert.equal(await page.locator(".chip").count(), 1);
  },

  async "a search counts its hits, goes through them and narrows"(page) {
    const { label, total } = await api(page, "functions?sort=total&limit=3");
    const wanted = label[label.length - 1];
    const expected = await api(page, `search?q=${encodeURIComponent(escaped(wanted))}`);
    await page.keyboard.press("/");
    await page.keyboard.type(escaped(wanted));
    await page.waitForFunction(() => /hit/.test(document.querySelector(".found")?.textContent ?? ""));
    await settled(page);
    const found = (await page.locator(".found").innerText()).replace(/\s+/g, " ");
    assert.ok(found.startsWith(`${expected.matches} hit`), `${found} against ${expected.matches}`);
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => / of /.test(document.querySelector(".found")?.textContent ?? ""));
    assert.match(await page.locator(".found").innerText(), /^\s*1\s+of\s+\d+/);
    await page.keyboard.press("Alt+Enter");
    await settled(page);
    assert.match(await hash(page), /only=1/);
    assert.ok((await api(page, `functions?search=${encodeURIComponent(escaped(wanted))}`)).total <= total);
    assert.equal(await page.locator(".chip .kind").innerText(), "match");
  },

  async "a click zooms the flame graph, and undo takes it back"(page) {
    const flame = await api(page, "flame?px=1000");
    const row = flame.depth.findIndex(
      (depth, i) => depth > 0 && flame.w[i] < flame.total * 0.95 && flame.w[i] > flame.total * 0.03,
    );
    assert.ok(row >= 0, "the recording has a frame to zoom to");
    const box = await page.locator(".flame .sheet").boundingBox();
    const x = box.x + ((flame.x[row] + flame.w[row] / 2) / flame.total) * box.width;
    const y = box.y + flame.depth[row] * 20 + 10;
    await page.mouse.click(x, y);
    await settled(page);
    assert.match(await hash(page), /zoom=/);
    const crumbs = await page.locator(".crumbs button").allInnerTexts();
    assert.equal(crumbs.at(-1), flame.names[flame.name[row]].label);
    await page.keyboard.press("Backspace");
    await settled(page);
    assert.doesNotMatch(await hash(page), /zoom=/);
    await page.keyboard.press("Control+y");
    await settled(page);
    assert.match(await hash(page), /zoom=/);
    await page.keyboard.press("Escape");
    await settled(page);
    assert.doesNotMatch(await hash(page), /zoom=/);
  },

  async "a link brings the whole view back"(page) {
    const meta = await api(page, "meta");
    const { start, end } = meta.recordings[0].range;
    const [from, to] = [Math.round(start + (end - start) * 0.2), Math.round(start + (end - start) * 0.6)];
    const { function: ids } = await api(page, "functions?limit=1");
    const busiest = [...meta.recordings[0].threads].sort((a, b) => b.weights.cpu - a.weights.cpu)[0];
    const link = `#v1?tab=tree&range=${from}-${to}&threads=${busiest.id}&pick=${ids[0]}&window=${from}-${to}`;
    const other = await open(link);
    assert.equal(await hash(other), link);
    assert.equal(await other.locator('[role="tab"][aria-selected="true"]').innerText(), "Call tree");
    assert.equal(await other.locator(".chip").count(), 2);
    assert.ok((await other.locator(".body .row").count()) > 0);
    await other.context().close();
  },

  async "everything is reached by the keyboard alone"(page) {
    await page.keyboard.press("4");
    await settled(page);
    await page.locator(".table .body").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    const name = (await page.locator(".row.current .name").innerText()).trim();
    await page.keyboard.press("Enter");
    await settled(page);
    assert.equal(await page.locator('[role="tab"][aria-selected="true"]').innerText(), "Sandwich");
    assert.equal(await page.locator(".filling h2").innerText(), name);
    await page.keyboard.press("3");
    await settled(page);
    await page.locator(".table .body").focus();
    await page.keyboard.press("Home");
    const node = page.locator(".row.current");
    for (let i = 0; i < 40 && (await node.getAttribute("aria-expanded")) === null; i++)
      await page.keyboard.press("ArrowDown");
    const [first, other] =
      (await node.getAttribute("aria-expanded")) === "true"
        ? ["ArrowLeft", "ArrowRight"]
        : ["ArrowRight", "ArrowLeft"];
    const rows = () => page.locator(".table .body").getAttribute("aria-rowcount").then(Number);
    const before = await rows();
    await page.keyboard.press(first);
    await page.waitForFunction(
      (was) => Number(document.querySelector(".table .body").getAttribute("aria-rowcount")) !== was,
      before,
    );
    assert.equal((await rows()) > before, first === "ArrowRight");
    await page.keyboard.press(other);
    await page.waitForFunction(
      (was) => Number(document.querySelector(".table .body").getAttribute("aria-rowcount")) === was,
      before,
    );
    await page.keyboard.press("Control+k");
    await page.keyboard.type("show info");
    await page.keyboard.press("Enter");
    await settled(page);
    assert.equal(await page.locator('[role="tab"][aria-selected="true"]').innerText(), "Info");
    await page.keyboard.press("?");
    assert.ok(await page.locator('[role="dialog"][aria-label="Keys"]').isVisible());
    await page.keyboard.press("Escape");
    assert.equal(await page.locator('[role="dialog"]').count(), 0);
    await page.keyboard.press("1");
    await settled(page);
    await page.locator(".flame").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    assert.match(await page.locator("[aria-live=polite]").last().innerText(), /depth \d+, total/);
    await page.keyboard.press("Enter");
    await page.keyboard.press("t");
    await settled(page);
    assert.ok((await page.locator(".table .row").count()) > 0, "the flame graph has a table behind it");
    assert.ok(
      (await page.locator(".timeline table tbody tr").count()) > 0,
      "the timeline has a table behind it",
    );
    const nameless = await page.evaluate(
      () =>
        [...document.querySelectorAll("button, input, select, [role=tab]")].filter(
          (one) =>
            !(one.textContent ?? "").trim() && !one.getAttribute("aria-label") && !one.getAttribute("title"),
        ).length,
    );
    assert.equal(nameless, 0, "every control has a name");
  },

  async "the timeline zooms, pans and fits"(page) {
    const box = await page.locator(".lane-canvases").boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + 30);
    await page.mouse.wheel(0, -600);
    await page.waitForFunction(() => location.hash.includes("window="));
    const first = /window=(\d+)-(\d+)/
      .exec(await hash(page))
      .slice(1)
      .map(Number);
    await page.keyboard.press("d");
    await page.waitForFunction((before) => !location.hash.includes(`window=${before[0]}-`), first);
    const second = /window=(\d+)-(\d+)/
      .exec(await hash(page))
      .slice(1)
      .map(Number);
    assert.ok(second[0] > first[0] && Math.abs(second[1] - second[0] - (first[1] - first[0])) <= 2);
    await page.keyboard.press("m");
    await settled(page);
    assert.match(await hash(page), /range=/);
    await page.keyboard.press("f");
    await page.waitForFunction(() => !location.hash.includes("window="));
    assert.match(await hash(page), /range=/);
  },

  async "dark and light follow the system and the button"(page) {
    const ground = (of) => of.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground(page);
    await page.emulateMedia({ colorScheme: "dark" });
    // The system tells of it with the next frame.
    await page.waitForFunction((before) => getComputedStyle(document.body).backgroundColor !== before, light);
    await page.locator('button[aria-label^="Theme"]').click();
    assert.equal(await ground(page), light);
    await page.reload();
    await settled(page);
    assert.equal(await ground(page), light, "the choice is kept");
  },

  async "nothing found and nothing answered are both explained"(page) {
    page.expectErrors = true;
    await page.keyboard.press("/");
    await page.keyboard.type("no such function anywhere");
    await settled(page);
    await page.keyboard.press("Alt+Enter");
    await page.locator(".empty h2").waitFor();
    assert.ok((await page.locator(".empty p").innerText()).length > 10);
    await page.locator(".empty button", { hasText: "Search without narrowing" }).click();
    await page.locator(".flame").waitFor();
    await page.route("**/api/flame*inverted=1*", (route) =>
      route.fulfill({
        status: 500,
        contentType: "application/json",
        body: JSON.stringify({ error: "made to fail", hint: "try once more" }),
      }),
    );
    await page.keyboard.press("Escape");
    await page.locator(".flame").focus();
    await page.keyboard.press("v");
    await page.locator(".failed").waitFor();
    assert.equal(await page.locator(".failed h2").innerText(), "made to fail");
    assert.equal(await page.locator(".failed p").innerText(), "try once more");
    await page.unroute("**/api/flame*inverted=1*");
    await page.locator(".failed button").click();
    await page.locator(".flame").waitFor();
  },

  async "source shows lines and their cost"(page) {
    const table = await api(page, "functions?limit=50");
    let id = null;
    for (const one of table.function) {
      const source = await api(page, `source?function=${one}`);
      if (source.text && source.self.some((self) => self > 0)) {
        id = one;
        break;
      }
    }
    if (id === null) {
      console.log("note  no source is kept for the hottest functions: that journey ends here");
      return;
    }
    const other = await open(`#v1?tab=source&pick=${id}`);
    const source = await api(other, `source?function=${id}`);
    await other.locator("button", { hasText: "Hottest line" }).click();
    const hottest = source.line[source.self.indexOf(Math.max(...source.self))];
    await other.waitForFunction(
      (line) =>
        [...document.querySelectorAll(".line.flash .n")].some((one) => one.textContent === String(line)),
      hottest,
    );
    await other.context().close();
  },
};

/** Of a program that says what it does: `talk` of crates/serve/examples records one. */
const zoneJourneys = {
  async "a clicked zone tells about itself, its neighbours and all of its place"(page) {
    const { zones } = await api(page, "tracks?px=1200");
    // The widest zone that is one by itself, under the first thread's states.
    const widths = zones.end.map((end, i) => (zones.zone[i] >= 0 ? end - zones.start[i] : 0));
    const at = widths.indexOf(Math.max(...widths));
    const card = await api(page, `zone?zone=${zones.zone[at]}`);
    const margin = card.zone.duration * 2;
    const from = Math.max(0, card.zone.start - margin);
    const view = await open(`#v1?window=${from}-${card.zone.start + card.zone.duration + margin}`);
    const lanes = await view.locator(".lane-canvases").boundingBox();
    const share =
      (card.zone.start + card.zone.duration / 2 - from) /
      (card.zone.duration + margin + card.zone.start - from);
    const x = lanes.x + lanes.width * share;
    const clicked = async () => {
      for (let y = lanes.y + 60; y < lanes.y + lanes.height; y += 5) {
        await view.mouse.move(x, y);
        const tip = await view
          .locator("[role=tooltip], .tooltip")
          .first()
          .innerText()
          .catch(() => "");
        if (!tip.includes("all about it") || !tip.startsWith(card.site.label)) continue;
        await view.mouse.click(x, y);
        return true;
      }
      return false;
    };
    assert.ok(await clicked(), "the zone is found under the pointer");
    await settled(view);
    assert.match(await hash(view), /zone=\d+&site=\d+/);
    const details = view.locator(".zone-details");
    assert.match(await details.innerText(), new RegExp(escaped(card.site.label)));
    const statistics = await api(view, `site?site=${card.zone.site}`);
    assert.match(
      await details.innerText(),
      new RegExp(`${statistics.figures.count.toLocaleString("en")} zone`),
    );
    const before = await hash(view);
    await view.keyboard.press(card.after === null ? "[" : "]");
    await settled(view);
    assert.notEqual(await hash(view), before);
    // A bar of the histogram leads to a zone of its duration.
    const bar = details.locator(".bar-column:not([disabled])").last();
    await bar.click();
    await settled(view);
    const [, zone] = /zone=(\d+)/.exec(await hash(view));
    const there = await api(view, `zone?zone=${zone}`);
    const last = statistics.histogram.count.findLastIndex((count) => count > 0);
    assert.ok(there.zone.duration >= statistics.histogram.from[last]);
    await view.context().close();
  },

  async "samples inside a zone are those of every view"(page) {
    const { sites } = await api(page, "zones?sort=self&limit=50");
    let site = null;
    for (const one of sites) {
      const inside = await api(page, `search?q=.&site=${one.site}`);
      if (inside.total > 0) {
        site = one;
        break;
      }
    }
    assert.ok(site, "some zone has samples inside");
    const view = await open(`#v1?site=${site.site}`);
    const whole = await weight(view);
    await view.locator(".zone-details [role=radio]", { hasText: "In every one" }).click();
    await settled(view);
    assert.match(await hash(view), /inside=site/);
    assert.notEqual(await weight(view), whole);
    assert.match(await view.locator(".chip").innerText(), new RegExp(escaped(site.label)));
    for (const tab of ["Functions", "Call tree", "Flame graph"]) {
      await view.locator("[role=tab]", { hasText: tab }).click();
      await settled(view);
    }
    await view.keyboard.press("4");
    await settled(view);
    const table = await api(view, `functions?site=${site.site}`);
    assert.match(await view.locator(".row .name").first().innerText(), new RegExp(escaped(table.label[0])));
    await view.keyboard.press("e");
    await settled(view);
    assert.doesNotMatch(await hash(view), /inside=/);
    await view.context().close();
  },

  async "zones are listed, sorted and searched by the keyboard"(page) {
    await page.keyboard.press("6");
    await settled(page);
    const table = await api(page, "zones");
    const rows = page.locator(".table .row .name");
    assert.equal(await rows.count(), table.rows);
    assert.equal((await rows.first().innerText()).trim(), table.sites[0].label);
    await page.locator("[role=columnheader] button", { hasText: "Count" }).click();
    await settled(page);
    const byCount = await api(page, "zones?sort=count");
    assert.equal((await rows.first().innerText()).trim(), byCount.sites[0].label);
    await page.locator(".table .body").focus();
    await page.keyboard.press("End");
    await settled(page);
    assert.match(await hash(page), new RegExp(`site=${byCount.sites.at(-1).site}(&|$)`));
    await page.keyboard.press("/");
    await page.keyboard.type(`^${escaped(byCount.sites[0].label)}`);
    await settled(page);
    await page.waitForTimeout(300);
    assert.match(await page.locator("#search-found").innerText(), /zone/);
    assert.ok((await rows.count()) < table.rows);
    await page.keyboard.press("Escape");
    await page.keyboard.press("t");
    await settled(page);
    assert.ok((await page.locator(".timeline table").last().locator("tbody tr").count()) > 0);
  },

  async "frames, locks and log lines have their tables"(page) {
    const program = (await api(page, "meta")).recordings[0].program;
    await page.locator("[role=tab]", { hasText: "Log" }).click();
    await settled(page);
    const logs = await api(page, "logs");
    if (program.logs === 0) assert.match(await page.locator(".empty").innerText(), /sondage\.message/);
    else
      assert.match(
        await page.locator(".row").first().innerText(),
        new RegExp(escaped(logs.text[0].slice(0, 20))),
      );
    await page.locator("[role=tab]", { hasText: "Zones" }).click();
    for (const [name, there] of [
      ["Frames", program.frames > 0],
      ["Locks", program.locks > 0],
    ]) {
      await page.locator(".segment [role=radio]", { hasText: name }).click();
      await settled(page);
      assert.equal((await page.locator(".card").count()) > 0, there);
      assert.equal((await page.locator(".empty").count()) > 0, !there);
    }
  },
};

/** Of a program that says nothing. */
const silentJourneys = {
  async "a program without zones is told how to have some"(page) {
    await page.keyboard.press("6");
    await settled(page);
    assert.match(await page.locator(".empty").innerText(), /profiler\.span\(/);
    for (const [name, probe] of [
      ["Frames", /frame_mark/],
      ["Locks", /sondage\.Lock|patch_threading/],
    ]) {
      await page.locator(".segment [role=radio]", { hasText: name }).click();
      await settled(page);
      assert.match(await page.locator(".empty").innerText(), probe);
    }
    await page.keyboard.press("7");
    await settled(page);
    assert.match(await page.locator(".empty").innerText(), /sondage\.message/);
    // Nothing of zones is in the timeline, and none of their places in what the page asks for.
    const { zones, lanes } = await api(page, "tracks?px=1200");
    assert.deepEqual([zones.start, lanes.thread], [[], []]);
  },
};

const first = await open();
const speaks = (await api(first, "meta")).recordings[0].program.zones > 0;
await first.context().close();
Object.assign(journeys, speaks ? zoneJourneys : silentJourneys);

let failed = 0;
for (const [name, journey] of Object.entries(journeys)) {
  const page = await open();
  try {
    await journey(page);
    console.log(`ok    ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}\n${error.stack}`);
    await page.screenshot({ path: `/tmp/sondage-e2e-${failed}.png` });
  }
  await page.context().close();
}
await browser.close();
for (const problem of problems) console.log(`FAIL  ${problem}`);
console.log(
  failed + problems.length === 0
    ? `all ${Object.keys(journeys).length} journeys at ${base.host}`
    : `${failed} journeys failed, ${problems.length} problems`,
);
process.exit(failed + problems.length === 0 ? 0 : 1);
