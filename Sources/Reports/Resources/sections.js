// The other sections, and the start of the page.

sections.gaps = (study, body) => {
  const models = modelsOf(study);
  const seeds = seedsOf(study);
  const kinds = ["equalOpportunity", "fprDifference"];
  const place = (model, kind, seed) =>
    model + (kind ? 0.18 : -0.18) + (seeds.length > 1 ? 0.1 * (seed / (seeds.length - 1) - 0.5) : 0);
  const names = titles => ({
    tickvals: titles.map((_, index) => index), ticktext: titles.map(title => plain(title).replace("\n", "<br>")),
    range: [titles.length - 0.5, -0.5], zeroline: false,
  });
  const bars = (points, low, high) => ({
    type: "data", symmetric: false, thickness: 1.5, width: 4,
    array: points.map(high), arrayminus: points.map(low),
  });

  const gaps = kinds.map((kind, which) => models.flatMap((entry, index) =>
    entry.rows.filter(row => row.gaps[kind]?.absolute != null).map(row => ({
      gap: row.gaps[kind], title: entry.title, seed: row.seed,
      y: place(index, which, seeds.indexOf(row.seed)),
    }))));
  const first = models[0]?.rows[0]?.gaps.equalOpportunity;
  body.append(chart({
    title: "Size of each gap",
    summary: "Bars are 95 % intervals. "
      + models.map(entry => `${entry.title}: EO ${decimal(mean(entry.rows.map(
        row => row.gaps.equalOpportunity?.absolute ?? NaN)))}`).join(", ")
      + (first?.to ? `. EO is TPR of ${first.to} against ${first.from}.` : "."),
    traces: () => gaps.map((points, which) => ({
      x: points.map(point => point.gap.absolute), y: points.map(point => point.y),
      error_x: {
        ...bars(points, p => p.gap.absolute - (p.gap.absoluteLow ?? p.gap.absolute),
          p => (p.gap.absoluteHigh ?? p.gap.absolute) - p.gap.absolute), color: hue(which),
      },
      mode: "markers", name: gapNames[kinds[which]],
      marker: { color: hue(which), symbol: shape(which), size: 10 },
      text: points.map(point => plain(point.title)
        + (seeds.length > 1 ? `, seed ${point.seed}` : "")
        + `<br>${decimal(point.gap.absolute)} (${range(point.gap.absoluteLow, point.gap.absoluteHigh)})`),
      hovertemplate: "%{text}<extra></extra>",
    })),
    layout: () => ({
      xaxis: { title: { text: "size of the gap" }, rangemode: "tozero" },
      yaxis: names(models.map(entry => entry.title)),
    }),
    size: models.length < 4 ? "short" : "",
    table: makeTable("Size of each gap", ["model", "seed", ...kinds.map(kind => gapNames[kind])],
      models.flatMap(entry => entry.rows.map(row => [entry.title, String(row.seed),
        ...kinds.map(kind => {
          const gap = row.gaps[kind];
          return gap?.absolute == null ? `undefined (${gap?.reason ?? "not measured"})`
            : `${decimal(gap.absolute)} (${range(gap.absoluteLow, gap.absoluteHigh)})`;
        })]))),
  }).figure);

  const pairs = study.result.comparisons;
  if (pairs.length === 0) return;
  const nameOf = pair => `${pair.title}, against ${titleOf(study, pair.base)}`;
  const compared = unique(pairs.map(nameOf));
  const margin = pairs[0].comparison.margin;
  const judged = (pair, kind) => study.verdict.judgements[pairs.indexOf(pair)][kind] ?? "undefined";
  const drifts = kinds.map((kind, which) => pairs
    .filter(pair => pair.comparison.drift[kind]?.growth != null)
    .map(pair => ({
      drift: pair.comparison.drift[kind], pair,
      y: place(compared.indexOf(nameOf(pair)), which, seeds.indexOf(pair.seed)),
    })));
  body.append(chart({
    title: "How much each gap grew, against the margin",
    summary: `The band is the margin of ±${decimal(margin)}: a bar inside it is shown to be no `
      + "change. A bar to the right of 0 is harm, one that crosses 0 and leaves the band is open. "
      + pairs.map(pair => `${nameOf(pair)}: EO ${signed(pair.comparison.drift.equalOpportunity?.growth)} `
        + judged(pair, "equalOpportunity")).join("; ") + ".",
    traces: () => drifts.map((points, which) => ({
      x: points.map(point => point.drift.growth), y: points.map(point => point.y),
      error_x: {
        ...bars(points, p => p.drift.growth - (p.drift.growthLow ?? p.drift.growth),
          p => (p.drift.growthHigh ?? p.drift.growth) - p.drift.growth), color: hue(which),
      },
      mode: "markers", name: gapNames[kinds[which]],
      marker: { color: hue(which), symbol: shape(which), size: 10 },
      text: points.map(({ drift, pair }) => plain(nameOf(pair))
        + (seeds.length > 1 ? `, seed ${pair.seed}` : "")
        + `<br>${signed(drift.growth)} (${range(drift.growthLow, drift.growthHigh)})<br>`
        + judged(pair, kinds[which])),
      hovertemplate: "%{text}<extra></extra>",
    })),
    layout: colours => ({
      xaxis: { title: { text: "growth of the gap" } },
      yaxis: names(compared.map(name => name.replace(", against ", ",\nagainst "))),
      shapes: [{
        type: "rect", xref: "x", yref: "paper", x0: -margin, x1: margin, y0: 0, y1: 1,
        fillcolor: colours.accent, opacity: 0.15, line: { width: 0 }, layer: "below",
      }],
    }),
    size: compared.length < 4 ? "short" : "", height: 8 + 2.6 * compared.length,
    table: makeTable("How much each gap grew", ["model", "seed", "gap", "growth", "interval", "verdict"],
      pairs.flatMap(pair => kinds.map(kind => {
        const drift = pair.comparison.drift[kind];
        return [nameOf(pair), String(pair.seed), gapNames[kind], signed(drift?.growth),
          range(drift?.growthLow, drift?.growthHigh), judged(pair, kind)];
      })), [0, 2, 5]),
  }).figure);
};

