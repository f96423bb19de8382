/**
 * Takes the pictures of the docs: `npm run screenshots -- URL OUTDIR [NAME…]`. URL is what
 * `sondage view --no-open REC` prints.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { launch, settled } from "./browser.mjs";

const [url, out, ...only] = process.argv.slice(2);
if (!url || !out) {
  console.error("usage: npm run screenshots -- URL OUTDIR [NAME…]");
  process.exit(2);
}
await mkdir(out, { recursive: true });
const browser = await launch();

/** Ids that make a picture worth looking at: the hottest function of the program's own. */
async function interesting() {
  const page = await browser.newPage();
  await page.goto(url);
  await settled(page);
  const found = await page.evaluate(async () => {
    const get = async (path) => (await fetch(`api/${path}`)).json();
    const meta = await get("meta");
    const table = await get("functions?limit=200");
    const { start, end } = meta.recordings[0].range;
    const zones = await get("zones?sort=max&limit=1");
    const site = zones.sites[0]?.site ?? null;
    const zone = site === null ? null : (await get(`instances?site=${site}&limit=1`)).zones[0];
    // Where a line was logged, something happens.
    const { time } = await get("logs?limit=10000");
    const half = (start + end) / 2;
    const own = table.own.findIndex((one) => one);
    const deep = await get("functions?sort=total&limit=200");
    const middle = deep.function.findIndex((id, i) => deep.own[i] && deep.totalWeight[i] < deep.total * 0.6);
    return {
      start,
      end,
      site,
      zone,
      logged: time.find((one) => one > half) ?? half,
      hot: table.function[Math.max(own, 0)],
      label: table.label[Math.max(own, 0)],
      middle: deep.function[Math.max(middle, 0)],
    };
  });
  await page.close();
  return found;
}

const { start, end, hot, middle, label, site, zone, logged } = await interesting();
const at = (share) => Math.round(start + (end - start) * share);
const near = (zone, times) =>
  [zone.start - zone.duration * times, zone.start + zone.duration * (times + 1)]
    .map((time) => Math.round(Math.min(Math.max(time, start), end)))
    .join("-");
const pictures = [
  { name: "flame", hash: "" },
  { name: "range", hash: `#v1?range=${at(0.25)}-${at(0.6)}&pick=${hot}` },
  { name: "zoomed", hash: `#v1?window=${at(0.4)}-${at(0.42)}&order=time` },
  { name: "search", hash: `#v1?search=${encodeURIComponent(label.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))}` },
  { name: "inverted", hash: "#v1?inverted=1&colour=self" },
  { name: "sandwich", hash: `#v1?tab=sandwich&pick=${middle}` },
  { name: "tree", hash: `#v1?tab=tree&pick=${hot}` },
  { name: "functions", hash: `#v1?tab=functions&pick=${hot}` },
  {
    name: "source",
    hash: `#v1?tab=source&pick=${hot}`,
    act: async (page) => page.locator("button", { hasText: "Hottest line" }).click(),
  },
  { name: "info", hash: "#v1?tab=info" },
  // Only of a program that says what it does.
  ...(zone
    ? [
        {
          name: "near",
          hash: `#v1?tracks=none&window=${Math.round(logged - 25e6)}-${Math.round(logged + 35e6)}`,
          timelineHeight: 560,
        },
        {
          name: "zone",
          hash: `#v1?zone=${zone.zone}&site=${site}&inside=site&window=${near(zone, 4)}`,
        },
        { name: "zones", hash: `#v1?tab=zones&site=${site}` },
        { name: "frames", hash: "#v1?tab=zones&said=frames" },
        { name: "locks", hash: "#v1?tab=zones&said=locks" },
        { name: "log", hash: "#v1?tab=log" },
      ]
    : []),
  {
    name: "palette",
    hash: "",
    act: async (page) => {
      await page.keyboard.press("Control+k");
      await page.waitForTimeout(300);
    },
  },
  { name: "keys", hash: "", act: async (page) => page.keyboard.press("?") },
  { name: "tables", hash: "#v1?table=1" },
  {
    name: "tooltip",
    hash: "",
    act: async (page) => {
      const box = await page.locator(".flame .sheet").boundingBox();
      await page.mouse.move(box.x + box.width * 0.2, box.y + 70);
    },
  },
];

for (const [width, height] of [
  [1280, 720],
  [2560, 1440],
]) {
  for (const theme of ["light", "dark"]) {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: theme,
      reducedMotion: "reduce",
    });
    for (const picture of pictures) {
      if (only.length > 0 && !only.includes(picture.name)) continue;
      const page = await context.newPage();
      page.on("console", (message) => {
        if (message.type() === "error") console.log(`${picture.name}: ${message.text()}`);
      });
      page.on("pageerror", (error) => console.log(`${picture.name}: ${error.stack}`));
      await page.addInitScript((height) => {
        if (height) localStorage.setItem("sondage.timeline-height", height);
        else localStorage.removeItem("sondage.timeline-height");
      }, picture.timelineHeight);
      await page.goto(url + picture.hash);
      await settled(page);
      await picture.act?.(page);
      await page.waitForTimeout(400);
      await page.screenshot({ path: join(out, `${picture.name}-${width}-${theme}.png`) });
      await page.close();
    }
    await context.close();
  }
}
await browser.close();
