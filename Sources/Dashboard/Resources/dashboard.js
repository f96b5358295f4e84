"use strict";

const byId = id => document.getElementById(id);

/// An element with attributes and children; text is always text, never markup.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value != null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter(child => child != null));
  return made;
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });
const time = seconds => clock.format(seconds * 1000);
const grouping = new Intl.NumberFormat("en");
const grouped = value => grouping.format(value).replaceAll(",", "\u202f");
const decimal = (value, places) => value == null ? "" : value.toFixed(places);
const columns = [
  { key: "id", title: "run", number: true, text: run => String(run.id) },
  { key: "kind", title: "kind", text: run => run.kind },
  { key: "title", title: "makes", text: run => run.title },
  { key: "state", title: "state", text: run => run.state },
  { key: "started", title: "started", text: run => time(run.started) },
  { key: "accuracy", title: "accuracy %", number: true,
    text: run => decimal(run.accuracy == null ? null : 100 * run.accuracy, 2) },
  { key: "equalOpportunity", title: "EO", number: true, text: run => decimal(run.equalOpportunity, 3) },
  { key: "bytes", title: "bytes", number: true, text: run => run.bytes == null ? "" : grouped(run.bytes) },
  { key: "summary", title: "what came out",
    text: run => run.state === "running" ? run.progress ?? "" : run.summary ?? "" },
];
const rowsAtOnce = 25;
// What the server was asked for, and its last answer: of the runs only these rows are in the page.
let order = { key: "started", descending: true };
let from = 0;
let page = { total: 0, found: 0, runs: [] };
let drawn = "";
const chosen = new Set();

function drawHead() {
  byId("runs").tHead.rows[0].replaceChildren(
    element("th", { scope: "col" }, "compare"),
    ...columns.map(column => element("th", { scope: "col", class: column.number ? "number" : null },
      element("button", {
        type: "button",
        onclick: () => {
          order = { key: column.key, descending: order.key === column.key && !order.descending };
          from = 0;
          list();
        },
      }, column.title))));
}

function drawRow(run) {
  const classes = { title: "name", summary: "summary", state: run.state };
  return element("tr", {},
    element("td", {}, element("input", {
      type: "checkbox", "aria-label": `compare run ${run.id}`, checked: chosen.has(run.id),
      "data-key": `compare ${run.id}`, onchange: event => choose(run.id, event.target.checked),
    })),
    ...columns.map(column => {
      const text = column.text(run);
      return element("td", { class: classes[column.key] ?? (column.number ? "number" : null) },
        column.key === "title" ? element("a", { href: `#${run.id}`, "data-key": `open ${run.id}` }, text)
        // What came out is told in full below: here it takes two lines.
        : column.key === "summary" ? element("div", { title: text }, text)
        : text);
    }));
}

function drawRuns() {
  columns.forEach((column, index) => {
    const head = byId("runs").tHead.rows[0].cells[index + 1];
    if (order.key !== column.key) head.removeAttribute("aria-sort");
    else head.setAttribute("aria-sort", order.descending ? "descending" : "ascending");
  });
  byId("count").textContent = `${grouped(page.found)} of ${grouped(page.total)} runs`;
  // Whoever is at a row stays there.
  const key = document.activeElement?.dataset.key;
  byId("runs").tBodies[0].replaceChildren(...page.runs.map(drawRow));
  if (key) document.querySelector(`[data-key="${key}"]`)?.focus({ preventScroll: true });
  byId("pages").hidden = page.found <= page.runs.length;
  byId("rows").textContent = `${grouped(from + 1)} to ${grouped(from + page.runs.length)}`;
  const last = lastPage();
  for (const button of byId("pages").querySelectorAll("button")) {
    const isAtEnd = ["first", "previous"].includes(button.value) ? from === 0 : from >= last;
    // Not `disabled`, which would take the keyboard away from who just pressed it.
    button.setAttribute("aria-disabled", isAtEnd);
  }
}

const lastPage = () => Math.max(0, Math.ceil(page.found / rowsAtOnce) - 1) * rowsAtOnce;

function turn(to) {
  const places = { first: 0, previous: from - rowsAtOnce, next: from + rowsAtOnce, last: lastPage() };
  const place = Math.min(Math.max(places[to], 0), lastPage());
  if (place === from) return;
  from = place;
  list();
}

async function read(address) {
  const answer = await fetch(address);
  const value = await answer.json();
  if (!answer.ok) throw new Error(value?.error?.message ?? `the server answered ${answer.status}`);
  return value;
}

