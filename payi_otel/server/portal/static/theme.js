// Before the page is drawn: the chosen theme, and the viewer's time zone for the server.
(function () {
  "use strict";
  var chosen = null;
  try {
    chosen = localStorage.getItem("payi-theme");
  } catch (error) {
    // No storage: the system's theme it is.
  }
  if (chosen === "light" || chosen === "dark") {
    document.documentElement.dataset.theme = chosen;
  }
  var zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  if (zone && document.documentElement.dataset.zone !== zone) {
    document.cookie = "payi-zone=" + zone + "; path=/; max-age=31536000; samesite=lax";
    // Where cookies are off nothing would change.
    if (document.cookie.indexOf("payi-zone=" + zone) >= 0) {
      location.reload();
    }
  }
})();
