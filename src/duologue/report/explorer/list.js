// The list of dialogues: search, filters, order, and the keys to walk it.
const FACETS = [
  ["language", "Language", (r) => r.languages], ["track", "Track", (r) => [r.track]], ["task", "Task", (r) => r.tasks],
  ["scenario", "Scenario", (r) => [r.scenario]], ["split", "Split", (r) => [r.split]], ["emotion", "Emotion", (r) => r.emotions],
  ["shift", "Shift", (r) => (r.shifts.length ? ["any shift", ...r.shifts] : ["no shift"])], ["source", "Source", (r) => [r.source]],
  ["findings", "Findings", (r) => [r.findings ? "has findings" : "no findings"]],
  ["estimated", "Annotation", (r) => (r.estimated.length ? ["estimated", ...r.estimated.map((x) => `estimated: ${x}`)] : ["nothing estimated"])],
];
const fold = (text) => String(text).normalize("NFKC").toLowerCase();

class List {
  constructor(rows, opened) {
    this.rows = rows.map((r, n) => ({ ...r, n, folded: fold([r.id, ...r.speakers, ...r.texts].join("\n")) }));
    this.opened = opened;
    this.chosen = {};
    this.current = -1;
    this.box = byId("list");
    for (const [key, title, values] of FACETS) {
      const counts = new Map();
      for (const r of this.rows) for (const v of new Set(values(r))) counts.set(v, (counts.get(v) || 0) + 1);
      const select = make("select", { id: `facet-${key}`, onchange: (e) => { this.chosen[key] = e.target.value; this.find(); } }, make("option", { value: "" }, "all"),
        [...counts].sort().map(([v, n]) => make("option", { value: v }, `${plain(v)} (${n})`)));
      [...select.options].slice(1).forEach((o, i) => { o.value = [...counts].sort()[i][0]; });
      byId("facets").append(make("label", {}, title, select));
    }
    byId("search").addEventListener("input", () => this.find());
    byId("sort").addEventListener("change", () => this.find());
    byId("clear").addEventListener("click", () => {
      this.chosen = {};
      document.querySelectorAll("#facets select").forEach((s) => { s.value = ""; });
      byId("search").value = "";
      this.find();
    });
    this.box.addEventListener("click", (e) => { const li = e.target.closest("li[data-n]"); if (li) this.open(Number(li.dataset.n), true); });
    this.box.addEventListener("keydown", (e) => {
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -1e9, End: 1e9 }[e.key];
      if (step) { e.preventDefault(); e.stopPropagation(); this.step(step); }
      if (e.key === "Enter") { e.preventDefault(); if (this.current < 0) this.step(1); document.body.classList.add("reading"); byId("main").focus(); }
    });
    this.find();
  }
  find() {
    const terms = fold(byId("search").value).split(/\s+/).filter(Boolean);
    const on = FACETS.filter(([key]) => this.chosen[key]);
    this.found = this.rows.filter((r) => terms.every((t) => r.folded.includes(t)) && on.every(([key, , values]) => values(r).includes(this.chosen[key])));
    const kind = (r) => `${r.track} ${r.language} ${r.scenario} ${r.split}`;
    const order = { kind: (a, b) => kind(a).localeCompare(kind(b)) || a.n - b.n, id: (a, b) => (a.id < b.id ? -1 : 1), long: (a, b) => b.seconds - a.seconds, short: (a, b) => a.seconds - b.seconds };
    this.found.sort(order[byId("sort").value]);
    document.querySelectorAll("#facets select").forEach((s) => s.classList.toggle("on", Boolean(s.value)));
    byId("filters-on").textContent = on.length ? `(${on.length} on)` : "";
    byId("count").textContent = `${this.found.length} of ${this.rows.length}`;
    this.box.replaceChildren(...(this.found.length ? this.found.map((r) => this.item(r, terms)) : [make("li", { role: "presentation", class: "none" }, "Nothing found. Search fewer words, or clear the filters.")]));
    this.mark();
  }
  item(r, terms) {
    const text = r.texts.find((x) => terms.some((t) => fold(x).includes(t))) || r.texts[0] || "no text";
    const words = make("div", { class: "words" });
    const shown = clean(text), at = terms.length ? fold(shown).indexOf(terms[0]) : -1;
    // Folding may change a text's length; a hit is marked only where it does not.
    if (at >= 0 && fold(shown).length === shown.length) {
      const from = Math.max(0, at - 24), end = at + terms[0].length;
      words.append(make("bdi", { lang: r.language }, (from ? "…" : "") + shown.slice(from, at), make("mark", { class: "hit" }, shown.slice(at, end)), shown.slice(end)));
    } else words.append(make("bdi", { lang: r.language }, shown));
    const tiny = [r.language, r.split, r.source, r.seconds ? `${r.seconds.toFixed(0)} s` : "text only", r.seconds && !r.heard ? "no sound here" : "", r.estimated.length ? "estimated" : "", r.findings ? `${r.findings} finding${r.findings > 1 ? "s" : ""}` : ""].filter(Boolean).join(" · ");
    return make("li", { role: "option", id: `row-${r.n}`, "data-n": r.n, "aria-selected": "false" },
      make("div", { class: "row" }, make("b", {}, plain(r.track === "duplex" ? (r.scenario === "none" ? "no event" : r.scenario) : r.tasks.join(", ") || r.scenario)), make("span", { class: "tiny mono" }, bdi(r.id.length > 14 ? `${r.id.slice(0, 13)}…` : r.id))),
      words, make("div", { class: "tiny" }, tiny));
  }
  mark() {
    this.box.querySelectorAll('[aria-selected="true"]').forEach((li) => li.setAttribute("aria-selected", "false"));
    const li = byId(`row-${this.current}`);
    if (li) { li.setAttribute("aria-selected", "true"); this.box.setAttribute("aria-activedescendant", li.id); li.scrollIntoView({ block: "nearest" }); }
    else this.box.removeAttribute("aria-activedescendant");
  }
  open(n, read) {
    this.current = n;
    this.mark();
    if (read) { document.body.classList.add("reading"); scrollTo(0, 0); }
    this.opened(this.rows[n]);
  }
  step(by) {
    if (!this.found.length) return;
    const at = this.found.findIndex((r) => r.n === this.current);
    this.open(this.found[Math.max(0, Math.min(this.found.length - 1, at < 0 ? 0 : at + by))].n);
  }
}
