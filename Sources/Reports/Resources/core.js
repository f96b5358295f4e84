"use strict";

// The studies of this page, as `equant report` wrote them.
const studies = JSON.parse(document.getElementById("data").textContent);

/// The section drawers, by the id of their section: each gets the study and the section's body.
const sections = {};

/// An element with attributes and children; text is always text, never markup.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter(child => child != null));
  return made;
}

const decimal = (value, places = 3) => value == null ? "undefined" : value.toFixed(places);
const signed = (value, places = 3) =>
  value == null ? "undefined" : (value < 0 ? "" : "+") + value.toFixed(places);
const percent = (value, places = 1) =>
  value == null ? "undefined" : (100 * value).toFixed(places) + " %";
const range = (low, high, places = 3) =>
  low == null ? "" : `${low.toFixed(places)} to ${high.toFixed(places)}`;
const megabytes = bytes => (bytes / 1e6).toFixed(2) + " MB";
const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;

const unique = values => [...new Set(values)];
const seedsOf = study => unique(study.result.rows.map(row => row.seed));
const groupsOf = study => (study.result.rows[0]?.groups ?? []).map(group => group.name);
const titleOf = (study, model) =>
  study.result.rows.find(row => row.model === model)?.title ?? model;

/// Models in the order of the tables, each with its rows, one a seed.
function modelsOf(study) {
  return unique(study.result.rows.map(row => row.model)).map(model => {
    const rows = study.result.rows.filter(row => row.model === model);
    return { model, title: rows[0].title, rows };
  });
}

/// A select element with a label; `choices` are [value, text].
function chooser(label, choices, changed) {
  const select = element("select", { onchange: () => changed(select.value) },
    ...choices.map(([value, text]) => element("option", { value }, text)));
  return element("label", {}, label, select);
}

const gapNames = {
  equalOpportunity: "EO (TPR gap)", fprDifference: "FPR difference",
  equalizedOdds: "equalized odds", demographicParity: "demographic parity",
  accuracy: "accuracy gap",
};

/// Wilson's score interval of a share, at 95 %.
function wilson(successes, trials) {
  const z = 1.959963984540054;
  const share = successes / trials;
  const shrink = 1 + z * z / trials;
  const centre = (share + z * z / (2 * trials)) / shrink;
  const half = z * Math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / shrink;
  return [successes <= 0 ? 0 : Math.max(0, centre - half),
    successes >= trials ? 1 : Math.min(1, centre + half)];
}

/// A rate with its interval, or an undefined one: as in study.json.
function rateOf(numerator, denominator) {
  if (!(denominator > 0)) return { value: null, numerator, denominator };
  const [low, high] = wilson(numerator, denominator);
  return { value: numerator / denominator, low, high, numerator, denominator };
}

/// `to - from` with Newcombe's interval.
function differenceOf(from, to) {
  if (from.value == null || to.value == null) return { value: null };
  const value = to.value - from.value;
  const below = Math.hypot(to.value - to.low, from.high - from.value);
  const above = Math.hypot(to.high - to.value, from.value - from.low);
  return { value, low: value - below, high: value + above };
}
