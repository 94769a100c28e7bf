// Follows a study: puts down what the server tells, counts the seconds in between, and asks it to stop.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const token = location.hash.slice(1);  // never sent but with a request to stop
  const chart = fleetgradChart($("chart"));
  const LINKS = { connecting: "connecting", live: "live", lost: "not connected", over: "ended" };
  let now = null, record = null, heard = 0, source = null, asked = false;

  // Text is only ever put down as text: names may hold anything.
  function put(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function made(name, text, className) {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  }

  function duration(seconds) {
    if (seconds < 59.5) return `${Math.round(seconds)} s`;
    const all = Math.round(seconds), hours = Math.floor(all / 3600), minutes = Math.floor(all / 60) % 60;
    if (hours >= 24) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
    return hours ? `${hours} h ${minutes} min` : `${minutes} min ${all % 60} s`;
  }

  function link(state) {
    document.body.dataset.link = state;
    put($("link"), state === "live" && now && now.state !== "running" ? "connected" : LINKS[state]);
  }

  function tick() {
    if (!now || now.clock.elapsed === null) { $("time").hidden = true; return; }
    $("time").hidden = false;
    const clock = now.clock, live = now.state === "running" && document.body.dataset.link === "live";
    const since = live ? (performance.now() - heard) / 1000 : 0;
    const elapsed = clock.elapsed + since, bar = $("progress");
    let words = now.state === "running" ? `${duration(elapsed)} gone` : `${now.state === "stopped" ? "so far" : "took"} ${duration(elapsed)}`, share = clock.share;
    if (now.state === "running" && clock.left !== null) {
      const left = Math.max(0, clock.left - since);
      words += clock.exact ? ` · at most ${duration(left)} left` : ` · about ${duration(left)} left`;
      if (clock.exact) share = elapsed / Math.max(elapsed + left, 1e-9);
    }
    put($("clock"), words);
    if (share === null || share === undefined) bar.removeAttribute("value"); else bar.value = share;
  }

  // Rows are reused: only what is new is put down, so nothing flickers or loses its focus.
  function tiles(told) {
    const place = $("tiles");
    while (place.children.length > told.length) place.lastChild.remove();
    told.forEach((tile, number) => {
      let box = place.children[number];
      if (!box) {
        box = made("div");
        box.append(made("dt"), made("dd", "", "figure"), made("dd", "", "note"));
        place.append(box);
      }
      [tile.label, tile.figure, tile.note].forEach((text, at) => put(box.children[at], text));
    });
  }

  function counts(told) {
    const all = Object.values(told).reduce((sum, one) => sum + one, 0);
    $("fleet").hidden = !all;
    const bars = [], words = [];
    for (const [name, number] of Object.entries(told)) {
      if (!number && name !== "diverged" && name !== "training") continue;
      const bar = made("div", undefined, `of-${name}`);
      bar.style.width = `${100 * number / Math.max(1, all)}%`;
      if (number) bars.push(bar);
      const box = made("div", undefined, `of-${name}`);
      box.append(made("dt", name), made("dd", number.toLocaleString("en")));
      words.push(box);
    }
    $("shares").replaceChildren(...bars);
    $("counts").replaceChildren(...words);
  }

  function commands(told) {
    const rows = told.map(([what, command]) => {
      const box = made("div"), held = made("dd");
      held.append(made("code", command));
      box.append(made("dt", what), held);
      return box;
    });
    $("commands").replaceChildren(...rows);
    $("next").hidden = !told.length;
  }

  function actions() {
    const over = document.body.dataset.link === "over" || document.body.dataset.link === "lost";
    $("report").hidden = over || !now.report || now.state === "running";
    $("stop").hidden = over || now.state !== "running";
    $("stop").disabled = asked || !token;
    if (!token && now.state === "running") put($("told"), "To stop the study from here, open the whole address that the command printed.");
    else if (!asked && !$("told").dataset.refused) put($("told"), "");
    $("actions").hidden = $("report").hidden && $("stop").hidden && !$("told").textContent;
  }

  function board(leaders, all, leads) {
    const head = made("tr");
    leaders.columns.forEach((name, at) => {
      const cell = made("th", name, at < leaders.numbers ? "number" : "");
      cell.scope = "col";
      head.append(cell);
    });
    const rows = leaders.rows.map((cells, number) => {
      const row = made("tr", undefined, number === 0 && leads ? "winner" : "");
      row.dataset.id = cells[1].slice(1);
      cells.forEach((text, at) => {
        const cell = made("td", undefined, at < leaders.numbers ? "number" : "");
        cell.append(made("bdi", text));
        row.append(cell);
      });
      return row;
    });
    $("board").tHead.replaceChildren(head);
    $("board").tBodies[0].replaceChildren(...rows);
    $("leaders").hidden = !rows.length;
    const more = all - rows.length;
    put($("others"), more > 0 ? `and ${more.toLocaleString("en")} more` : "");
  }

  function showNow(told) {
    const before = now && now.state;
    now = told;
    heard = performance.now() - 1000 * told.age;
    document.body.dataset.state = told.state;
    if (before !== told.state) { asked = false; delete $("told").dataset.refused; }
    if (told.name) put($("name").firstChild, told.name);
    put($("headline"), told.headline);
    put($("spoken"), told.spoken || told.headline);
    tiles(told.tiles);
    counts(told.counts);
    commands(told.commands);
    link("live");
    actions();
    tick();
  }

  function showRecord(told) {
    record = told;
    $("curves").hidden = $("leaders").hidden = !told;
    if (!told) return;
    put($("name").firstChild, told.name);
    document.title = `${told.name}: live`;
    put($("where"), `The study lies in ${told.run}.`);
    put($("resume"), told.resume);
    $("figure").hidden = !told.curves.lines.length;
    $("none").hidden = !$("figure").hidden;
    chart.draw(told.curves, told.metric);
    const words = chart.caption();
    put($("caption"), words.text);
    $("chart").setAttribute("aria-label", words.label);
    board(told.leaders, told.candidates, told.leads);
  }

  function lost(text, state) {
    link(state);
    put($("lost"), text);
    $("lost").hidden = false;
    if (now) { actions(); tick(); }
  }

  function follow() {
    source = new EventSource("/events");
    source.addEventListener("open", () => { $("lost").hidden = true; link("live"); });
    source.addEventListener("record", (event) => showRecord(JSON.parse(event.data)));
    source.addEventListener("now", (event) => { showNow(JSON.parse(event.data)); document.documentElement.dataset.ready = "yes"; });
    source.addEventListener("end", () => {
      const again = record ? record.watch : "fleetgrad watch DIR";
      lost(`The command that served this page has ended. What was seen last stays; to look on: ${again}`, "over");
    });
    source.addEventListener("error", () => {
      if (document.body.dataset.link !== "over") lost("The server does not answer. This page goes on by itself as soon as it does.", "lost");
      if (source.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
    });
  }

  async function stop() {
    $("sure").close();
    asked = true;
    actions();
    put($("told"), "Asked to stop …");
    let refused = "";
    try {
      const answer = await fetch("/stop", { method: "POST", headers: { "X-Fleetgrad-Token": token } });
      if (answer.status === 409) refused = (await answer.json()).error;
      else if (!answer.ok) refused = await answer.text();
    } catch {
      refused = "The server does not answer.";
    }
    if (refused) {
      asked = false;
      $("told").dataset.refused = "yes";
      actions();
    }
    put($("told"), refused ? `Not stopped: ${refused}` : "Told to stop; it ends in order, within seconds.");
    $("actions").hidden = false;
  }

  $("stop").addEventListener("click", () => $("sure").showModal());
  $("no").addEventListener("click", () => $("sure").close());
  $("yes").addEventListener("click", stop);
  $("chart").addEventListener("picked", (event) => {
    const found = event.detail;
    put($("named"), found ? found.text : "");
    for (const row of $("board").querySelectorAll("tbody tr")) row.classList.toggle("picked", Boolean(found) && row.dataset.id === String(found.id));
  });
  addEventListener("hashchange", () => location.reload());
  setInterval(tick, 1000);
  link("connecting");
  follow();
})();
