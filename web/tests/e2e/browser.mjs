/** Starts Chromium for the journeys and the screenshots. */
import { chromium } from "playwright-core";

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

export async function launch() {
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Waits until no question is under way and the last frame is painted. */
export async function settled(page) {
  await page.waitForFunction(() => {
    const bar = document.querySelector(".progress");
    return bar !== null && !bar.classList.contains("on") && !document.querySelector(".skeleton");
  });
  await page.waitForTimeout(350);
}
