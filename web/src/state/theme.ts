/** Light, dark or as the system says. Canvases read the colours again when it changes. */
import { createSignal } from "solid-js";

export type ThemeChoice = "system" | "light" | "dark";
const KEY = "sondage.theme";

const system = matchMedia("(prefers-color-scheme: dark)");
const [choice, setChoice] = createSignal<ThemeChoice>(readChoice());
const [systemDark, setSystemDark] = createSignal(system.matches);
system.addEventListener("change", (event) => {
  setSystemDark(event.matches);
});

export const themeChoice = choice;
export const isDark = (): boolean => (choice() === "system" ? systemDark() : choice() === "dark");

export function chooseTheme(next: ThemeChoice): void {
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    if (next === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // A browser that keeps nothing still shows the theme until the page is closed.
  }
  setChoice(next);
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