/// Models of all studies as points: size, gap, accuracy, and whether the gap shrank by refusing.
function frontierPoints(kind) {
  return studies.flatMap((study, index) => modelsOf(study).map(entry => {
    const gaps = entry.rows.map(row => row.gaps[kind]).filter(gap => gap?.absolute != null);
    if (gaps.length === 0) return null;
    const sizes = gaps.map(gap => gap.absolute);
    const rates = entry.rows[0].groups.map(group => group.rates.truePositiveRate?.value ?? 0);
    return {
      study: index, model: entry.model,
      title: (studies.length > 1 ? `${study.name}: ` : "") + entry.title,
      bytes: entry.rows[0].bytes, gap: mean(sizes),
      low: gaps.length > 1 ? Math.min(...sizes) : gaps[0].absoluteLow ?? sizes[0],
      high: gaps.length > 1 ? Math.max(...sizes) : gaps[0].absoluteHigh ?? sizes[0],
      accuracy: mean(entry.rows.map(row => row.accuracy.value ?? NaN)),
      lowest: Math.min(...rates), highest: Math.max(...rates),
      leveled: study.result.comparisons.some(({ model }, pair) => model === entry.model
        && study.verdict.judgements[pair][kind] === "better, by levelling down"),
    };
  }).filter(Boolean));
}

/// Up to so many points carry their names; more would write over each other, and carry numbers.
const fewPoints = 6;

/// What stands beside a point.
function label(points, index) {
  return points.length > fewPoints ? String(index + 1) : plain(points[index].title);
}

/// A point's name in the text and the table of its chart.
function numbered(points, index) {
  return (points.length > fewPoints ? `${index + 1} ` : "") + points[index].title;
}

function accuracyScale(points, colours) {
  return {
    color: points.map(point => 100 * point.accuracy), colorscale: "Cividis", size: 14,
    symbol: points.map(point => shape(point.study)), line: { width: 1, color: colours.ink },
    colorbar: { title: { text: "accuracy %", side: "right" }, thickness: 12, outlinewidth: 0 },
  };
}

