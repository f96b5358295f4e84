// Size against gap, and whether a small gap is a refusal.

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

/// Names beside points, or on a phone their numbers: each where it covers no other and no point,
/// and no line from a name to its point runs through another name.
///
/// `at` gives a point's place in pixels of a field of this width and height, and where its bar
/// begins and ends.
function placeLabels(points, at, width, height, colours) {
  const centres = points.map(at);
  const taken = centres.map(([x, y, top = y, bottom = y]) =>
    [x - 8, Math.min(y - 8, top), x + 8, Math.max(y + 8, bottom)]);
  const [names, lines] = [[], []];
  const crosses = ([from, to], box) => Array.from({ length: 25 }, (_, step) => step / 24).some(part => {
    const [x, y] = [from[0] + part * (to[0] - from[0]), from[1] + part * (to[1] - from[1])];
    return x > box[0] && x < box[2] && y > box[1] && y < box[3];
  });
  const apart = (a, b) => a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
  return points.map((point, index) => {
    const text = isNarrow() ? String(index + 1) : point.title;
    const [half, rise] = [3.4 * text.length + 3, 8];
    const [x, y] = centres[index];
    const boxAt = ([dx, dy]) => [x + dx - half, y + dy - rise, x + dx + half, y + dy + rise];
    const tries = [14, 24, 36, 50, 66, 84].flatMap(far => [
      [far + half, 0], [-far - half, 0], [0, -far - 4], [0, far + 4],
      ...[1, -1].flatMap(side => [0.5, 1].flatMap(part =>
        [[side * (half + 8), -far * part - 4], [side * (half + 8), far * part + 4]])),
    ]);
    const lineTo = ([dx, dy]) => [[x, y], [x + dx, y + dy]];
    const fits = tries.filter(offset => {
      const box = boxAt(offset);
      return box[0] >= 0 && box[1] >= 0 && box[2] <= width && box[3] <= height
        && taken.every(other => apart(box, other));
    });
    const free = fits.find(offset => names.every(name => !crosses(lineTo(offset), name))
      && lines.every(line => !crosses(line, boxAt(offset)))) ?? fits[0] ?? tries[0];
    taken.push(boxAt(free));
    names.push(boxAt(free));
    lines.push(lineTo(free));
    return {
      text: plain(text), font: { size: 12 }, ax: free[0], ay: free[1], xanchor: "center",
      yanchor: "middle", showarrow: true, arrowhead: 0, arrowwidth: 1, arrowcolor: colours.soft,
      standoff: 7,
    };
  });
}

/// The field of a chart in pixels, about: what axes and colour scale leave.
const fieldOf = plot => isNarrow() ? [plot.clientWidth - 55, plot.clientHeight - 115]
  : [plot.clientWidth - 140, plot.clientHeight - 60];

/// What the numbers of a phone's labels stand for.
const keyOf = points => element("p", { class: "key note" },
  points.map((point, index) => `${index + 1} ${point.title}`).join(", "));

function accuracyScale(points, colours) {
  return {
    color: points.map(point => 100 * point.accuracy), colorscale: "Cividis", size: 14,
    symbol: points.map(point => shape(point.study)), line: { width: 1, color: colours.ink },
    colorbar: {
      title: { text: "accuracy %", side: isNarrow() ? "top" : "right" }, thickness: 12,
      outlinewidth: 0, ...(isNarrow() ? { orientation: "h", y: 1, yanchor: "bottom" } : {}),
    },
  };
}

