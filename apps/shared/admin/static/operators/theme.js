// Runs before the page is painted, so that a dark page never flashes. look.js hands over to Alpine.
(() => {
  let chosen = "auto";
  try {
    chosen = JSON.parse(localStorage.getItem("_x_adminTheme")) ?? "auto";
  } catch {
    // Storage that is closed to us, or somebody else's word in it: as the system has it.
  }
  const dark = chosen === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
  document.documentElement.classList.toggle("dark", dark);
})();