sections.frontier = (study, body) => {
  const content = element("div");
  const show = kind => {
    clear(content);
    const points = frontierPoints(kind);
    const leveled = points.filter(point => point.leveled);
    const many = points.length > fewPoints;
    const place = index =>
      ["top center", "bottom center", "middle left", "middle right"][index % (many ? 4 : 2)];
    content.append(chart({
      title: `Bytes of the file against ${gapNames[kind]}`,
      summary: "Lower and further left is better. "
        + points.map((point, index) => `${numbered(points, index)}: ${megabytes(point.bytes)}, gap ${decimal(point.gap)}, `
          + `accuracy ${percent(point.accuracy)}`).join("; ")
        + (leveled.length ? `. Ringed: the gap shrank by levelling down (${leveled.map(
          point => point.title).join(", ")}).` : "."),
      traces: colours => [{
        x: points.map(point => point.bytes / 1e6), y: points.map(point => point.gap),
        error_y: {
          type: "data", symmetric: false, thickness: 1, width: 3, color: colours.soft,
          array: points.map(point => point.high - point.gap),
          arrayminus: points.map(point => point.gap - point.low),
        },
        mode: "markers+text", text: points.map((_, index) => label(points, index)),
        hovertext: points.map(point => plain(point.title)),
        textposition: points.map((_, index) => place(index)), cliponaxis: false,
        marker: accuracyScale(points, colours), showlegend: false,
        customdata: points.map(point => 100 * point.accuracy),
        hovertemplate: "%{hovertext}<br>%{x:.3f} MB<br>gap %{y:.3f}<br>accuracy %{customdata:.2f} %<extra></extra>",
      }, {
        x: leveled.map(point => point.bytes / 1e6), y: leveled.map(point => point.gap),
        mode: "markers", name: "levelling down", hoverinfo: "skip", showlegend: leveled.length > 0,
        marker: { symbol: "circle-open", size: 26, color: colours.worse, line: { width: 3 } },
      }],
      layout: () => ({
        xaxis: {
          title: { text: "MB (logarithmic)" }, type: "log",
          tickvals: [-3, -2, -1, 0, 1, 2, 3].flatMap(power => [1, 2, 5].map(step => step * 10 ** power)),
        },
        yaxis: { title: { text: gapNames[kind] }, rangemode: "tozero" },
      }),
      table: makeTable("Size, gap and accuracy",
        ["model", "bytes", "gap", "interval or range", "accuracy", "levelling down"],
        points.map((point, index) => [numbered(points, index), String(point.bytes), decimal(point.gap),
          range(point.low, point.high), percent(point.accuracy, 2), point.leveled ? "yes" : "no"]),
        [0, 5]),
    }).figure);
    if (kind === "equalOpportunity") content.append(refusal(points).figure);
  };
  body.append(
    element("div", { class: "tools" }, chooser("Gap", Object.entries(gapNames), show)), content);
  show("equalOpportunity");
};

