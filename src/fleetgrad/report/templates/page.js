// Brings the page to life: figures in the colors of the day, the leaderboard, the canvas.
"use strict";
(() => {
  const parsed = (id) => {
    const element = document.getElementById(id);
    return element ? JSON.parse(element.textContent) : null;
  };
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // What depends on light or dark: letters, the grid, and what floats above a point.
  function themed(layout) {
    const letters = layout.meta && layout.meta.ink ? "--ink" : "--soft";
    const found = { "font.color": color(letters), "hoverlabel.bgcolor": color("--card"), "hoverlabel.font.color": color("--ink"), "hoverlabel.bordercolor": color("--line") };
    for (const name of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(name)) {
        found[`${name}.gridcolor`] = color("--grid");
        found[`${name}.linecolor`] = color("--grid");
      }
    }
    return found;
  }

  const config = { displayModeBar: false, responsive: true, doubleClick: "reset" };
  const touch = matchMedia("(pointer: coarse)").matches;

  async function draw(plot) {
    const figure = parsed(plot.id.replace("plot-", "data-"));
    if (touch) figure.layout.dragmode = false;  // a finger scrolls
    const ratio = figure.layout.meta && figure.layout.meta.ratio;
    if (ratio) {
      figure.layout.height = Math.min(figure.layout.height, plot.clientWidth * ratio + 16);
      plot.style.minHeight = `${figure.layout.height}px`;
    }
    await Plotly.newPlot(plot, figure.data, figure.layout, config);
    await Plotly.relayout(plot, themed(plot.layout));
    plot.dataset.drawn = "yes";
  }

  async function drawAll() {
    for (const plot of document.querySelectorAll(".plot")) {
      await draw(plot);
      await new Promise((resolve) => setTimeout(resolve));
    }
    document.documentElement.dataset.ready = "yes";
  }

  const recolor = () => document.querySelectorAll(".plot[data-drawn]").forEach((plot) => Plotly.relayout(plot, themed(plot.layout)));
  for (const media of ["(prefers-color-scheme: dark)", "print"]) matchMedia(media).addEventListener("change", recolor);

  fleetgradBoard(parsed("data-board"));
  const held = parsed("data-network");
  if (held) {
    const answer = fleetgradNetwork(held);
    fleetgradDrawing.start(held, answer);
    globalThis.fleetgrad = { answer, rendered: (strokes) => fleetgradDrawing.rendered(strokes, held) };
  }
  drawAll();
})();
