// Opens exports in Chromium and prints what the page says, as JSON.
//
//   node browser.mjs speedscope FILE     each thread's sandwich table
//   node browser.mjs svg FILE [WORD]     the flame graph's titles; what its search says of WORD
import { createRequire } from 'node:module';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [what, file, word] = process.argv.slice(2);
const packages = path.join(process.env.CONSUMERS, 'npm');
const { chromium } = createRequire(packages + '/')('playwright-core');

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
    '--disable-background-networking', '--disable-component-update', '--allow-file-access-from-files'],
});
const page = await browser.newPage({ viewport: { width: 1600, height: 3000 } });
const errors = [];
const said = [];
page.on('pageerror', (error) => errors.push(String(error)));
page.on('console', (message) => {
  said.push(message.text());
  if (message.type() === 'error') errors.push(message.text());
});

/** Rows of speedscope's sandwich table: `[total, self, name]` as shown. */
const sandwich = () => page.evaluate(() =>
  [...document.querySelectorAll('table tr')]
    .map((row) => [...row.querySelectorAll('td')].map((cell) => cell.innerText.trim()))
    .filter((cells) => cells.length === 3 && /%\)$/.test(cells[0]) && /%\)$/.test(cells[1])));

async function speedscope() {
  const release = path.join(packages, 'node_modules/speedscope/dist/release');
  const script = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'speedscope-')), 'profile.js');
  const bytes = fs.readFileSync(file).toString('base64');
  fs.writeFileSync(script, `speedscope.loadFileFromBase64(${JSON.stringify(path.basename(file))}, "${bytes}")`);
  await page.goto(`${pathToFileURL(path.join(release, 'index.html'))}#localProfilePath=${script}`);
  const title = () => page.evaluate(() => /^(.*) \((\d+)\/(\d+)\)$/m.exec(document.body.innerText)?.slice(1));
  const loaded = () => page.waitForFunction(
    () => document.body.innerText.includes('Sandwich') || /something went wrong|error/i.test(document.body.innerText),
    null, { timeout: 60000 });
  await loaded();
  const threads = [];
  const count = Number((await title())?.[2] ?? 1);
  await page.keyboard.press('3');
  // From the one it chose to the first.
  for (let at = Number((await title())?.[1] ?? 1); at > 1; at -= 1) await page.keyboard.press('p');
  for (let index = 1; index <= count; index += 1) {
    await page.waitForFunction(
      (wanted) => wanted === '1/1' || document.body.innerText.includes(`(${wanted})`),
      `${index}/${count}`, { timeout: 10000 });
    await page.waitForTimeout(300);
    threads.push({ name: (await title())?.[0] ?? null, rows: await sandwich() });
    await page.keyboard.press('n');
  }
  fs.rmSync(path.dirname(script), { recursive: true });
  return { threads, said: said.filter((line) => line.startsWith('Importing as')) };
}

async function svg() {
  await page.goto(String(pathToFileURL(path.resolve(file))));
  // Title, start and width in the graph's unit, and the row.
  const frames = await page.evaluate(() => [...document.querySelectorAll('g > title')].map((title) => {
    const rect = title.parentElement.querySelector('rect');
    const number = (name) => Number(rect.getAttribute(name));
    return [title.textContent, number('fg:x'), number('fg:w'), number('y')];
  }));
  const text = await page.evaluate(() => document.documentElement.textContent.slice(0, 100000));
  let matched = null;
  if (word) {
    matched = await page.evaluate((wanted) => {
      search(wanted);
      return document.getElementById('matched')?.textContent ?? null;
    }, word);
  }
  return { frames, matched, empty: frames.length === 0 ? text.trim().slice(-300) : null };
}

try {
  const answer = await { speedscope, svg }[what]();
  await new Promise((done) => process.stdout.write(JSON.stringify({ ...answer, errors }), done));
} finally {
  await browser.close();
}
