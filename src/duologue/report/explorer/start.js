// Opens dialogues, joins player, picture and text, and listens to the keys.
const about = data("about"), rows = data("rows") || [];
let view = null;
const player = new Player(() => refresh());

function open(row) {
  if (view && view.waves) view.waves.close();
  const entry = data(`d${row.n}`), d = entry.dialogue;
  const rate = entry.main ? entry.main.rate : ((d.audio || [])[0] || {}).sample_rate || 16000;
  const rates = Object.fromEntries((d.audio || []).map((a) => [a.id, a.sample_rate]));
  const main = entry.main && entry.main.audio;
  const turns = (d.turns || []).map((turn) => {
    const own = (turn.segments || []).filter((s) => !main || s.audio === main);
    return { turn, index: turn.index, role: roleOf(turn.role), start: own.length ? Math.min(...own.map((s) => s.start / rates[s.audio])) : null, end: own.length ? Math.max(...own.map((s) => s.end / rates[s.audio])) : null };
  });
  const spans = turns.flatMap((t) => (t.turn.segments || []).map((s) => ({ audio: s.audio, channel: s.channel, start: s.start / rates[s.audio], end: s.end / rates[s.audio], role: t.role })));
  const words = turns.flatMap((t) => (t.turn.words || []).map((w) => ({ text: w[0], start: w[3] / rate, end: w[4] / rate, estimated: w[5] === "estimated", role: t.role, channel: ((t.turn.segments || [])[0] || {}).channel }))).sort((a, b) => a.start - b.start);
  const events = (d.realised || []).filter((r) => r.audio === main).map((r) => {
    const e = (d.events || []).find((x) => x.id === r.event) || { kind: r.event, expected: [] };
    return { id: r.event, kind: e.kind, expected: e.expected, start: r.start / rate, end: r.end / rate, reaction: r.reaction && r.reaction.map((x) => x / rate) };
  });
  const feelings = turns.filter((t) => entry.felt[t.index] && t.start !== null).map((t) => ({ speaker: t.turn.speaker, role: t.role, label: entry.felt[t.index].label, intensity: entry.felt[t.index].intensity || 0, start: t.start, end: t.end }));
  const valence = (label) => (about.taxonomy.find((c) => c.label === label) || {}).valence || 0;
  const twin = (d.audio || []).find((a) => entry.twin && a.id === entry.twin.audio);
  const entryOf = (d.audio || []).find((a) => a.id === main);
  player.open(row.heard ? data(`a${row.n}`) : null, entry.main ? entry.main.shown : 0);
  view = {
    d, row, rate, turns, spans, words, events, feelings, felt: entry.felt, shifts: entry.shifts, main: entry.main, twin: entry.twin, seconds: entry.main ? entry.main.shown : 0, timed: [], captioned: null,
    labels: [...new Set(feelings.map((f) => f.label))].sort((a, b) => valence(b) - valence(a)),
    channels: (entryOf ? entryOf.channels : []).map((c) => (c.kind === "user-mic" ? ["user", "mic"] : [plain(c.kind)])),
    differs: twin ? twin.twin.differs.map((x) => x / rate) : [0, 0],
    twinSaid: twin ? `twin: sample-identical outside ${(twin.twin.differs[0] / rate).toFixed(1)} to ${(twin.twin.differs[1] / rate).toFixed(1)} s` : "",
    label: `Waveforms of dialogue ${row.id}: ${turns.length} turns, ${events.length} events. The transcript below says the same in words.`,
    muted: (c) => player.mute[c], now: () => player.now, buffer: (which) => player.buffers && player.buffers[which],
    seek: (t, which) => { if (which && player.sound && (which === "main" || player.sound.twin)) player.choose(which); player.seek(t); },
    play: () => { if (!player.playing) player.play(); },
    selected: (stretch) => player.repeat(stretch),
    following: () => player.playing && byId("main").scrollHeight <= byId("main").clientHeight * 6 && innerWidth > 800,
  };
  byId("dialogue").replaceChildren(...parts(entry, row));
  byId("main").scrollTop = 0;
  if (view.main) view.waves = new Waves(byId("stage"), view);
  if (location.hash !== `#${encodeURIComponent(row.id)}`) history.replaceState(null, "", `#${encodeURIComponent(row.id)}`);
  refresh();
}

