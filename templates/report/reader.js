(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const matrix = byId("matrix");

  // Following a link to a model opens it.
  const reveal = () => {
    const target = location.hash && byId(location.hash.slice(1));
    const details = target && target.querySelector("details");
    if (details) { details.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", reveal);
  reveal();

  // Browsers without ::details-content print only what is open.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));

  for (const block of document.querySelectorAll(".copyable")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const code = block.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    block.append(button);
  }

  if (!matrix) return;
  // A model and its variants are one body of the table, and stay together.
  const groups = [...matrix.tBodies].map((body) => ({
    body,
    head: body.querySelector(".group"),
    rows: [...body.rows].filter((row) => row.dataset.name !== undefined),
  }));
  const rows = groups.flatMap((group) => group.rows);
  const search = byId("filter");
  const status = byId("status");
  document.querySelector(".tools").hidden = rows.length < 6;

  const apply = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const name = `${row.dataset.name} ${row.querySelector("a").textContent}`;
      const fits = name.toLowerCase().includes(wanted)
        && (!status.value || row.dataset.status === status.value);
      row.hidden = !fits;
      byId(row.querySelector("a").hash.slice(1)).hidden = !fits;
      shown += fits;
    }
    for (const group of groups) {
      if (group.head) group.head.hidden = group.rows.every((row) => row.hidden);
    }
    byId("shown").textContent = shown === rows.length ? "" : `${shown} of ${rows.length}`;
  };
  search.addEventListener("input", apply);
  status.addEventListener("input", apply);

  const key = (row, column) => {
    if (column === 0) return row.dataset.name;
    const cell = row.cells[column];
    if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
    // What has no number in a column of numbers has nothing to compare.
    return numeric[column] ? null : cell.textContent.trim();
  };
  const heads = [...matrix.tHead.rows[0].cells];
  const numeric = heads.map((_, column) => rows.some((row) => row.cells[column].dataset.value !== undefined));
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = (a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        if (x === null || y === null) return (x === null) - (y === null); // last, up and down
        if (x === y) return 0; // two infinities differ by NaN
        const ascending = typeof x === "number" ? x - y : x.localeCompare(y, undefined, { numeric: true });
        return down ? -ascending : ascending;
      };
      for (const group of groups) {
        group.rows.sort(order);
        group.body.append(...group.rows);
      }
      groups.sort((a, b) => order(a.rows[0], b.rows[0]));
      matrix.append(...groups.map((group) => group.body));
    });
  });
})();
