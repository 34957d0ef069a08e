// What was said: turns with their words, the spans that cause a feeling, captions that follow the playhead.
function pieces(turn, causes) {
  // Code points with the word and the causes that each belongs to, run together where both are the same.
  const letters = Array.from(turn.text);
  const word = new Array(letters.length).fill(-1), cause = letters.map(() => []);
  (turn.words || []).forEach((w, i) => { for (let k = w[1]; k < Math.min(w[2], letters.length); k++) word[k] = i; });
  causes.forEach((c, i) => { for (let k = c.value.span[0]; k < Math.min(c.value.span[1], letters.length); k++) cause[k].push(i); });
  const runs = [];
  letters.forEach((letter, k) => {
    const last = runs[runs.length - 1], why = cause[k].join();
    if (last && last.word === word[k] && last.why === why) last.text += letter;
    else runs.push({ text: letter, word: word[k], why, causes: cause[k] });
  });
  return runs;
}

function spoken(turn, causes, view, marked) {
  const body = make("bdi", { dir: "auto", lang: turn.language });
  for (const run of pieces(turn, causes)) {
    let node;
    if (run.word >= 0) {
      const w = turn.words[run.word];
      node = make("span", { class: w[5] === "estimated" ? "word guess" : "word", title: w[5] === "estimated" ? "time estimated" : null, onclick: () => view.seek(w[3] / view.rate) }, run.text);
      view.timed.push({ node, start: w[3] / view.rate, end: w[4] / view.rate });
    } else node = document.createTextNode(clean(run.text));
    if (marked && run.causes.length) {
      const told = run.causes.map((i) => `turn ${causes[i].value.emotion_turn}`).join(", ");
      node = make("mark", { class: "cause", title: `cause of the feeling in ${told}` }, node);
    }
    body.append(node);
  }
  return body;
}

// Where several speakers have one role, the role alone does not tell who it is.
function named(view, turn) {
  const alike = (view.d.speakers || []).filter((s) => s.role === turn.role).length > 1;
  return [plain(turn.role), alike ? [" ", bdi(turn.speaker)] : ""];
}

function feeling(value) {
  if (!value) return null;
  const said = [value.label, value.intensity ? ` ${value.intensity}/3` : ""];
  if (value.semantic_label && value.semantic_label !== value.label) said.push(` (words: ${value.semantic_label})`);
  return make("span", { class: "feel", title: "emotion, strength" }, said);
}

function turnList(view) {
  const { d, felt } = view;
  const causes = (d.annotations || []).filter((a) => a.kind === "cause");
  const light = (index) => {
    document.querySelectorAll(".turns li.lit").forEach((li) => li.classList.remove("lit"));
    const li = byId(`turn-${index}`);
    if (li) { li.classList.add("lit"); li.scrollIntoView({ block: "nearest" }); }
    const t = view.turns.find((x) => x.index === index);
    if (t && t.start !== null) view.seek(t.start);
  };
  const list = make("ol", { class: "turns" });
  for (const t of view.turns) {
    const turn = t.turn;
    const own = causes.filter((c) => c.value.evidence_turn === turn.index);
    const why = causes.filter((c) => c.value.emotion_turn === turn.index).map((c) => {
      const evidence = (d.turns || []).find((x) => x.index === c.value.evidence_turn);
      const words = evidence ? Array.from(evidence.text).slice(...c.value.span).join("") : "";
      return make("div", { class: "why" }, "because ", make("button", { type: "button", onclick: () => light(c.value.evidence_turn) }, bdi(`“${words}”`)),
        ` turn ${c.value.evidence_turn}, ${plain(c.value.cause_kind)}, ${c.value.explicit ? "explicit" : "latent"}`, c.value.explanation ? [" · ", bdi(c.value.explanation)] : "");
    });
    const shift = view.shifts.find((s) => s.to_turn === turn.index);
    const extra = [turn.kind && turn.kind !== "turn" ? plain(turn.kind) : "", (turn.segments || []).length > 1 ? `${turn.segments.length} segments` : "", shift ? `shift from ${shift.from_label}` : ""].filter(Boolean);
    const li = make("li", { id: `turn-${turn.index}`, class: t.role },
      t.start === null ? make("span", { class: "time" }, "text only") : make("button", { type: "button", class: "time", "aria-label": `play turn ${turn.index} at ${clock(t.start)}`, onclick: () => { view.seek(t.start); view.play(); } }, clock(t.start)),
      make("div", { class: "body" },
        make("div", { class: "meta" }, make("span", { class: `who ${t.role}` }, named(view, turn)), make("span", { class: "soft" }, `#${turn.index}`), feeling(felt[turn.index]), extra.map((x) => make("span", { class: "soft" }, x))),
        turn.text ? make("div", {}, spoken(turn, own, view, true)) : make("div", { class: "why" }, "no transcript"),
        turn.text_raw && turn.text_raw !== turn.text ? make("div", { class: "why" }, "with marks: ", bdi(turn.text_raw)) : "",
        turn.intended_text && turn.intended_text !== turn.text ? make("div", { class: "why" }, "cut off; meant: ", bdi(turn.intended_text)) : "",
        why));
    t.node = li;
    list.append(li);
  }
  return list;
}

function caption(view, now) {
  // Who speaks now, or spoke last: a caption stays until another begins.
  const talk = view.turns.filter((t) => t.start !== null && t.start <= now + 0.01);
  let shown = talk.filter((t) => now < t.end);
  if (!shown.length && talk.length) shown = [talk.reduce((a, b) => (b.end > a.end ? b : a))];
  const key = shown.map((t) => t.index).join();
  if (key !== view.captioned) {
    view.captioned = key;
    view.timed = view.timed.filter((w) => !w.node.closest || !w.node.closest(".caption"));
    const box = byId("caption");
    box.replaceChildren(...(shown.length ? [] : [make("p", { class: "soft" }, "Captions follow the playhead.")]), ...shown.map((t) => make("p", {}, make("span", { class: `who ${t.role}` }, named(view, t.turn)), " ", spoken(t.turn, [], view, false))));
    for (const t of view.turns) {
      const on = shown.includes(t);
      if (on && !t.node.classList.contains("now") && view.following()) t.node.scrollIntoView({ block: "nearest" });
      t.node.classList.toggle("now", on);
    }
  }
  for (const w of view.timed) {
    w.node.classList.toggle("now", now >= w.start && now < w.end);
    w.node.classList.toggle("done", now >= w.end);
  }
}
