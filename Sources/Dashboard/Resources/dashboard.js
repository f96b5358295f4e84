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

const time = seconds => new Date(seconds * 1000).toLocaleString();
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
  { key: "bytes", title: "bytes", number: true, text: run => run.bytes == null ? "" : run.bytes.toLocaleString("en").replaceAll(",", "\u202f") },
  { key: "summary", title: "what came out",
    text: run => run.state === "running" ? run.progress ?? "" : run.summary ?? "" },
];
const shownAtOnce = 200;
let runs = [];
let order = { key: "started", descending: true };
let limit = shownAtOnce;
const chosen = new Set();

function compareBy(key, descending) {
  return (a, b) => {
    const [x, y] = [a[key], b[key]];
    if (x == null || y == null) return (x == null) - (y == null);
    const difference = typeof x === "number" ? x - y : String(x).localeCompare(String(y));
    return descending ? -difference : difference;
  };
}

function drawHead() {
  byId("runs").tHead.rows[0].replaceChildren(
    element("th", { scope: "col" }, "compare"),
    ...columns.map(column => element("th", {
      scope: "col", class: column.number ? "number" : null,
      "aria-sort": order.key === column.key ? (order.descending ? "descending" : "ascending") : null,
    }, element("button", {
      type: "button",
      onclick: () => {
        order = { key: column.key, descending: order.key === column.key && !order.descending };
        drawHead();
        drawRuns();
      },
    }, column.title))));
}

function drawRuns() {
  const words = byId("search").value.toLowerCase();
  const [kind, state] = [byId("kind").value, byId("state").value];
  const found = runs.filter(run => (!kind || run.kind === kind) && (!state || run.state === state)
    && (!words || `${run.title} ${run.summary ?? ""}`.toLowerCase().includes(words)));
  found.sort(compareBy(order.key, order.descending));
  byId("count").textContent = `${found.length} of ${runs.length} runs`
    + (found.length > limit ? `, the first ${limit} shown` : "");
  byId("runs").tBodies[0].replaceChildren(...found.slice(0, limit).map(run => element("tr", {},
    element("td", {}, element("input", {
      type: "checkbox", "aria-label": `compare run ${run.id}`, checked: chosen.has(run.id),
      onchange: event => choose(run.id, event.target.checked),
    })),
    ...columns.map(column => element("td", {
      class: column.key === "title" ? "name" : column.key === "summary" ? "summary"
        : column.key === "state" ? run.state : column.number ? "number" : null,
    }, column.key === "title"
      ? element("a", { href: `#${run.id}` }, run.title)
      // What came out is told in full below: here it takes two lines.
      : column.key === "summary" ? element("div", { title: column.text(run) }, column.text(run))
        : column.text(run))))));
  if (found.length > limit) {
    byId("runs").tBodies[0].append(element("tr", {}, element("td", { colspan: columns.length + 1 },
      element("button", { type: "button", onclick: () => { limit *= 5; drawRuns(); } }, "Show more"))));
  }
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
    source.addEventListener("end", () => { source.close(); refresh(); openRun(); });
  } else {
    run.events.forEach(tell);
  }
  section.scrollIntoView({ block: "start" });
}

let drawn = "";

async function refresh() {
  try {
    const answer = await fetch("api/runs");
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    // The same list is not drawn again under the reader's hand.
    if (text === drawn) return;
    runs = JSON.parse(text);
    drawn = text;
  } catch (error) {
    byId("count").textContent = `The list is not up to date: ${error.message}`;
    return;
  }
  drawRuns();
  document.documentElement.dataset.ready = Math.round(performance.now());
}

byId("filters").addEventListener("input", () => { limit = shownAtOnce; drawRuns(); });
byId("filters").addEventListener("submit", event => event.preventDefault());
addEventListener("hashchange", openRun);
drawHead();
refresh().then(openRun);
// New runs appear without being asked for; nothing is asked while nobody looks.
setInterval(() => { if (!document.hidden) refresh(); }, 5000);
