// Where the numbers come from, studies side by side, and the start of the page.

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
