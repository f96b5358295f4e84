// Gaps before and after: how large each is, and how much it grew.

const gapKinds = ["equalOpportunity", "fprDifference"];

/// Rows of named points: beside their names, or on a phone below them, where there is room.
const rowsOfPoints = {
  /// Where a point of a row is drawn.
  place(row, which, seed, seeds) {
    const [first, second] = isNarrow() ? [0.12, 0.34] : [-0.18, 0.18];
    return row + (which ? second : first) + (seeds > 1 ? 0.1 * (seed / (seeds - 1) - 0.5) : 0);
  },

  /// The axis that names the rows, and what is written into the chart.
  layout(names) {
    const texts = names.map(name => plain(name).replace("\n", "<br>"));
    const axis = {
      tickvals: texts.map((_, index) => index), ticktext: texts,
      range: [texts.length - 0.5, -0.5], zeroline: false,
    };
    if (!isNarrow()) return { yaxis: axis };
    return {
      yaxis: { ...axis, showticklabels: false, showgrid: false },
      annotations: texts.map((text, row) => ({
        xref: "paper", x: 0, xanchor: "left", y: row - 0.5, yanchor: "top", showarrow: false,
        text, align: "left", font: { size: 10.5 }, bgcolor: theme().paper,
      })),
    };
  },

  /// How high a chart is, in rem, whose names take so many lines.
  height: (names, lines) =>
    6 + names.length * (isNarrow() ? 2 + 0.9 * lines : 1 + 0.8 * lines),
};

/// Error bars from functions that tell how far a point's interval reaches down and up.
const barsOf = (points, low, high) => ({
  type: "data", symmetric: false, thickness: 1.5, width: 4,
  array: points.map(high), arrayminus: points.map(low),
});

sections.gaps = (study, body) => {
  body.append(gapSizes(study).figure);
  if (study.result.comparisons.length > 0) body.append(gapDrifts(study).figure);
};

function gapSizes(study) {
  const models = modelsOf(study);
  const seeds = seedsOf(study);
  const names = models.map(entry => entry.title);
  const gaps = gapKinds.map(kind => models.flatMap((entry, index) =>
    entry.rows.filter(row => row.gaps[kind]?.absolute != null).map(row => ({
      gap: row.gaps[kind], title: entry.title, seed: row.seed, index,
    }))));
  const sizes = models.map(entry => ({
    title: entry.title,
    size: mean(entry.rows.map(row => row.gaps.equalOpportunity?.absolute ?? NaN)),
  })).filter(({ size }) => !Number.isNaN(size)).sort((a, b) => a.size - b.size);
  const first = models[0]?.rows[0]?.gaps.equalOpportunity;
  return chart({
    title: "Size of each gap",
    summary: "Bars are 95 % intervals. "
      + (first?.to ? `EO is TPR of ${first.to} against ${first.from}. ` : "")
      + (sizes.length ? `The smallest EO is ${decimal(sizes[0].size)} (${sizes[0].title}), the largest `
        + `${decimal(sizes.at(-1).size)} (${sizes.at(-1).title}).` : "EO is undefined for every model."),
    traces: () => gaps.map((points, which) => ({
      x: points.map(point => point.gap.absolute),
      y: points.map(point =>
        rowsOfPoints.place(point.index, which, seeds.indexOf(point.seed), seeds.length)),
      error_x: {
        ...barsOf(points, p => p.gap.absolute - (p.gap.absoluteLow ?? p.gap.absolute),
          p => (p.gap.absoluteHigh ?? p.gap.absolute) - p.gap.absolute), color: hue(which),
      },
      mode: "markers", name: gapNames[gapKinds[which]],
      marker: { color: hue(which), symbol: shape(which), size: 10 },
      text: points.map(point => plain(point.title)
        + (seeds.length > 1 ? `, seed ${point.seed}` : "")
        + `<br>${decimal(point.gap.absolute)} (${range(point.gap.absoluteLow, point.gap.absoluteHigh)})`),
      hovertemplate: "%{text}<extra></extra>",
    })),
    layout: () => ({
      ...rowsOfPoints.layout(names),
      xaxis: { title: { text: "size of the gap" }, rangemode: "tozero", nticks: isNarrow() ? 6 : 12 },
    }),
    height: () => rowsOfPoints.height(names, 1),
    table: makeTable("Size of each gap", ["model", "seed", ...gapKinds.map(kind => gapNames[kind])],
      models.flatMap(entry => entry.rows.map(row => [entry.title, String(row.seed),
        ...gapKinds.map(kind => {
          const gap = row.gaps[kind];
          return gap?.absolute == null ? `undefined (${gap?.reason ?? "not measured"})`
            : `${decimal(gap.absolute)} (${range(gap.absoluteLow, gap.absoluteHigh)})`;
        })]))),
  });
}

