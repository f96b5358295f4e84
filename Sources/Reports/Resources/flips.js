// Who flipped: counts first, pictures second.

sections.flips = (study, body) => {
  const pairs = study.result.comparisons;
  if (pairs.length === 0) {
    body.append(element("p", {}, "Nothing was made from anything else in this study."));
    return;
  }
  const seeds = seedsOf(study);
  const content = element("div");
  const show = index => {
    clear(content);
    showFlips(study, pairs[index], content);
  };
  body.append(
    element("div", { class: "tools" }, chooser("Model", pairs.map((pair, index) =>
      [index, `${pair.title}, against ${titleOf(study, pair.base)}`
        + (seeds.length > 1 ? `, seed ${pair.seed}` : "")]), show)),
    content);
  show(0);
};

function showFlips(study, pair, body) {
  const cells = pair.comparison.flips;
  const row = study.result.rows.find(row => row.model === pair.model && row.seed === pair.seed);
  const total = cells.reduce((sum, cell) => sum + cell.gained + cell.lost, 0);
  body.append(makeTable(
    `Decisions that changed: ${total} of ${pair.comparison.rows}`,
    ["group", "label", "people", "lost", "gained", "changed", "base rate of the group"],
    cells.map(cell => [
      cell.group, String(cell.label), String(cell.count), String(cell.lost), String(cell.gained),
      percent(cell.count ? (cell.gained + cell.lost) / cell.count : null),
      percent(row?.groups.find(group => group.name === cell.group)?.rates.baseRate?.value),
    ])));
  body.append(element("p", { class: "note" }, "Lost: only the earlier model said 1. Gained: only "
    + "the later one does. Read the shares before the pictures: a large group fills more of them."));
  const set = study.flips.find(set => set.model === pair.model
    && set.base === pair.base && set.seed === pair.seed);
  if (!set || set.people.length === 0) return;

  const wish = { group: "", label: "", direction: "" };
  const list = element("ul", { class: "people" });
  const status = element("p", { class: "status", role: "status" });
  const directionOf = person => person.before >= pair.comparison.threshold ? "lost" : "gained";
  const update = () => {
    const chosen = set.people.filter(person =>
      (!wish.group || person.group === wish.group)
      && (!wish.label || String(person.label) === wish.label)
      && (!wish.direction || directionOf(person) === wish.direction));
    const counted = cells
      .filter(cell => (!wish.group || cell.group === wish.group)
        && (!wish.label || String(cell.label) === wish.label))
      .reduce((sum, cell) => sum + (wish.direction ? cell[wish.direction] : cell.gained + cell.lost), 0);
    const pictures = chosen.filter(person => person.picture).length;
    status.textContent = `${chosen.length} of ${counted} people shown, ${pictures} with a picture`
      + (chosen.length < counted || pictures < chosen.length
        ? ": as many of each group, label and direction as there is room for" : "");
    list.replaceChildren(...chosen.map(person => element("li", {},
      person.picture && element("img", {
        src: `data:image/jpeg;base64,${person.picture}`, width: 72, height: 72, loading: "lazy",
        alt: `picture of ${person.id}`,
      }),
      element("strong", {}, person.group),
      `labelled ${person.label}`, element("br"),
      `${decimal(person.before)} → ${decimal(person.after)} `,
      element("span", { class: directionOf(person) }, directionOf(person)),
      element("br"), element("span", { class: "note" }, person.id))));
  };
  const filter = (label, key, choices) => chooser(label, [["", "all"], ...choices], value => {
    wish[key] = value;
    update();
  });
  body.append(
    element("div", { class: "tools" },
      filter("Group", "group", unique(cells.map(cell => cell.group)).map(name => [name, name])),
      filter("Label", "label", [["1", "1"], ["0", "0"]]),
      filter("Direction", "direction", [["lost", "lost"], ["gained", "gained"]])),
    status, list);
  update();
}