/// A small gap is worth nothing where nobody is found: gap against the worst-served group's TPR.
function refusal(points) {
  const half = (points.find(point => point.study === 0)?.highest ?? 1) / 2;
  const inside = points.filter(point => point.highest < half);
  return chart({
    title: "Is a small gap a refusal?",
    summary: "In the shaded corner even the best-served group is found less than half as often as "
      + `by the first model (TPR below ${decimal(half)}): a small gap there is unfair by refusal. `
      + (inside.length ? `There: ${inside.map(point => point.title).join(", ")}.` : "No model is there."),
    traces: colours => [{
      x: points.map(point => point.lowest), y: points.map(point => point.highest - point.lowest),
      mode: "markers+text", text: points.map((_, index) => label(points, index)),
      hovertext: points.map(point => plain(point.title)), cliponaxis: false,
      textposition: points.map((point, index) =>
        ["top", "bottom"][index % 2] + (point.lowest > 0.5 ? " left" : " right")),
      marker: accuracyScale(points, colours), showlegend: false,
      hovertemplate: "%{hovertext}<br>lowest TPR %{x:.3f}<br>gap %{y:.3f}<extra></extra>",
    }],
    layout: colours => ({
      xaxis: { title: { text: "TPR of the worst-served group" }, range: [0, 1.02] },
      yaxis: { title: { text: "EO (TPR gap)" }, range: [-0.08, 1] },
      shapes: [{
        type: "path", path: `M 0 0 L ${half} 0 L 0 ${half} Z`, fillcolor: colours.worse,
        opacity: 0.15, line: { width: 0 }, layer: "below",
      }],
      annotations: [{
        x: 0.02, y: 0.02, xanchor: "left", yanchor: "bottom", showarrow: false,
        text: "unfair by refusal", font: { color: colours.worse },
      }],
    }),
    table: makeTable("TPR of the worst- and the best-served group",
      ["model", "lowest TPR", "highest TPR", "refuses"],
      points.map((point, index) => [numbered(points, index), decimal(point.lowest), decimal(point.highest),
        point.highest < half ? "yes" : "no"]), [0, 3]),
  });
}

sections.training = (study, body) => {
  const curves = study.curves.filter(curve => curve.epochs.length > 0);
  if (curves.length === 0) {
    body.append(element("p", {}, "No record of the training was found in the study's folder."));
    return;
  }
  const seeds = unique(curves.map(curve => curve.seed));
  const name = curve => titleOf(study, curve.model) + (seeds.length > 1 ? `, seed ${curve.seed}` : "");
  const gap = kind => epoch => epoch.validation?.audit?.gaps[kind]?.absolute;
  const multipliers = unique(curves.flatMap(curve =>
    curve.epochs.flatMap(epoch => Object.keys(epoch.objective ?? {}))));
  const charts = [
    ["Loss", [["training", epoch => epoch.loss], ["validation", epoch => epoch.validation?.loss]]],
    ["Validation accuracy", [["accuracy", epoch => epoch.validation?.accuracy]]],
    ["Gaps on validation rows", [["EO", gap("equalOpportunity")], ["FPR difference", gap("fprDifference")]]],
    ...multipliers.map(key => [`Multipliers: ${key}`, curves.flatMap(curve =>
      Array.from({ length: Math.max(...curve.epochs.map(epoch => epoch.objective?.[key]?.length ?? 0)) },
        (_, index) => [`${index + 1}`, epoch => epoch.objective?.[key]?.[index]])).filter(
      ([label], index, all) => all.findIndex(other => other[0] === label) === index)]),
  ];
  const figures = element("div", { class: "charts" });
  for (const [title, lines] of charts) {
    const series = curves.flatMap((curve, which) => lines.map(([line, read], part) => ({
      name: `${name(curve)}, ${line}`, which, part,
      points: curve.epochs.map(epoch => [epoch.epoch, read(epoch)]).filter(point => point[1] != null),
    }))).filter(series => series.points.length > 0);
    if (series.length === 0) continue;
    const epochs = Math.max(...series.map(({ points }) => points.length));
    figures.append(chart({
      title,
      summary: series.map(({ name, points }) =>
        `${name}: ${decimal(points[0][1])} to ${decimal(points.at(-1)[1])}`).join("; ") + ".",
      traces: () => series.map(({ name, which, part, points }) => ({
        x: points.map(point => point[0]), y: points.map(point => point[1]), name: plain(name),
        mode: "lines+markers", line: { color: hue(which), dash: ["solid", "dot", "dash"][part % 3] },
        marker: { symbol: shape(which) },
        hovertemplate: "epoch %{x}<br>%{y:.4f}",
      })),
      layout: () => ({ xaxis: { title: { text: "epoch" }, tick0: 1, dtick: Math.ceil(epochs / 10) }, yaxis: {} }),
      size: "short",
      table: makeTable(title, ["run", ...unique(series.flatMap(({ points }) =>
        points.map(point => point[0]))).sort((a, b) => a - b).map(epoch => `epoch ${epoch}`)],
      series.map(({ name, points }) => [name, ...points.map(point => decimal(point[1], 4))])),
    }).figure);
  }
  body.append(figures);
};

