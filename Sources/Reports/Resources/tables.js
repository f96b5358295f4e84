// Tables: sorting, explanations, copies.

/// The first number of a cell's text; text that has none sorts last.
function sortKey(text) {
  const found = text.replace("−", "-").match(/^[+\s]*(-?\d+(\.\d+)?)/);
  return found ? parseFloat(found[1]) : null;
}

/// Makes the headings of a table buttons that sort its rows.
function makeSortable(table) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = element("button", { type: "button" }, heading.textContent);
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach(other => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const rows = [...body.rows].map(row => {
        const text = row.cells[column].textContent;
        return { row, text, number: sortKey(text) };
      });
      rows.sort((a, b) => {
        if ((a.number == null) !== (b.number == null)) return a.number == null ? 1 : -1;
        const order = a.number == null ? a.text.localeCompare(b.text) : a.number - b.number;
        return descending ? -order : order;
      });
      body.append(...rows.map(entry => entry.row));
    });
  });
}

/// Shows what is behind a cell on hover, on a tap, and when the arrow keys come to it.
function explainCells(container) {
  const cells = () => [...container.querySelectorAll("td[data-why]")];
  if (cells().length === 0) return;
  const status = element("p", { class: "status", role: "status" });
  container.nextElementSibling.append(status);
  for (const cell of cells()) {
    cell.title = cell.dataset.why;
    cell.tabIndex = -1;
    const show = () => { status.textContent = cell.dataset.why; };
    cell.addEventListener("focus", show);
    cell.addEventListener("mouseenter", show);
    cell.addEventListener("keydown", event => {
      const width = cell.parentElement.querySelectorAll("td[data-why]").length;
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width }[event.key];
      if (!step) return;
      const all = cells();
      const next = all[all.indexOf(cell) + step];
      if (!next) return;
      event.preventDefault();
      cell.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }
  cells()[0].tabIndex = 0;
}

/// Puts text on the clipboard, also where the browser's own way is closed to local files.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/// Buttons that copy a table in three formats.
function copyButtons(copies, title) {
  const tools = element("div", { class: "tools" });
  for (const [format, name] of [["markdown", "Markdown"], ["csv", "CSV"], ["latex", "LaTeX"]]) {
    const button = element("button",
      { type: "button", "aria-label": `Copy ${title} as ${name}` }, `Copy ${name}`);
    button.addEventListener("click", async () => {
      await copyText(copies[format]);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = `Copy ${name}`; }, 1200);
    });
    tools.append(button);
  }
  return tools;
}

/// A number with its interval may be broken between the two, and nowhere else.
function withRange(text) {
  const at = text.search(/ \([-+\d]/);
  return at < 0 || !text.endsWith(")") ? [text]
    : [text.slice(0, at + 1), element("span", { class: "range" }, text.slice(at + 1))];
}

/// A table of texts: numbers to the right, the first column heads its row.
function makeTable(caption, columns, rows, words = [0]) {
  const kind = column => words.includes(column) ? null : "number";
  const table = element("table", {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...columns.map((text, column) =>
      element("th", { scope: "col", class: kind(column) }, text)))),
    element("tbody", {}, ...rows.map(row => element("tr", {}, ...row.map((text, column) =>
      column === 0
        ? element("th", { scope: "row" }, text)
        : element("td", { class: kind(column) }, ...withRange(text)))))));
  makeSortable(table);
  return element("div", { class: "table" }, table);
}

/// The tables that are in the HTML already.
function enhanceTables() {
  for (const container of document.querySelectorAll("#tables .table")) {
    const [study, number] = container.dataset.table.split("-").map(Number);
    makeSortable(container.querySelector("table"));
    container.after(copyButtons(studies[study].copies[number],
      container.querySelector("caption").textContent));
    explainCells(container);
  }
}
