// Runs before the first paint, so that a dark page does not flash white.
(function () {
  let stored = null;
  try {
    stored = localStorage.getItem("sondage.theme");
  } catch {
    stored = null;
  }
  if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
})();