sections.provenance = (study, body) => {
  const { provenance } = study.result;
  const facts = [
    ["Processor", `${provenance.processor}, ${provenance.threads} threads`],
    ["Versions", Object.entries(provenance.versions).map(([name, version]) => `${name} ${version}`).join(", ")],
    ["Seeds", provenance.seeds.join(", ")],
    ...Object.entries(provenance.data).map(([name, value]) => [`Data: ${name}`, value]),
  ];
  body.append(
    ...study.missing.map(text => element("p", { class: "warning" }, text)),
    element("dl", { class: "facts" }, ...facts.flatMap(([name, value]) =>
      [element("dt", {}, name), element("dd", {}, value)])),
    ...certificates(study),
    element("details", {}, element("summary", {}, "Settings"),
      ...Object.entries(provenance.settings).map(([name, value]) =>
        element("p", {}, `${name}: `, element("code", {}, value)))),
    element("details", {}, element("summary", {}, "SHA-256 of every file"),
      makeTable("Files", ["file", "SHA-256"],
        Object.entries(provenance.files).sort().map(([file, hash]) => [file, hash]), [0, 1])),
    element("p", { class: "note" }, "Numbers are of the test rows, which nothing was fitted to. "
      + "Each model was written to its file, read back, and measured as read."));
};

/// What is claimed of the models in the folder that carry a certificate.
function certificates(study) {
  return study.certified.flatMap(found => {
    const base = study.result.rows.find(row => row.sha256 === found.base.sha256 && !row.repair);
    const confidence = percent(found.limits.confidence, 0);
    return [
      element("h3", {}, `Certificate of ${found.file}`),
      found.isIntact ? null : element("p", { class: "warning" },
        "The file is not the one that was certified: what follows is not about it."),
      element("p", {}, `${megabytes(found.bytes)}, made from `
        + (base ? base.title : `a model that is not of this study (SHA-256 ${found.base.sha256})`)
        + ` under a budget of ${megabytes(found.limits.bytes)}. On ${found.rows} validation rows that `
        + `no choice has seen, ${found.flips} decisions changed, and every true number is below its `
        + `bound with ${confidence} confidence.`),
      makeTable(`Limits of ${found.file}`, ["limit on", "allowed", "found", "bound", "kept"],
        found.checks.map(check => [check.name, decimal(check.limit, 4), decimal(check.value, 4),
          decimal(check.bound, 4), check.isKept ? "yes" : "no"]), [0, 4]),
      element("p", { class: "note" }, "Read from the file. 'equant verify-certificate' with the data computes it anew."),
    ].filter(Boolean);
  });
}

/// All studies in one table.
function compareStudies() {
  if (studies.length < 2) return;
  const section = document.getElementById("comparison");
  section.hidden = false;
  section.querySelector(".body").append(makeTable("All models of all studies",
    ["study", "model", "bytes", "accuracy", "EO", "FPR difference"],
    studies.flatMap(study => modelsOf(study).map(entry => {
      const average = read => {
        const values = entry.rows.map(read);
        return values.some(value => value == null) ? null : mean(values);
      };
      return [study.name, entry.title, String(entry.rows[0].bytes),
        percent(average(row => row.accuracy.value), 2),
        decimal(average(row => row.gaps.equalOpportunity?.absolute)),
        decimal(average(row => row.gaps.fprDifference?.absolute))];
    })), [0, 1]));
}

function showStudy(index) {
  for (const [id, draw] of Object.entries(sections)) {
    const body = document.querySelector(`#${id} .body`);
    clear(body);
    draw(studies[index], body);
  }
}

enhanceTables();
compareStudies();
if (studies.length > 1) {
  const select = document.getElementById("study");
  select.append(...studies.map((study, index) => element("option", { value: index }, study.name)));
  select.addEventListener("change", () => showStudy(Number(select.value)));
  document.getElementById("study-choice").hidden = false;
}
showStudy(0);
document.documentElement.dataset.ready = Math.round(performance.now());
