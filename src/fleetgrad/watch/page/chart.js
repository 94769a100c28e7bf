// Learning curves on a canvas: one drawing of all when they change, one line over it when one is named.
"use strict";
const fleetgradChart = (canvas) => {
  const ROOM = { left: 58, right: 14, top: 12, bottom: 40 };
  const COLORS = ["#2f7fc1", "#d98a00", "#1a9a78", "#b9629a", "#56b4e9", "#7d8590"];
  const brush = canvas.getContext("2d");
  const still = document.createElement("canvas");  // all but the named one
  let curves = null, metric = null, picked = -1, size = { width: 0, height: 0, ratio: 1 };

  const empty = () => !curves || !curves.lines.length;
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const inside = () => ({ width: size.width - ROOM.left - ROOM.right, height: size.height - ROOM.top - ROOM.bottom });
  const across = (epoch) => ROOM.left + inside().width * (curves.epochs > 1 ? (epoch - 1) / (curves.epochs - 1) : 0.5);
  const down = (value) => ROOM.top + inside().height * (1 - (value - curves.range[0]) / (curves.range[1] - curves.range[0]));
  const epochAt = (line, place) => {
    const points = line.values.length;
    return points < 2 ? line.epochs : 1 + Math.round(place * (line.epochs - 1) / (points - 1));
  };

  function written(value) {
    if (metric.percent) return `${(100 * value).toFixed(2)} %`;
    return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(4);
  }

  // Round numbers, some five of them, between two ends.
  function ticks(low, high, most) {
    const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
    const found = [];
    for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(at);
    return { found, step };
  }

  function label(value, step) {
    const digits = Math.max(0, -Math.floor(Math.log10(metric.percent ? 100 * step : step) + 1e-9));
    const shown = (metric.percent ? 100 * value : value).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    return metric.percent ? `${shown} %` : shown;
  }

  function axes(on) {
    on.font = `13px ${getComputedStyle(document.body).fontFamily}`;
    on.fillStyle = color("--soft");
    on.strokeStyle = color("--grid");
    on.lineWidth = 1;
    const [low, high] = curves.range, { found, step } = ticks(low, high, 5);
    on.textAlign = "right"; on.textBaseline = "middle";
    for (const value of found) {
      const y = Math.round(down(value)) + 0.5;
      on.beginPath(); on.moveTo(ROOM.left, y); on.lineTo(size.width - ROOM.right, y); on.stroke();
      on.fillText(label(value, step), ROOM.left - 8, y);
    }
    on.textAlign = "center"; on.textBaseline = "top";
    const each = Math.max(1, Math.round(ticks(0, curves.epochs, Math.max(2, Math.floor(inside().width / 44))).step));
    const marks = [1];
    for (let epoch = each; epoch <= curves.epochs; epoch += each) if (epoch > 1) marks.push(epoch);
    for (const epoch of marks) on.fillText(epoch.toLocaleString("en"), across(epoch), size.height - ROOM.bottom + 6);
    on.fillText("epoch", ROOM.left + inside().width / 2, size.height - 16);
  }

  function trace(on, line) {
    let drawing = false;
    on.beginPath();
    line.values.forEach((value, place) => {
      if (value === null) { drawing = false; return; }
      const x = across(epochAt(line, place)), y = down(value);
      if (drawing) on.lineTo(x, y); else on.moveTo(x, y);
      drawing = true;
    });
    on.stroke();
    const last = line.values.findLastIndex((value) => value !== null);
    return [across(epochAt(line, last)), down(line.values[last])];
  }

  function dot(on, [x, y], radius) {
    on.beginPath(); on.arc(x, y, radius, 0, 2 * Math.PI); on.fill();
  }

  function cross(on, [x, y]) {
    on.beginPath();
    on.moveTo(x - 4, y - 4); on.lineTo(x + 4, y + 4); on.moveTo(x - 4, y + 4); on.lineTo(x + 4, y - 4);
    on.stroke();
  }

  function drawAll() {
    still.width = canvas.width; still.height = canvas.height;
    const on = still.getContext("2d");
    on.scale(size.ratio, size.ratio);
    axes(on);
    on.save();
    on.beginPath(); on.rect(ROOM.left - 6, ROOM.top - 6, inside().width + 12, inside().height + 12); on.clip();
    const best = curves.colored;
    for (const line of curves.lines.slice(best)) {
      const broken = line.status === "diverged";
      on.lineWidth = 1;
      on.strokeStyle = on.fillStyle = broken ? color("--diverged") : "rgba(125,133,144,0.42)";
      const end = trace(on, line);
      if (broken) cross(on, end); else dot(on, end, 2);
    }
    for (let place = best - 1; place >= 0; place--) {
      on.lineWidth = place ? 2 : 3;
      on.strokeStyle = on.fillStyle = COLORS[place];
      dot(on, trace(on, curves.lines[place]), place ? 3 : 4);
    }
    on.restore();
  }

  function show() {
    brush.setTransform(1, 0, 0, 1, 0, 0);
    brush.clearRect(0, 0, canvas.width, canvas.height);
    if (empty() || !still.width || !still.height) return;
    brush.drawImage(still, 0, 0);
    if (picked < 0) return;
    brush.scale(size.ratio, size.ratio);
    brush.strokeStyle = brush.fillStyle = color("--ink");
    brush.lineWidth = 3;
    dot(brush, trace(brush, curves.lines[picked]), 5);
  }

  function fit() {
    const area = canvas.getBoundingClientRect(), ratio = Math.min(3, devicePixelRatio || 1);
    size = { width: area.width, height: area.height, ratio };
    canvas.width = Math.round(area.width * ratio); canvas.height = Math.round(area.height * ratio);
    if (!empty()) drawAll();
    show();
  }

  function nearest(x, y) {
    let found = -1, least = 30 ** 2;
    curves.lines.forEach((line, number) => line.values.forEach((value, place) => {
      if (value === null) return;
      const far = (across(epochAt(line, place)) - x) ** 2 + (down(value) - y) ** 2;
      if (far < least) { least = far; found = number; }
    }));
    return found;
  }

  function pick(number) {
    if (number === picked) return;
    picked = number;
    show();
    canvas.dispatchEvent(new CustomEvent("picked", { detail: number < 0 ? null : named(number) }));
  }

  function named(number) {
    const line = curves.lines[number], last = line.values.findLast((value) => value !== null);
    const state = line.status === "unfinished" ? "" : `, ${line.status}`;
    return { id: line.id, text: `#${line.id}${state}: ${written(last)} after ${line.epochs === 1 ? "1 epoch" : `${line.epochs} epochs`}` };
  }

  canvas.addEventListener("pointermove", (event) => {
    if (empty()) return;
    const area = canvas.getBoundingClientRect();
    pick(nearest(event.clientX - area.left, event.clientY - area.top));
  });
  canvas.addEventListener("pointerleave", () => pick(-1));
  canvas.addEventListener("blur", () => pick(-1));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step === undefined || empty()) return;
    event.preventDefault();
    pick(Math.min(curves.lines.length - 1, Math.max(0, picked + step)));
  });
  new ResizeObserver(fit).observe(canvas);
  for (const media of ["(prefers-color-scheme: dark)", "print"]) matchMedia(media).addEventListener("change", fit);

  return {
    draw(told, by) {
      curves = told; metric = by;
      const before = picked;
      if (before >= curves.lines.length) pick(-1);
      fit();
    },
    caption() {
      if (empty()) return { text: "Nobody has a score so far.", label: "No learning curves yet." };
      const shown = curves.lines.length.toLocaleString("en"), all = curves.of.toLocaleString("en");
      const how = curves.lines.length < curves.of ? `${shown} of ${all} curves are drawn, evenly by rank.` : `${all === "1" ? "1 curve" : `${all} curves`}, all there are.`;
      const text = `Validation ${metric.title} after each epoch of the search. ${how} In color ${curves.lines[0].status === "finalist" ? "the finalists" : `the best ${curves.colored}`}; a cross where training diverged.`;
      return { text, label: `${shown} learning curves over ${curves.epochs} epochs. In front ${named(0).text}.` };
    },
  };
};