sections.frontier = (study, body) => {
  const content = element("div");
  const show = kind => {
    clear(content);
    const points = frontierPoints(kind);
    const leveled = points.filter(point => point.leveled);
    const best = (read, name) => {
      const point = points.reduce((least, other) => read(other) < read(least) ? other : least);
      return `${name}: ${point.title} (${megabytes(point.bytes)}, gap ${decimal(point.gap)}, `
        + `accuracy ${percent(point.accuracy)}). `;
    };
    if (points.length === 0) {
      content.append(element("p", {}, "This gap is undefined for every model."));
      return;
    }
    const xs = points.map(point => Math.log10(point.bytes / 1e6));
    const [left, right] = [Math.min(...xs), Math.max(...xs)];
    const spare = 0.1 * Math.max(right - left, 0.3);
    const top = 1.12 * Math.max(...points.map(point => point.high), 0.01);
    const figure = chart({
      title: `Bytes of the file against ${gapNames[kind]}`,
      summary: "Lower and further left is better. " + best(point => point.bytes, "The smallest file")
        + best(point => point.gap, "The smallest gap")
        + (leveled.length ? `Ringed, because the gap shrank by levelling down: ${leveled.map(
          point => point.title).join(", ")}.` : ""),
      traces: colours => [{
        x: points.map(point => point.bytes / 1e6), y: points.map(point => point.gap),
        error_y: {
          type: "data", symmetric: false, thickness: 1, width: 3, color: colours.soft,
          array: points.map(point => point.high - point.gap),
          arrayminus: points.map(point => point.gap - point.low),
        },
        mode: "markers", hovertext: points.map(point => plain(point.title)), cliponaxis: false,
        marker: accuracyScale(points, colours), showlegend: false,
        customdata: points.map(point => 100 * point.accuracy),
        hovertemplate: "%{hovertext}<br>%{x:.3f} MB<br>gap %{y:.3f}<br>accuracy %{customdata:.2f} %<extra></extra>",
      }, {
        x: leveled.map(point => point.bytes / 1e6), y: leveled.map(point => point.gap),
        mode: "markers", hoverinfo: "skip", showlegend: false,
        marker: { symbol: "circle-open", size: 26, color: colours.worse, line: { width: 3 } },
      }],
      layout: (colours, plot) => {
        const [width, height] = fieldOf(plot);
        const [from, to] = [left - spare, right + spare];
        const at = point => [width * (Math.log10(point.bytes / 1e6) - from) / (to - from),
          ...[point.gap, point.high, point.low].map(gap => height * (1 - gap / top))];
        return {
          xaxis: {
            title: { text: "MB (logarithmic)" }, type: "log", range: [from, to],
            tickvals: [-3, -2, -1, 0, 1, 2, 3].flatMap(power => [1, 2, 5].map(step => step * 10 ** power)),
          },
          yaxis: { title: { text: gapNames[kind] }, range: [0, top] },
          annotations: placeLabels(points, at, width, height, colours).map((label, index) =>
            ({ ...label, x: xs[index], y: points[index].gap })),
        };
      },
      height: () => 28,
      table: makeTable("Size, gap and accuracy",
        ["model", "bytes", "gap", "interval or range", "accuracy", "levelling down"],
        points.map(point => [point.title, String(point.bytes), decimal(point.gap),
          range(point.low, point.high), percent(point.accuracy, 2), point.leveled ? "yes" : "no"]),
        [0, 5]),
    }).figure;
    figure.querySelector(".plot").after(keyOf(points));
    content.append(figure);
    if (kind === "equalOpportunity") {
      const asked = refusal(points).figure;
      asked.querySelector(".plot").after(keyOf(points));
      content.append(asked);
    }
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
      mode: "markers", hovertext: points.map(point => plain(point.title)), cliponaxis: false,
      marker: accuracyScale(points, colours), showlegend: false,
      hovertemplate: "%{hovertext}<br>lowest TPR %{x:.3f}<br>gap %{y:.3f}<extra></extra>",
    }],
    layout: (colours, plot) => {
      const [width, height] = fieldOf(plot);
      const at = point => [width * point.lowest / 1.02,
        height * (1 - (point.highest - point.lowest + 0.03) / 1.03)];
      return {
        xaxis: { title: { text: "TPR of the worst-served group" }, range: [0, 1.02] },
        yaxis: { title: { text: "EO (TPR gap)" }, range: [-0.03, 1] },
        shapes: [{
          type: "path", path: `M 0 0 L ${half} 0 L 0 ${half} Z`, fillcolor: colours.worse,
          opacity: 0.15, line: { width: 0 }, layer: "below",
        }],
        annotations: [...placeLabels(points, at, width, height, colours).map((label, index) => ({
          ...label, x: points[index].lowest, y: points[index].highest - points[index].lowest,
        })), {
          x: 0.02, y: 0.02, xanchor: "left", yanchor: "bottom", showarrow: false,
          text: "unfair by refusal", font: { color: colours.worse },
        }],
      };
    },
    height: () => 28,
    table: makeTable("TPR of the worst- and the best-served group",
      ["model", "lowest TPR", "highest TPR", "refuses"],
      points.map(point => [point.title, decimal(point.lowest), decimal(point.highest),
        point.highest < half ? "yes" : "no"]), [0, 3]),
  });
}