function parts(entry, row) {
  const d = view.d, s = d.situation || {};
  const chips = [d.track, ...d.tasks, d.scenario, ...d.languages, d.split].filter(Boolean).map((x) => make("span", { class: "chip" }, plain(x)));
  chips.push(make("span", { class: d.source.includes("synthetic") ? "chip made" : "chip", title: "source" }, d.source));
  for (const x of row.estimated) chips.push(make("span", { class: "chip guess" }, `${x}: estimated`));
  if (row.findings) chips.push(make("span", { class: "chip bad" }, `${row.findings} findings`));
  const bits = [make("button", { type: "button", class: "back", onclick: () => { document.body.classList.remove("reading"); player.pause(); } }, "Back to the list"),
    make("div", { class: "head" }, make("h2", {}, bdi(row.id)), make("span", { class: "soft" }, bdi([s.domain, s.relationship, s.setting, s.register].filter(Boolean).map(plain).join(", ")))),
    make("div", { class: "chips" }, chips)];
  if (entry.findings.length) bits.push(make("div", { class: "findings" }, make("ul", {}, entry.findings.map((f) => make("li", {}, bdi(f))))));
  if (view.main) bits.push(deck(entry), key());
  const probes = probeBoxes(d), events = eventBoxes(view);
  bits.push(make("div", { class: "two" },
    make("section", { "aria-label": "Transcript" }, heading("Transcript"), turnList(view)),
    make("section", { "aria-label": "Facts" },
      events.length ? [heading("Events and what is expected"), events] : "", probes.length ? [heading("Probes and reference answers"), probes] : "",
      heading("Speakers"), people(d), heading("Acoustics"), sound(d), heading("Rights"), rights(d))));
  if ((d.annotations || []).length) bits.push(more(`Every judgement (${d.annotations.length})`, false, judgements(d)));
  bits.push(more("How it was made", false, made(d)));
  return bits;
}

function deck(entry) {
  const press = (id, text, act, label) => make("button", { type: "button", id, onclick: act, "aria-label": label }, text);
  const two = view.main.outline.length > 1;
  const bar = make("div", { class: "bar", role: "group", "aria-label": "Player" },
    press("play", "Play", () => player.toggle()),
    make("span", { class: "clock", id: "clock" }),
    two ? make("span", { class: "group", role: "group", "aria-label": "Channels" }, press("both", "Both", () => { player.mute = [true, true]; player.silence(0); player.silence(1); }), press("mute-0", "Mute user", () => player.silence(0)), press("mute-1", "Mute system", () => player.silence(1))) : press("mute-0", "Mute", () => player.silence(0)),
    view.twin ? make("span", { class: "group", role: "group", "aria-label": "Which file" }, press("hear-main", "Main", () => player.choose("main")), press("hear-twin", "Twin", () => player.choose("twin"))) : "",
    make("span", { class: "gap" }),
    press("loop", "Loop", () => loop()),
    make("span", { class: "group", role: "group", "aria-label": "Zoom" }, press("out", "−", () => view.waves.zoom(2), "Zoom out"), press("fit", "Fit", () => view.waves.show(0, view.seconds)), press("in", "+", () => view.waves.zoom(0.5, player.now || undefined), "Zoom in")));
  const seek = make("input", { type: "range", id: "seek", min: 0, max: view.seconds, step: 0.01, value: 0, "aria-label": "Position in seconds", oninput: (e) => player.seek(Number(e.target.value)) });
  const notes = [];
  if (!view.row.heard) notes.push(entry.findings.some((f) => f.startsWith("audio ")) ? "The sound file is missing or broken." : "The sound found no room in this page; the outline and the annotations are whole.");
  if (entry.main.shown < entry.main.seconds) notes.push(`Cut here: the first ${entry.main.shown.toFixed(0)} of ${entry.main.seconds.toFixed(0)} s.`);
  if (entry.main.channels > entry.main.outline.length) notes.push(`${entry.main.outline.length} of ${entry.main.channels} channels are shown.`);
  return make("div", { class: "deck" }, bar, make("div", { class: "stage", id: "stage" }), make("div", { class: "seek" }, seek),
    make("div", { class: "caption", id: "caption", "aria-label": "Captions" }), make("p", { class: "note", id: "failed", hidden: true }), notes.map((n) => make("p", { class: "note" }, n)));
}

