// Pictures of `sondage top`: `npm run terminal -- PID OUTDIR [SONDAGE]`. Runs it in tmux at 80×24 and 120×36, and
// draws what stands there with the colours that it asks for.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { launch } from "./browser.mjs";

const [pid, out, sondage = "sondage"] = process.argv.slice(2);
if (!pid || !out) {
  console.error("usage: npm run terminal -- PID OUTDIR [SONDAGE]");
  process.exit(2);
}
mkdirSync(out, { recursive: true });

const SIZES = [
  [80, 24],
  [120, 36],
];
// The sixteen colours as terminals have them on black.
const PALETTE = [
  ...["#1c1c1c", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d0d4dc"],
  ...["#7f848e", "#ff8a93", "#b6e49a", "#ffd98f", "#8cc9ff", "#e09cf5", "#7fd8e4", "#ffffff"],
];

function indexed(number) {
  if (number < 16) return PALETTE[number];
  if (number >= 232) return `rgb(${Array(3).fill(8 + 10 * (number - 232))})`;
  const cube = [36, 6, 1].map((step) => Math.floor((number - 16) / step) % 6);
  return `rgb(${cube.map((level) => (level ? 55 + 40 * level : 0))})`;
}

// What a "select graphic rendition" sequence makes of the style so far.
function styled(style, codes) {
  let next = { ...style };
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    const side = { 3: "front", 9: "front", 4: "back", 10: "back" }[Math.floor(code / 10)];
    if (code === 0) next = {};
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 4) next.line = true;
    else if (code === 7) next.reverse = true;
    else if (code === 22) next.bold = next.dim = false;
    else if (code === 24) next.line = false;
    else if (code === 27) next.reverse = false;
    else if (code % 10 === 9 && side) next[side] = undefined;
    else if (code % 10 === 8 && side && codes[at + 1] === 5) {
      next[side] = indexed(codes[at + 2]);
      at += 2;
    } else if (code % 10 === 8 && side) {
      next[side] = `rgb(${codes.slice(at + 2, at + 5)})`;
      at += 4;
    } else if (side) next[side] = PALETTE[(code % 10) + (code >= 90 ? 8 : 0)];
  }
  return next;
}

function css(style) {
  const [front, back] = [style.front ?? "#d0d4dc", style.back ?? "#1c1c1c"];
  const [ink, paper] = style.reverse ? [back, front] : [front, back];
  return [
    `color:${ink};background:${paper}`,
    style.bold && "font-weight:bold",
    style.dim && "opacity:.6",
    style.line && "text-decoration:underline",
  ]
    .filter(Boolean)
    .join(";");
}

function html(text) {
  let style = {};
  const parts = text.split(/\x1b\[([\d;]*)m/);
  return parts
    .map((part, index) => {
      if (index % 2) {
        style = styled(style, (part || "0").split(";").map(Number));
        return "";
      }
      const safe = part.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
      return `<span style="${css(style)}">${safe}</span>`;
    })
    .join("");
}

const tmux = (...args) => execFileSync("tmux", ["-L", "sondage-pictures", ...args], { encoding: "utf8" });
const browser = await launch();
try {
  for (const [columns, rows] of SIZES) {
    tmux("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", rows, `${sondage} top ${pid}`);
    tmux("set", "-g", "status", "off");
    await sleep(8000);
    const text = tmux("capture-pane", "-e", "-p", "-N").replace(/\n$/, "");
    tmux("kill-server");
    const page = await browser.newPage({ deviceScaleFactor: 2 });
    await page.setContent(
      `<pre style="display:inline-block;margin:0;padding:10px;background:#1c1c1c;font:14px/17px 'DejaVu Sans Mono',monospace">${html(text)}</pre>`,
    );
    const path = join(out, `top-${columns}x${rows}.png`);
    await page.locator("pre").screenshot({ path });
    console.log(path);
  }
} finally {
  await browser.close();
}
