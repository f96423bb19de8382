/** Light, dark or as the system says. Canvases read the colours again when it changes. */
import { createSignal } from "solid-js";

export type ThemeChoice = "system" | "light" | "dark";
const KEY = "sondage.theme";

const system = matchMedia("(prefers-color-scheme: dark)");
const [choice, setChoice] = createSignal<ThemeChoice>(readChoice());
const [systemDark, setSystemDark] = createSignal(system.matches);
system.addEventListener("change", (event) => {
  apply(choice(), event.matches);
  setSystemDark(event.matches);
});

export const themeChoice = choice;
export const isDark = (): boolean => (choice() === "system" ? systemDark() : choice() === "dark");

export function chooseTheme(next: ThemeChoice): void {
  apply(next, systemDark());
  try {
    if (next === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // A browser that keeps nothing still shows the theme until the page is closed.
  }
  setChoice(next);
}

/** Sets what the stylesheet goes by, as `public/theme.js` does before the first paint. */
function apply(next: ThemeChoice, dark: boolean): void {
  document.documentElement.dataset.theme = next === "system" ? (dark ? "dark" : "light") : next;
}

/** What the theme button does: the opposite of what is seen, then back to the system's. */
export function nextTheme(): void {
  const opposite: ThemeChoice = systemDark() ? "light" : "dark";
  const same: ThemeChoice = systemDark() ? "dark" : "light";
  chooseTheme(choice() === "system" ? opposite : choice() === opposite ? same : "system");
}

function readChoice(): ThemeChoice {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    return "system";
  }
}