function key() {
  const roles = ROLES.filter((r) => view.turns.some((t) => t.role === r));
  return make("p", { class: "key" }, roles.map((r) => make("span", {}, make("i", { class: r }), plain(r))),
    view.events.length ? make("span", { class: "marked" }, "band: the event; darker: the reference reaction") : "",
    view.words.some((w) => w.estimated) ? make("span", {}, "˜ time estimated") : "",
    make("span", {}, "click: go there · drag: loop a stretch"));
}

function loop() {
  if (player.loop) { view.waves.selection = null; player.repeat(null); view.waves.draw(); return; }
  const t = view.turns.find((x) => x.start !== null && player.now >= x.start && player.now < x.end);
  // Without a drawn stretch the turn under the playhead is repeated.
  view.waves.selection = t ? [t.start, Math.min(t.end, view.seconds)] : [view.waves.from, view.waves.to];
  player.repeat(view.waves.selection);
  view.waves.draw();
}

let drawing = false;
function refresh() {
  if (!view || !view.waves) return;
  const press = (id, on) => { const b = byId(id); if (b) b.setAttribute("aria-pressed", String(Boolean(on))); };
  const play = byId("play");
  play.textContent = player.playing ? "Pause" : "Play";
  play.disabled = !player.sound;
  press("both", !player.mute[0] && !player.mute[1]);
  press("mute-0", player.mute[0]);
  press("mute-1", player.mute[1]);
  press("hear-main", player.which === "main");
  press("hear-twin", player.which === "twin");
  press("loop", player.loop);
  const twin = byId("hear-twin");
  if (twin) twin.disabled = !(player.sound && player.sound.twin);
  byId("failed").hidden = !player.failed;
  byId("failed").textContent = player.failed;
  const muted = player.mute.join();
  if (view.drawn !== muted) { view.drawn = muted; view.waves.draw(); }
  tick();
}
function tick() {
  if (drawing) return;
  const now = player.now;
  if (player.playing || now !== view.last) view.waves.follow(now);
  view.last = now;
  view.waves.place(now);
  byId("clock").textContent = `${clock(now)} / ${clock(view.seconds)}`;
  byId("seek").value = now;
  byId("seek").setAttribute("aria-valuetext", `${now.toFixed(1)} seconds`);
  caption(view, now);
  if (player.playing) { drawing = true; requestAnimationFrame(() => { drawing = false; tick(); }); }
}

const KEYS = [["/", "search"], ["j, k", "next, previous dialogue"], ["↑, ↓ in the list", "the same"], ["space", "play, pause"], ["←, →", "one second back, on"], ["1, 2", "mute user, system"], ["t", "main or twin"], ["l", "loop the stretch, or the turn"], ["+, −, 0", "zoom in, out, fit"], ["Ctrl + wheel", "zoom at the pointer"], ["Esc", "drop the stretch"]];
addEventListener("keydown", (e) => {
  const tag = e.target.tagName;
  if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
  if (tag === "INPUT" && e.target.type !== "range") { if (e.key === "Escape") e.target.blur(); if (e.key === "ArrowDown") { e.preventDefault(); byId("list").focus(); list.step(0); } return; }
  if (tag === "SELECT" || (tag === "SUMMARY" && e.key === " ") || (tag === "BUTTON" && (e.key === " " || e.key === "Enter"))) return;
  if (e.target.type === "range" && e.key.startsWith("Arrow")) return;
  const deckKeys = view && view.waves ? {
    " ": () => player.toggle(), ArrowLeft: () => player.seek(player.now - 1), ArrowRight: () => player.seek(player.now + 1), 1: () => player.silence(0), 2: () => player.silence(1),
    t: () => { if (player.sound && player.sound.twin) player.choose(player.which === "main" ? "twin" : "main"); }, l: () => loop(), "+": () => view.waves.zoom(0.5, player.now || undefined), "=": () => view.waves.zoom(0.5, player.now || undefined), "-": () => view.waves.zoom(2), 0: () => view.waves.show(0, view.seconds),
    Escape: () => { view.waves.selection = null; player.repeat(null); view.waves.draw(); },
  } : {};
  const act = { "/": () => byId("search").focus(), j: () => list.step(1), k: () => list.step(-1), "?": () => byId("help-box").showModal(), ...deckKeys }[e.key];
  if (act) { e.preventDefault(); act(); }
});