/// Everything of a run by name, for the list of facts and for comparing.
function factsOf(run) {
  // Six digits say more than any of these numbers knows; the JSON has them all.
  const text = value => typeof value === "number" && !Number.isInteger(value)
    ? String(Number(value.toPrecision(6))) : String(value);
  const group = (title, values) =>
    Object.entries(values).sort().map(([name, value]) => [`${title}: ${name}`, text(value)]);
  return new Map([
    ...columns.map(column => [column.title, column.text(run)]),
    ...group("result", run.results), ...group("setting", run.settings),
    ...group("made from", run.fingerprints), ...group("file", run.files),
  ]);
}

async function choose(id, isChosen) {
  if (isChosen) chosen.add(id); else chosen.delete(id);
  // Two are compared: a third takes the place of the first.
  if (chosen.size > 2) chosen.delete([...chosen][0]);
  drawRuns();
  const section = byId("comparison");
  section.hidden = chosen.size < 2;
  if (section.hidden) return;
  const pair = await Promise.all([...chosen].sort((a, b) => a - b).map(id => read(`api/runs/${id}`)));
  const facts = pair.map(factsOf);
  const names = [...new Set(facts.flatMap(map => [...map.keys()]))];
  section.replaceChildren(
    element("h2", {}, `Run ${pair[0].id} and run ${pair[1].id}`),
    element("div", { class: "table" }, element("table", {},
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, ""),
        ...pair.map(run => element("th", { scope: "col" }, `run ${run.id}`)))),
      element("tbody", {}, ...names.map(name => {
        const values = facts.map(map => map.get(name) ?? "");
        return element("tr", { class: values[0] === values[1] ? null : "different" },
          element("th", { scope: "row" }, name), ...values.map(value => element("td", { class: "name" }, value)));
      })))));
}

let source = null;

async function openRun() {
  source?.close();
  const id = Number(location.hash.slice(1));
  const section = byId("run");
  section.hidden = !id;
  if (!id) return;
  let run;
  try {
    run = await read(`api/runs/${id}`);
  } catch (error) {
    section.replaceChildren(element("p", {}, `Run ${id}: ${error.message}`));
    return;
  }
  const progress = element("p", { id: "progress", role: "status" }, run.state === "running" ? run.progress ?? "" : "");
  const events = element("ol", { class: "events", id: "events" });
  const tell = event => {
    events.append(element("li", {}, `${time(event.time)}  ${event.text}`));
    events.scrollTop = events.scrollHeight;
  };
  section.replaceChildren(
    element("h2", {}, `Run ${id}: ${run.kind} of ${run.title}`),
    progress,
    run.hasReport ? element("p", {}, element("a", { href: `runs/${id}/report` }, "Open the report")) : null,
    element("dl", {}, ...[...factsOf(run)].flatMap(([name, value]) =>
      [element("dt", {}, name), element("dd", {}, value)])),
    events);
  if (run.state === "running") {
    source = new EventSource(`api/runs/${id}/follow`);
    source.addEventListener("told", message => tell(JSON.parse(message.data)));
    source.addEventListener("progress", message => { progress.textContent = JSON.parse(message.data); });
    source.addEventListener("end", () => { source.close(); list(); openRun(); });
  } else {
    run.events.forEach(tell);
  }
  section.scrollIntoView({ block: "start" });
}

let asked = null;

/// Asks for the rows that are wanted now, and draws them when they are others than those shown.
async function list() {
  asked?.abort();
  const mine = asked = new AbortController();
  byId("runs").setAttribute("aria-busy", true);
  const query = Object.entries({
    search: byId("search").value, kind: byId("kind").value, state: byId("state").value,
    order: order.key, descending: order.descending, from, count: rowsAtOnce,
  }).filter(([, value]) => value !== "").map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const address = `api/runs?${query.join("&")}`;
  try {
    const answer = await fetch(address, { signal: mine.signal });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    // The same list is not drawn again under the reader's hand.
    if (address + text !== drawn) {
      page = JSON.parse(text);
      if (from > lastPage()) {
        // The last page went with the runs that were on it.
        from = lastPage();
        return list();
      }
      drawRuns();
      drawn = address + text;
    }
    document.documentElement.dataset.ready ??= Math.round(performance.now());
  } catch (error) {
    // Something else was asked for in the meantime.
    if (mine.signal.aborted) return;
    byId("count").textContent = `The list is not up to date: ${error.message}`;
    drawn = "";
  }
  byId("runs").setAttribute("aria-busy", false);
  asked = null;
}

byId("filters").addEventListener("input", () => { from = 0; list(); });
byId("filters").addEventListener("submit", event => event.preventDefault());
byId("pages").addEventListener("click", event => {
  const button = event.target.closest("button");
  if (button) turn(button.value);
});
addEventListener("hashchange", openRun);
drawHead();
list().then(openRun);
// New runs appear without being asked for; nothing is asked while nobody looks.
setInterval(() => { if (!document.hidden && !asked) list(); }, 5000);
