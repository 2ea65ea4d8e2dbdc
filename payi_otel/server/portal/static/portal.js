// Draws any figure of the page in the theme's colours; opens dialogs; nothing here knows a particular page.
(function () {
  "use strict";

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  }

  function palette() {
    return [1, 2, 3, 4, 5, 6].map(function (number) { return colour("series-" + number); });
  }

  function themed(figure) {
    var colours = palette();
    var axis = { gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line"), fixedrange: true };
    figure.data.forEach(function (trace, index) {
      var meta = trace.meta || {};
      var own = meta.tone ? colour(meta.tone) : colours[index % colours.length];
      var each = (meta.tones || []).some(Boolean)
        ? meta.tones.map(function (tone) { return tone ? colour(tone) : own; })
        : own;
      trace.marker = Object.assign({}, trace.marker, { color: each });
      if (trace.type !== "bar") {
        trace.line = Object.assign({ width: 2 }, trace.line, { color: own });
      }
    });
    var layout = figure.layout;
    layout.font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("text-soft") };
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.hoverlabel = { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("text") } };
    Object.keys(layout).forEach(function (name) {
      if (/^[xy]axis/.test(name)) {
        Object.assign(layout[name], axis);
      }
    });
    (layout.shapes || []).forEach(function (shape) {
      shape.line = Object.assign({}, shape.line, { color: colour(shape.name === "goal" ? "good" : "text-soft") });
    });
    (layout.annotations || []).forEach(function (note) {
      note.font = { color: colour(note.name === "goal" ? "good" : "text-soft"), size: 11 };
    });
    return figure;
  }

  function draw(place) {
    if (!window.Plotly) {
      return;
    }
    var figure = themed(JSON.parse(place.dataset.figure));
    if (!place.dataset.drawn) {
      place.replaceChildren();
    }
    place.dataset.drawn = "yes";
    // A responsive chart takes its place's height, which would otherwise be that of the chart.
    place.style.height = figure.layout.height + "px";
    Plotly.react(place, figure.data, figure.layout, { displayModeBar: false, responsive: true });
    place.removeAllListeners("plotly_click");
    place.on("plotly_click", function (event) {
      var point = event.points[0];
      var links = (point.data.meta || {}).links || [];
      if (links[point.pointIndex]) {
        location.href = links[point.pointIndex];
      }
    });
  }

  // One after the other, so that the first are seen before the last are drawn.
  function drawAll(places) {
    if (places.length) {
      draw(places[0]);
      setTimeout(drawAll, 0, places.slice(1));
    }
  }

  function redraw() {
    drawAll(Array.from(document.querySelectorAll("[data-figure]")));
  }

  var dialog = document.getElementById("dialog");

  document.addEventListener("htmx:after:swap", function (event) {
    drawAll(Array.from(document.querySelectorAll("[data-figure]:not([data-drawn])")));
    // A hint that arrives, or a part of the page behind, must not take the focus from who is writing.
    if (event.detail.ctx.target !== dialog) {
      return;
    }
    if (dialog.childElementCount && !dialog.open) {
      dialog.showModal();
    }
    var wrong = dialog.querySelector("[aria-invalid]");
    if (wrong) {
      wrong.focus();
    }
  });

  document.addEventListener("htmx:error", function () {
    document.getElementById("failed").hidden = false;
  });

  dialog.addEventListener("close", function () {
    dialog.replaceChildren();
  });

  document.addEventListener("click", function (event) {
    var target = event.target;
    if (target.closest("[data-close]")) {
      dialog.close();
    }
    var toggle = target.closest("[data-toggle]");
    if (toggle) {
      var open = document.querySelector(toggle.dataset.toggle).classList.toggle("open");
      toggle.setAttribute("aria-expanded", String(open));
    }
    if (target.closest("[data-theme-toggle]")) {
      var root = document.documentElement;
      var dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      try {
        localStorage.setItem("payi-theme", root.dataset.theme);
      } catch (error) {
        // It lasts as long as the page then.
      }
      redraw();
    }
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      if (!menu.contains(target) || target.closest("details.menu > div button")) {
        menu.open = false;
      }
    });
  });

  // A row's menu lies in a table that scrolls, which would cut it off: it is placed in the window instead.
  document.addEventListener("toggle", function (event) {
    var menu = event.target;
    if (menu.open && menu.matches(".row-menu")) {
      var box = menu.lastElementChild;
      var button = menu.querySelector("summary").getBoundingClientRect();
      var below = button.bottom + 4;
      var fits = below + box.offsetHeight <= innerHeight;
      box.style.left = Math.max(8, button.right - box.offsetWidth) + "px";
      box.style.top = (fits ? below : Math.max(8, button.top - box.offsetHeight - 4)) + "px";
    }
  }, true);

  document.addEventListener("scroll", function () {
    document.querySelectorAll("details.row-menu[open]").forEach(function (menu) {
      menu.open = false;
    });
  }, true);

  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") {
      document.querySelectorAll("details.menu[open]").forEach(function (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
    }
  });

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  redraw();
})();
