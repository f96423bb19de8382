// Runs before the first paint, so that a dark page does not flash white.
(function () {
  let stored = null;
  try {
    stored = localStorage.getItem("sondage.theme");
  } catch {
    stored = null;
  }
  const chosen = stored === "light" || stored === "dark";
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = chosen ? stored : system;
})();
