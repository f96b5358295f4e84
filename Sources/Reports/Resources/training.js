// How the models were trained.

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
    ...multipliers.map(key => [key === "multipliers" ? "Multipliers" : `Multipliers: ${key}`, curves.flatMap(curve =>
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
    const last = Math.max(...series.map(({ points }) => points.at(-1)[0]));
    figures.append(chart({
      title,
      summary: series.map(({ name, points }) =>
        `${name}: ${decimal(points[0][1])}`
        + (points.length > 1 ? ` to ${decimal(points.at(-1)[1])}` : "")).join("; ") + ".",
      traces: () => series.map(({ name, which, part, points }) => ({
        x: points.map(point => point[0]), y: points.map(point => point[1]), name: plain(name),
        mode: "lines+markers", line: { color: hue(which), dash: ["solid", "dot", "dash"][part % 3] },
        marker: { symbol: shape(which) },
        hovertemplate: "epoch %{x}<br>%{y:.4f}",
      })),
      layout: () => ({
        xaxis: {
          title: { text: "epoch" }, tick0: 1, dtick: Math.ceil(epochs / 10), range: [0.5, last + 0.5],
        },
        yaxis: {},
      }),
      // The legend takes a line for each series.
      height: () => 13 + 1.3 * series.length,
      table: makeTable(title, ["run", ...unique(series.flatMap(({ points }) =>
        points.map(point => point[0]))).sort((a, b) => a - b).map(epoch => `epoch ${epoch}`)],
      series.map(({ name, points }) => [name, ...points.map(point => decimal(point[1], 4))])),
    }).figure);
  }
  body.append(figures);
};
