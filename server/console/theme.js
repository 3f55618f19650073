// Light or dark, before the first paint: the choice that was made here, else that of the system.
// A classic script: a module would run after the page has shown itself in the wrong colours.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem("aegis.theme");
    } catch {
      return null; // storage is forbidden: follow the system
    }
  };
  const apply = () => {
    document.documentElement.dataset.theme = chosen() ?? (system.matches ? "dark" : "light");
  };
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
  addEventListener("aegis:theme", apply);
  apply();
})();
