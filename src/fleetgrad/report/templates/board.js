// The leaderboard: sorted by any column, filtered by words and status.
"use strict";
function fleetgradBoard(data) {
  const FIRST = 20, MORE = 200;
  const table = document.getElementById("board");
  if (!table) return;
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const find = document.getElementById("find"), status = document.getElementById("status");
  const more = document.getElementById("more"), count = document.getElementById("count");
  let by = 0, falling = false, most = FIRST;

  const words = data.rows.map((row) => row.cells.map((cell) => cell[0]).join("\n").toLowerCase());
  for (const name of [...new Set(data.rows.map((row) => row.status))]) status.add(new Option(name, name));

  function compare(one, other) {
    const [a, b] = [one[by], other[by]].map((cell) => cell[1]);
    if (a === b) return one[0][1] - other[0][1];
    if (a === null) return 1;
    if (b === null) return -1;
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
    return falling ? -order : order;
  }

  function chosen() {
    const wanted = find.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    return data.rows.filter((row, place) => (!status.value || row.status === status.value) && wanted.every((word) => words[place].includes(word)));
  }

  function line(row) {
    const made = document.createElement("tr");
    made.className = row.status + (row.best ? " winner" : "");
    row.cells.forEach(([text], place) => {
      const cell = document.createElement("td");
      cell.textContent = text;
      if (data.columns[place].number) cell.className = "number";
      made.append(cell);
    });
    return made;
  }

  function show() {
    const rows = chosen().sort((one, other) => compare(one.cells, other.cells));
    body.replaceChildren(...rows.slice(0, most).map(line));
    more.hidden = rows.length <= most;
    more.textContent = `Show ${Math.min(MORE, rows.length - most)} more`;
    count.textContent = rows.length === data.rows.length ? `${rows.length} candidates` : `${rows.length} of ${data.rows.length} candidates`;
    heads.forEach((head, place) => {
      if (place === by) head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }

  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      falling = place === by ? !falling : false;
      by = place;
      show();
    });
    head.replaceChildren(button);
  });
  const anew = () => { most = FIRST; show(); };
  find.addEventListener("input", anew);
  status.addEventListener("change", anew);
  more.addEventListener("click", () => { most += MORE; show(); });
  document.getElementById("filters").hidden = false;
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  show();
}
