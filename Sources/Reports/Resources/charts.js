// Charts: plotly, the page's colours, and a table beside every picture.

/// Colours of Okabe and Ito that every kind of colour vision tells apart, and a shape to each.
const hues = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#B8A000"];
const shapes = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star"];
const hue = index => hues[index % hues.length];
const shape = index => shapes[index % shapes.length];

/// Text for plotly, which reads a few HTML tags of its own: nothing in a name is a tag.
const plain = text =>
  String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/// The page's colours as they are now: light, dark or on paper.
function theme() {
  const style = getComputedStyle(document.documentElement);
  const read = name => style.getPropertyValue(name).trim();
  return {
    paper: read("--paper"), ink: read("--ink"), soft: read("--soft"), line: read("--line"),
    raised: read("--raised"), worse: read("--worse"), accent: read("--accent"),
  };
}

const narrowScreen = matchMedia("(max-width: 40rem)");

/// Whether the page is on a phone: charts then put their names where there is room.
const isNarrow = () => narrowScreen.matches;

const drawn = new Set();
/// Charts that nobody has come near yet, and those that somebody has.
const unseen = new Set();
const waiting = [];
let isDrawing = false;
let hasLooked = false;

/// Notices when a chart comes within a screen of what is looked at.
const watcher = new IntersectionObserver(entries => {
  hasLooked = true;
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) want(target);
  }
  if (!isDrawing) drawWaiting();
}, { rootMargin: "100% 0px" });

function want(plot) {
  watcher.unobserve(plot);
  if (unseen.delete(plot)) waiting.push(plot);
}

/// Draws what waits, one chart at a time, so that the page answers in between.
function drawWaiting() {
  // The library comes last, being most of the page: until then tables and sliders work already.
  if (!window.Plotly) return;
  const next = waiting.shift();
  isDrawing = next != null;
  if (!next) {
    // Before the first look nothing waits either.
    if (!hasLooked && unseen.size > 0) return;
    document.documentElement.dataset.drawn = Math.round(performance.now());
    return;
  }
  if (next.isConnected) next.draw();
  setTimeout(drawWaiting, 0);
}

/// Draws all charts at once: paper shows them all.
function drawAll() {
  for (const plot of unseen) want(plot);
  for (const plot of waiting.splice(0)) if (plot.isConnected) plot.draw();
}

/// Above the chart, in one line where there is room.
const legend = () => ({
  orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: isNarrow() ? 11 : 13 },
});

function layoutOf(chart) {
  const colours = theme();
  const axis = {
    gridcolor: colours.line, linecolor: colours.line, zerolinecolor: colours.soft,
    automargin: true, title: { standoff: 10 },
  };
  const given = chart.layout(colours, chart.plot);
  return {
    paper_bgcolor: colours.paper, plot_bgcolor: colours.paper, dragmode: false,
    font: { family: "system-ui, sans-serif", size: 13, color: colours.ink },
    margin: { l: 10, r: 10, t: 10, b: 40 }, hovermode: "closest",
    legend: legend(),
    hoverlabel: { bgcolor: colours.raised, font: { color: colours.ink }, align: "left" },
    ...given,
    xaxis: { ...axis, ...given.xaxis }, yaxis: { ...axis, ...given.yaxis },
  };
}

/// A figure: caption with a summary in words, the chart, and its numbers as a table.
///
/// `traces` and `layout` are functions of the colours, asked again when these or the room for them
/// change; `height` tells the least, in rem.
function chart({ title, summary, traces, layout, table, size = "", height }) {
  const plot = element("div",
    { class: `plot ${size}`, role: "img", "aria-label": `${title}. ${summary}` });
  const grow = () => { if (height) plot.style.height = `${height()}rem`; };
  grow();
  const figure = element("figure", {},
    element("figcaption", {},
      element("strong", {}, title), element("span", { class: "summary" }, summary)),
    plot,
    table && element("details", {}, element("summary", {}, "The numbers of this chart"), table));
  const made = { figure, plot, traces, layout };
  plot.draw = () => {
    grow();
    const download = {
      name: "svg", title: "Download as SVG", icon: Plotly.Icons.disk,
      click: () => Plotly.downloadImage(plot, { format: "svg", filename: "equant" }),
    };
    Plotly.react(plot, made.traces(theme()), layoutOf(made), {
      responsive: true, displaylogo: false, modeBarButtonsToAdd: [download],
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
      toImageButtonOptions: { format: "png", filename: "equant", scale: 2 },
    });
    drawn.add(plot);
  };
  unseen.add(plot);
  watcher.observe(plot);
  return made;
}

/// Takes the charts of a section off before it is drawn anew.
function clear(body) {
  for (const plot of body.querySelectorAll(".plot")) {
    watcher.unobserve(plot);
    unseen.delete(plot);
    if (drawn.delete(plot)) Plotly.purge(plot);
  }
  body.replaceChildren();
}

function redrawAll() {
  for (const plot of drawn) plot.draw();
}

document.addEventListener("DOMContentLoaded", drawWaiting);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
narrowScreen.addEventListener("change", redrawAll);
addEventListener("beforeprint", drawAll);
matchMedia("print").addEventListener("change", () => { drawAll(); redrawAll(); });
