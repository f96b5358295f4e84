// Thresholds: what every group's rates would be, counted anew from the histograms of scores.

/// The four cells of one group at a threshold given in bins.
function cellsAt(group, bin) {
  let [tp, fp, fn, tn] = [0, 0, 0, 0];
  group.positives.forEach((count, at) => { if (at >= bin) tp += count; else fn += count; });
  group.negatives.forEach((count, at) => { if (at >= bin) fp += count; else tn += count; });
  return { tp, fp, fn, tn };
}

function ratesOf({ tp, fp, fn, tn }) {
  return {
    accuracy: rateOf(tp + tn, tp + fp + fn + tn),
    truePositiveRate: rateOf(tp, tp + fn),
    falsePositiveRate: rateOf(fp, fp + tn),
    selectionRate: rateOf(tp + fp, tp + fp + fn + tn),
    baseRate: rateOf(tp + fn, tp + fp + fn + tn),
  };
}

/// The widest difference among groups; of two, the second minus the first.
function widest(groups, measure) {
  let found = { value: null };
  for (let a = 0; a < groups.length; a++) {
    for (let b = a + 1; b < groups.length; b++) {
      let [from, to] = [groups[a], groups[b]];
      if (groups.length > 2 && to.rates[measure].value < from.rates[measure].value) {
        [from, to] = [to, from];
      }
      const gap = differenceOf(from.rates[measure], to.rates[measure]);
      if (gap.value != null && (found.value == null || Math.abs(gap.value) > Math.abs(found.value))) {
        found = { ...gap, from: from.name, to: to.name };
      }
    }
  }
  return found;
}

/// TPR over FPR for every threshold, only where it turns.
function rocOf(group) {
  const positives = group.positives.reduce((sum, count) => sum + count, 0);
  const negatives = group.negatives.reduce((sum, count) => sum + count, 0);
  const curve = { x: [0], y: [0] };
  let [tp, fp] = [0, 0];
  for (let bin = group.positives.length - 1; bin >= 0; bin--) {
    if (group.positives[bin] + group.negatives[bin] === 0) continue;
    tp += group.positives[bin];
    fp += group.negatives[bin];
    curve.x.push(negatives ? fp / negatives : null);
    curve.y.push(positives ? tp / positives : null);
  }
  return curve;
}

/// The area under a group's curve by the trapezoid rule; equals the AUC up to the bins' width.
function areaOf({ x, y }) {
  let area = 0;
  for (let i = 1; i < x.length; i++) area += (x[i] - x[i - 1]) * (y[i] + y[i - 1]) / 2;
  return area;
}

sections.threshold = (study, body) => {
  if (study.scores.length === 0) {
    body.append(element("p", {}, "The predictions are no longer beside study.json: "
      + "thresholds cannot be tried."));
    return;
  }
  const seeds = seedsOf(study);
  const content = element("div");
  const show = index => {
    clear(content);
    showThresholds(study, study.scores[index], content);
  };
  body.append(
    element("p", {}, "Move a threshold and see what it would do. A threshold chosen here was "
      + "chosen on the test rows: fit the one you ship on other people."),
    element("div", { class: "tools" }, chooser("Model", study.scores.map((score, index) =>
      [index, titleOf(study, score.model) + (seeds.length > 1 ? `, seed ${score.seed}` : "")]),
    show)),
    content);
  show(0);
};

