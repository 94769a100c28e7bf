// The canvas: strokes become an image like those of training, and the network answers.
"use strict";
const fleetgradDrawing = (() => {
  const FINE = 280;  // pixels of the sheet that strokes are rendered on

  // An image of the training's size from strokes in [0, 1]: brought to the box and the middle that
  // its digits have, whatever size and place it was drawn at.
  function rendered(strokes, network) {
    const [height, width] = network.shape, frame = Math.max(height, width);
    const points = strokes.flat();
    if (!points.length) return null;
    const xs = points.map((one) => one[0]), ys = points.map((one) => one[1]);
    const left = Math.min(...xs), top = Math.min(...ys);
    const side = Math.max(Math.max(...xs) - left, Math.max(...ys) - top, 0.05);
    const box = Math.max(1, Math.round(network.fill * frame));  // pixels of the longer side
    const pen = 0.125 * FINE, room = FINE - pen;
    const sheet = document.createElement("canvas");
    sheet.width = sheet.height = FINE;
    const context = sheet.getContext("2d", { willReadFrequently: true });
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = pen;
    context.strokeStyle = "#fff";
    const at = ([x, y]) => [pen / 2 + ((x - left) / side) * room, pen / 2 + ((y - top) / side) * room];
    for (const stroke of strokes) {
      context.beginPath();
      stroke.forEach((one, place) => (place ? context.lineTo(...at(one)) : context.moveTo(...at(one))));
      if (stroke.length === 1) context.lineTo(...at(stroke[0]));
      context.stroke();
    }
    const ink = context.getImageData(0, 0, FINE, FINE).data;
    return placed(shrunk(ink, box), box, network);
  }

  // Mean ink of each field of a box x box grid: smooth edges, as scanned digits have.
  function shrunk(ink, box) {
    const sums = new Float64Array(box * box), counts = new Float64Array(box * box);
    for (let y = 0; y < FINE; y++) {
      const row = Math.floor((y * box) / FINE) * box;
      for (let x = 0; x < FINE; x++) {
        const field = row + Math.floor((x * box) / FINE);
        sums[field] += ink[4 * (y * FINE + x) + 3] / 255;
        counts[field] += 1;
      }
    }
    return sums.map((one, field) => one / counts[field]);
  }

  function placed(image, box, network) {
    const [height, width] = network.shape;
    let mass = 0, x0 = 0, y0 = 0, right = 0, bottom = 0;
    image.forEach((one, field) => {
      const x = field % box, y = Math.floor(field / box);
      mass += one; x0 += one * x; y0 += one * y;
      if (one > 0.1) { right = Math.max(right, x + 1); bottom = Math.max(bottom, y + 1); }
    });
    const middle = network.by_mass ? [x0 / mass + 0.5, y0 / mass + 0.5] : [right / 2, bottom / 2];
    const dx = Math.round(width / 2 - middle[0]), dy = Math.round(height / 2 - middle[1]);
    const pixels = new Float32Array(height * width).fill(network.dark_on_light ? network.white : 0);
    image.forEach((one, field) => {
      const x = (field % box) + dx, y = Math.floor(field / box) + dy;
      if (x < 0 || y < 0 || x >= width || y >= height) return;
      pixels[y * width + x] = network.white * (network.dark_on_light ? 1 - one : one);
    });
    return pixels;
  }

  function start(held, answer) {
    const canvas = document.getElementById("canvas"), context = canvas.getContext("2d");
    const seen = document.getElementById("seen"), said = document.getElementById("answer");
    const bars = bar_list(document.getElementById("bars"), held.classes);
    let strokes = [], stroke = null;

    const place = (event) => {
      const area = canvas.getBoundingClientRect();
      return [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height];
    };
    const ink = () => getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();

    function paint() {
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.lineCap = context.lineJoin = "round";
      context.lineWidth = canvas.width / 18;
      context.strokeStyle = ink();
      for (const one of strokes) {
        context.beginPath();
        one.forEach(([x, y], at) => context[at ? "lineTo" : "moveTo"](x * canvas.width, y * canvas.height));
        if (one.length === 1) context.lineTo(one[0][0] * canvas.width, one[0][1] * canvas.height);
        context.stroke();
      }
    }

    function show(pixels) {
      const view = seen.getContext("2d"), image = view.createImageData(seen.width, seen.height);
      for (let i = 0; i < seen.width * seen.height; i++) {
        const value = pixels ? (255 * pixels[i]) / held.white : 0;
        image.data.set([value, value, value, 255], 4 * i);
      }
      view.putImageData(image, 0, 0);
      if (!pixels) { said.textContent = "Draw, or choose an example."; bars(null); return; }
      const shares = answer(pixels);
      if (!held.classes.length) { said.textContent = shares[0].toPrecision(4); return; }
      const best = shares.indexOf(Math.max(...shares));
      said.textContent = `${held.classes[best]}, ${(100 * shares[best]).toFixed(1)} %`;
      bars(shares, best);
    }

    function redraw() { paint(); show(rendered(strokes, held)); }
    canvas.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      stroke = [place(event)];
      strokes.push(stroke);
      redraw();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!stroke) return;
      const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      for (const one of events.length ? events : [event]) stroke.push(place(one));
      redraw();
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { stroke = null; });
    document.getElementById("clear").addEventListener("click", () => { strokes = []; redraw(); });
    for (const button of document.querySelectorAll(".example")) {
      button.addEventListener("click", () => {
        strokes = [];
        paint();
        const pixels = example(button.querySelector("img"), held);
        if (pixels) { enlarge(context, canvas, button.querySelector("img")); show(pixels); }
      });
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
    show(null);
  }

  function enlarge(context, canvas, image) {
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
  }

  // The raw pixels of a picture on this page.
  function example(image, held) {
    const [height, width] = held.shape, sheet = document.createElement("canvas");
    sheet.width = width; sheet.height = height;
    const context = sheet.getContext("2d");
    context.drawImage(image, 0, 0, width, height);
    const data = context.getImageData(0, 0, width, height).data;
    return Float32Array.from({ length: height * width }, (_, i) => (data[4 * i] / 255) * held.white);
  }

  function bar_list(list, classes) {
    const rows = classes.map((name) => {
      const row = document.createElement("li"), label = document.createElement("bdi");
      const track = document.createElement("span"), bar = document.createElement("span"), share = document.createElement("span");
      label.className = "name"; label.textContent = label.title = name;
      track.className = "track"; bar.className = "bar"; share.className = "share";
      track.append(bar);
      row.append(label, track, share);
      list.append(row);
      return { row, bar, share };
    });
    return (shares, best) => rows.forEach(({ row, bar, share }, place) => {
      const own = shares ? shares[place] : 0;
      row.classList.toggle("best", shares !== null && place === best);
      bar.style.width = `${100 * own}%`;
      share.textContent = shares ? `${(100 * own).toFixed(1)} %` : "";
    });
  }

  return { rendered, start, example };
})();