const system = matchMedia("(prefers-color-scheme: dark)");
let theme = "automatic";
function paint() {
  document.documentElement.dataset.theme = theme === "automatic" ? (system.matches ? "dark" : "light") : theme;
  byId("theme").textContent = { automatic: "Auto", light: "Light", dark: "Dark" }[theme];
  byId("theme").setAttribute("aria-label", `Theme: ${theme}`);
  if (view && view.waves) view.waves.draw();
}
byId("theme").addEventListener("click", () => { theme = { automatic: "dark", dark: "light", light: "automatic" }[theme]; paint(); });
system.addEventListener("change", paint);

function introduce() {
  const s = about.shown, missing = s.chosen - s.shown;
  byId("corpus-name").replaceChildren(bdi(about.name));
  const only = Object.entries(about.filters).map(([k, v]) => `${k} ${plain(v)}`).join(", ");
  byId("corpus-said").textContent = clean(`${s.shown.toLocaleString("en")} of ${s.total.toLocaleString("en")} dialogues${only ? ` (${only})` : ""}` + (s.shown < s.total ? ", a sample with an equal share of each kind" : "") + (s.silent ? `; ${s.silent} without sound here` : ""));
  byId("about-body").replaceChildren(
    facts([["corpus", about.name], ["shown", `${s.shown} of ${s.total} dialogues${only ? ` (${only})` : ""}`], ["chosen", "in rounds of one of each track, language, scenario, split and task, ordered by SHA-256: the same every time"],
      ["left out", missing ? `${missing} dialogues, for want of room in ${about.max_mb} MB` : "none of the chosen"], ["without sound", s.silent ? `${s.silent}, for want of room or a sound file` : "none"], ["sound", `${s.heard} dialogues, as ${s.codec}: compressed, for listening, not for measuring; at most ${about.longest} s each${s.cut ? `, which cuts ${s.cut}` : ""}`],
      ["findings", "of each record and of the sound files read here; duologue check also verifies hashes and looks across dialogues"], ["estimated", "words timed by a recogniser or aligner, and judgements by models"], ["corpus hash", make("code", {}, about.corpus_sha256)], ["recipe hash", about.recipe_sha256 ? make("code", {}, about.recipe_sha256) : "no recipe"], ["written by", `duologue ${about.duologue}`]]),
    heading("Parts"), table(["part", "version", "pinned"], about.parts.map((p) => [p.name, p.version, short(p.sha256)])));
  byId("help-body").replaceChildren(facts(KEYS.map(([k, what]) => [make("kbd", {}, k), what])));
}
for (const name of ["about", "help"]) byId(`${name}-open`).addEventListener("click", () => byId(`${name}-box`).showModal());

introduce();
paint();
if (innerWidth > 800) byId("filters").open = false;
const list = new List(rows, open);
let wanted = "";
try { wanted = decodeURIComponent(location.hash.slice(1)); } catch { /* no id of ours */ }
const first = list.rows.find((r) => r.id === wanted) || list.found[0];
if (first) list.open(first.n, first.id === wanted);
else byId("dialogue").replaceChildren(make("p", { class: "none" }, "This corpus holds no dialogues."));
