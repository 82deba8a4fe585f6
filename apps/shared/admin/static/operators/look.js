// What unfold's templates name in their attributes. Alpine's build for a Content-Security-Policy
// evaluates nothing: it finds names in components alone, never in the window.
document.addEventListener("alpine:init", () => {
  // From here on the class is Alpine's to give and take.
  document.documentElement.classList.remove("dark");

  const place = { location: { pathname: location.pathname, search: location.search } };
  Alpine.data("theme", (fixed) => ({ ...window.theme(fixed), window: place }));
  Alpine.data("searchForm", window.searchForm);
  Alpine.data("page", (firstTab) => ({
    activeTab: window.getCurrentTab() ?? firstTab,
    sidebarMobileOpen: false,
    sidebarDesktopOpen: Alpine.$persist(true).as("sidebarDesktopOpen"),
    toggleSidebar() {
      this.sidebarDesktopOpen = !this.sidebarDesktopOpen;
    },
  }));
});
