// Runs in <head>, before the first paint: the chosen theme, or the system's.
(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      return localStorage.getItem("petplace-theme");
    } catch {
      return null;
    }
  };
  const apply = () => root.setAttribute("data-bs-theme", stored() ?? (system.matches ? "dark" : "light"));
  root.classList.replace("no-js", "js");
  apply();
  system.addEventListener("change", apply);
  window.addEventListener("storage", apply);
})();