function showThresholds(study, score, body) {
  const { bins, groups } = score;
  const row = study.result.rows.find(
    row => row.model === score.model && row.seed === score.seed);
  const start = Math.round(bins / 2);
  const bin = groups.map(() => start);
  const state = () => groups.map((group, index) => {
    const cells = cellsAt(group, bin[index]);
    return { name: group.name, cells, rates: ratesOf(cells) };
  });

  const sliders = groups.map((group, index) => {
    const input = element("input", {
      type: "range", min: 0, max: bins, value: start, id: `threshold-${index}`,
      "aria-label": `threshold for ${group.name}`,
    });
    const output = element("output", { for: input.id }, decimal(start / bins));
    const line = element("div", { class: "slider" },
      element("label", { for: input.id }, group.name), input, output);
    return { input, output, line };
  });
  const together = element("input", { type: "checkbox", checked: true });
  const reset = element("button", { type: "button" }, "Back to 0.500");
  const results = element("div", { "aria-live": "polite", id: "live" });

  const curves = groups.map(rocOf);
  const points = current => current.map((group, index) => ({
    x: [group.rates.falsePositiveRate.value], y: [group.rates.truePositiveRate.value],
    mode: "markers", showlegend: false, hoverinfo: "skip",
    marker: {
      size: 14, color: hue(index), symbol: shape(index), line: { width: 2, color: theme().ink },
    },
  }));
  const figure = chart({
    title: "ROC curve of each group, and where its threshold puts it",
    summary: "Area under the curve: " + groups.map((group, index) =>
      `${group.name} ${decimal(areaOf(curves[index]))}`).join(", ")
      + ". Groups at one height are found equally often; groups above each other have equal FPR.",
    traces: () => [
      ...groups.map((group, index) => ({
        ...curves[index], mode: "lines", name: plain(group.name),
        line: { color: hue(index), width: 2, dash: ["solid", "dash", "dot", "dashdot"][index % 4] },
        hovertemplate: "FPR %{x:.3f}<br>TPR %{y:.3f}",
      })),
      ...points(state()),
    ],
    layout: colours => ({
      xaxis: { title: { text: "FPR" }, range: [-0.01, 1.01], zeroline: false },
      yaxis: { title: { text: "TPR" }, range: [-0.01, 1.01], zeroline: false },
      shapes: [{ type: "line", x0: 0, y0: 0, x1: 1, y1: 1, line: { color: colours.line, dash: "dot" } }],
    }),
    table: makeTable("TPR and FPR by threshold",
      ["threshold", ...groups.flatMap(group => [`${group.name} TPR`, `${group.name} FPR`])],
      Array.from({ length: 11 }, (_, tenth) => [
        decimal(tenth / 10, 1),
        ...groups.flatMap(group => {
          const rates = ratesOf(cellsAt(group, Math.round(tenth * bins / 10)));
          return [decimal(rates.truePositiveRate.value), decimal(rates.falsePositiveRate.value)];
        }),
      ])),
    size: "square",
  });

  const cell = rate => rate.value == null ? "undefined"
    : `${decimal(rate.value)} (${decimal(rate.low)}–${decimal(rate.high)})`;
  const update = () => {
    sliders.forEach((slider, index) => {
      slider.input.value = bin[index];
      slider.output.textContent = decimal(bin[index] / bins);
    });
    const current = state();
    const sum = current.reduce((sum, { cells }) => ({
      tp: sum.tp + cells.tp, fp: sum.fp + cells.fp, fn: sum.fn + cells.fn, tn: sum.tn + cells.tn,
    }), { tp: 0, fp: 0, fn: 0, tn: 0 });
    const all = { name: "all", cells: sum, rates: ratesOf(sum) };
    const measures = [["accuracy", "accuracy"], ["truePositiveRate", "TPR"],
      ["falsePositiveRate", "FPR"], ["selectionRate", "selection rate"], ["baseRate", "base rate"]];
    const gaps = [["truePositiveRate", "EO (TPR gap)"], ["falsePositiveRate", "FPR difference"],
      ["selectionRate", "demographic parity"], ["accuracy", "accuracy gap"]];
    results.replaceChildren(
      makeTable("Rates at these thresholds",
        ["group", "rows", ...measures.map(([, name]) => name)],
        [...current, all].map(group => [
          group.name, String(group.rates.accuracy.denominator),
          ...measures.map(([key]) => cell(group.rates[key])),
        ])),
      makeTable("Gaps at these thresholds", ["gap", "size", "signed", "interval", "which way"],
        gaps.map(([key, name]) => {
          const gap = widest(current, key);
          return gap.value == null ? [name, "undefined", "", "", ""]
            : [name, decimal(Math.abs(gap.value)), signed(gap.value), range(gap.low, gap.high),
              `${gap.to} minus ${gap.from}`];
        }), [0, 4]));
    if (figure.plot.data) {
      Plotly.restyle(figure.plot, {
        x: current.map(group => [group.rates.falsePositiveRate.value]),
        y: current.map(group => [group.rates.truePositiveRate.value]),
      }, groups.map((_, index) => groups.length + index));
    }
  };

  let asked = false;
  const later = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; update(); });
  };
  sliders.forEach((slider, index) => slider.input.addEventListener("input", () => {
    const value = Number(slider.input.value);
    if (together.checked) bin.fill(value); else bin[index] = value;
    later();
  }));
  together.addEventListener("change", () => {
    if (together.checked) bin.fill(bin[0]);
    later();
  });
  reset.addEventListener("click", () => { bin.fill(start); later(); });

  body.append(
    ...sliders.map(slider => slider.line),
    element("div", { class: "tools" },
      element("label", { class: "check" }, together, "one threshold for all groups"), reset),
    results);
  const wide = row && Math.abs((row.accuracy.low ?? 0) - wilson(row.accuracy.numerator,
    row.accuracy.denominator)[0]) > 1e-6;
  if (wide) {
    body.append(element("p", { class: "note" }, "Intervals here count rows as strangers; "
      + "those of the tables know which rows are the same person, and are wider."));
  }
  body.append(figure.figure);
  update();
}
