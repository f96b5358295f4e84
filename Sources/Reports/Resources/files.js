// Inside the file: bytes, and which layers each group depends on.

/// A layer's name without the operator that ONNX's exporters put behind it.
const shortName = layer => layer.replace(/^\//, "").replace(/\/[A-Z][A-Za-z]*$/, "");

sections.files = (study, body) => {
  if (study.files.length === 0) {
    body.append(element("p", {}, "The model files are no longer beside study.json."));
    return;
  }
  const codecs = unique(study.files.flatMap(file => file.parts.map(part => part.codec)));
  const sum = (file, codec) => file.parts.reduce((total, part) =>
    total + (part.codec === codec ? part.bytes : 0), 0);
  const names = study.files.map(file => titleOf(study, file.model));
  const bars = {
    type: "bar", orientation: "h", text: names.map(plain), textposition: "none",
    hovertemplate: "%{text}<br>%{x:.3f} MB",
  };
  // On a phone the names stand above the bars.
  const places = () => ({
    y: names.map((_, index) => index + (isNarrow() ? 0.15 : 0)), width: isNarrow() ? 0.45 : 0.8,
  });
  body.append(chart({
    title: "What the bytes of each file are",
    summary: study.files.map(file => `${titleOf(study, file.model)}: ${megabytes(file.bytes)}`)
      .join(", ") + ". Names, operators and metadata are the rest.",
    traces: () => [...codecs.map((codec, index) => ({
      ...bars, ...places(), name: codec, marker: { color: hue(index) },
      x: study.files.map(file => sum(file, codec) / 1e6),
    })), {
      ...bars, ...places(), name: "the rest", marker: { color: "#888888" },
      x: study.files.map(file => file.overhead / 1e6),
    }],
    layout: () => ({
      ...rowsOfPoints.layout(names), barmode: "stack", xaxis: { title: { text: "MB" } },
      legend: { ...legend(), traceorder: "normal" },
    }),
    height: () => rowsOfPoints.height(names, 1),
    table: makeTable("Bytes by codec", ["model", ...codecs, "the rest", "the file"],
      study.files.map(file => [titleOf(study, file.model),
        ...codecs.map(codec => String(sum(file, codec))), String(file.overhead), String(file.bytes)])),
  }).figure);

  const content = element("div");
  const show = index => {
    clear(content);
    const file = study.files[index];
    const layers = unique(file.parts.map(part => part.layer));
    const kinds = unique(file.parts.map(part => part.codec));
    const largest = file.parts.reduce((most, part) => part.bytes > most.bytes ? part : most);
    content.append(chart({
      title: `Bytes of each layer of ${titleOf(study, file.model)}`,
      summary: `${layers.length} layers; the largest part is ${largest.role} of ${largest.layer} `
        + `with ${megabytes(largest.bytes)} as ${largest.codec}.`,
      traces: () => kinds.map(codec => ({
        type: "bar", name: codec, marker: { color: hue(codecs.indexOf(codec)) },
        x: layers.map(layer => plain(shortName(layer))),
        y: layers.map(layer => file.parts.reduce((total, part) =>
          total + (part.layer === layer && part.codec === codec ? part.bytes : 0), 0) / 1e6),
        hovertemplate: "%{x}<br>%{y:.4f} MB",
      })),
      layout: () => ({
        barmode: "stack", xaxis: { tickangle: -60, tickfont: { size: 10 } },
        yaxis: { title: { text: "MB" } },
      }),
      size: "tall",
      table: makeTable(`Bytes of ${titleOf(study, file.model)}`,
        ["layer", "role", "codec", "numbers", "bytes", "bits a number"],
        file.parts.map(part => [part.layer, part.role, part.codec, String(part.count),
          String(part.bytes), part.count ? (8 * part.bytes / part.count).toFixed(1) : ""]), [0, 1, 2]),
    }).figure);
  };
  body.append(element("div", { class: "tools" }, chooser("Model",
    study.files.map((file, index) => [index, titleOf(study, file.model)]), show)), content);
  show(0);
  showSensitivity(study, body);
};

/// What is drawn of a layer: for each group a number with its interval, or null.
const sensitivityViews = [
  ["margins of people labelled 1", "mean change of the margin",
    cells => shiftOf(cells.find(cell => cell.label === 1))],
  ["margins of people labelled 0", "mean change of the margin",
    cells => shiftOf(cells.find(cell => cell.label === 0))],
  ["decisions that change", "share of decisions", cells => {
    const sum = read => cells.reduce((total, cell) => total + read(cell), 0);
    return rateOf(sum(cell => cell.lost + cell.gained), sum(cell => cell.count));
  }],
];

const shiftOf = cell => cell?.shift == null ? { value: null }
  : { value: cell.shift, low: cell.shiftLow ?? cell.shift, high: cell.shiftHigh ?? cell.shift };

function showSensitivity(study, body) {
  const all = study.result.sensitivity ?? [];
  if (all.length === 0) return;
  const choice = { measured: 0, view: 0 };
  const content = element("div");
  const update = () => {
    clear(content);
    content.append(sensitivityChart(study, all[choice.measured], sensitivityViews[choice.view]));
  };
  body.append(
    element("h3", {}, "Which layers each group depends on"),
    element("p", {}, "One layer alone is compressed, all others stay float. What all of them do "
      + "together is more or less than the sum."),
    element("div", { class: "tools" },
      chooser("Layers of", all.map((one, index) => [index,
        `${titleOf(study, one.base)}, stored as ${one.measured.scheme}`]),
      index => { choice.measured = index; update(); }),
      chooser("Shown", sensitivityViews.map(([name], index) => [index, name]),
        index => { choice.view = index; update(); })),
    content);
  update();
}

function sensitivityChart(study, { base, seed, split, measured }, [name, unit, read]) {
  const groups = unique(measured.layers.flatMap(layer => layer.cells.map(cell => cell.group)));
  const series = groups.map(group => measured.layers.map(layer =>
    read(layer.cells.filter(cell => cell.group === group))));
  const spread = measured.layers.map((layer, index) => {
    const values = series.map(numbers => numbers[index].value).filter(value => value != null);
    return values.length > 1 ? Math.max(...values) - Math.min(...values) : 0;
  });
  const widest = spread.indexOf(Math.max(...spread));
  const places = unit === "share of decisions" ? 4 : 3;
  const shown = number => number.value == null ? "undefined"
    : `${decimal(number.value, places)} (${range(number.low, number.high, places)})`;
  const layers = measured.layers.map(layer => plain(shortName(layer.layer)));
  // On a phone there is room for some of the names.
  const step = isNarrow() ? Math.ceil(layers.length / 20) : 1;
  const named = layers.map((_, layer) => layer).filter(layer => layer % step === 0);
  return chart({
    title: `One layer at a time as ${measured.scheme}: ${name}`,
    summary: `${titleOf(study, base)}, seed ${seed}, ${measured.rows} ${split} rows. `
      + `Groups are furthest apart at ${shortName(measured.layers[widest]?.layer ?? "")}: `
      + groups.map((group, index) => `${group} ${shown(series[index][widest])}`).join(", ")
      + ". A margin is the logit of class 1 less that of class 0; bars are 95 % intervals"
      + (measured.scheme === "int8" ? "; weights only, activations stay float." : "."),
    traces: () => groups.map((group, index) => {
      const numbers = series[index];
      const at = numbers.map((_, layer) => layer + 0.3 * (index - (groups.length - 1) / 2)
        / Math.max(1, groups.length - 1));
      return {
        x: at, y: numbers.map(number => number.value), mode: "markers", name: plain(group),
        marker: { color: hue(index), symbol: shape(index), size: 8 },
        error_y: {
          type: "data", symmetric: false, thickness: 1.5, width: 3, color: hue(index),
          array: numbers.map(number => number.value == null ? 0 : number.high - number.value),
          arrayminus: numbers.map(number => number.value == null ? 0 : number.value - number.low),
        },
        text: numbers.map((number, layer) => `${layers[layer]}<br>${shown(number)}`),
        hovertemplate: "%{text}",
      };
    }),
    layout: () => ({
      xaxis: {
        tickvals: named, ticktext: named.map(layer => layers[layer]), tickangle: -60,
        tickfont: { size: 10 }, range: [-0.6, layers.length - 0.4], zeroline: false,
      },
      yaxis: { title: { text: unit }, ...(places === 4 ? { rangemode: "tozero" } : {}) },
    }),
    size: "tall",
    table: makeTable("Each layer alone",
      ["layer", "weights", "bytes", ...groups.flatMap(group =>
        [`${group}, label 1`, `${group}, label 0`, `${group}, changed`])],
      measured.layers.map(layer => [layer.layer, String(layer.weights), String(layer.bytes),
        ...groups.flatMap(group => {
          const cells = layer.cells.filter(cell => cell.group === group);
          const count = cells.reduce((sum, cell) => sum + cell.lost + cell.gained, 0);
          const people = cells.reduce((sum, cell) => sum + cell.count, 0);
          return [1, 0].map(label => signed(cells.find(cell => cell.label === label)?.shift))
            .concat(`${count} of ${people}`);
        })])),
  }).figure;
}