function gapDrifts(study) {
  const pairs = study.result.comparisons;
  const seeds = seedsOf(study);
  const nameOf = pair => `${pair.title}, against ${titleOf(study, pair.base)}`;
  const compared = unique(pairs.map(nameOf));
  const names = compared.map(name => name.replace(", against ", ",\nagainst "));
  const margin = pairs[0].comparison.margin;
  const judged = (pair, kind) => study.verdict.judgements[pairs.indexOf(pair)][kind] ?? "undefined";
  const counted = kind => {
    const all = pairs.map(pair => judged(pair, kind));
    return `${gapNames[kind]}: `
      + unique(all).map(name => `${all.filter(other => other === name).length} ${name}`).join("; ");
  };
  const drifts = gapKinds.map(kind => pairs
    .filter(pair => pair.comparison.drift[kind]?.growth != null)
    .map(pair => ({
      drift: pair.comparison.drift[kind], pair, index: compared.indexOf(nameOf(pair)),
    })));
  return chart({
    title: "How much each gap grew, against the margin",
    summary: `The band is the margin of ±${decimal(margin)}: a bar inside it is shown to be no `
      + "change. A bar to the right of 0 is harm, one that crosses 0 and leaves the band is open; one "
      + "to the left is a narrower gap, which can be levelling down. "
      + `${gapKinds.map(counted).join(". ")}.`,
    traces: () => drifts.map((points, which) => ({
      x: points.map(point => point.drift.growth),
      y: points.map(({ index, pair }) =>
        rowsOfPoints.place(index, which, seeds.indexOf(pair.seed), seeds.length)),
      error_x: {
        ...barsOf(points, p => p.drift.growth - (p.drift.growthLow ?? p.drift.growth),
          p => (p.drift.growthHigh ?? p.drift.growth) - p.drift.growth), color: hue(which),
      },
      mode: "markers", name: gapNames[gapKinds[which]],
      marker: { color: hue(which), symbol: shape(which), size: 10 },
      text: points.map(({ drift, pair }) => plain(nameOf(pair))
        + (seeds.length > 1 ? `, seed ${pair.seed}` : "")
        + `<br>${signed(drift.growth)} (${range(drift.growthLow, drift.growthHigh)})<br>`
        + judged(pair, gapKinds[which])),
      hovertemplate: "%{text}<extra></extra>",
    })),
    layout: colours => ({
      ...rowsOfPoints.layout(names),
      xaxis: { title: { text: "growth of the gap" }, nticks: isNarrow() ? 6 : 12 },
      shapes: [{
        type: "rect", xref: "x", yref: "paper", x0: -margin, x1: margin, y0: 0, y1: 1,
        fillcolor: colours.accent, opacity: 0.25, line: { width: 0 }, layer: "below",
      }],
    }),
    height: () => rowsOfPoints.height(names, 2),
    table: makeTable("How much each gap grew", ["model", "seed", "gap", "growth", "interval", "verdict"],
      pairs.flatMap(pair => gapKinds.map(kind => {
        const drift = pair.comparison.drift[kind];
        return [nameOf(pair), String(pair.seed), gapNames[kind], signed(drift?.growth),
          range(drift?.growthLow, drift?.growthHigh), judged(pair, kind)];
      })), [0, 2, 5]),
  });
}
