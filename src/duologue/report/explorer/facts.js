// What else is known of a dialogue: events, probes, other judgements, who spoke, sound, rights, how it was made.
const heading = (text) => make("h3", {}, text);
const say = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : String(value));
function facts(pairs) {
  const list = make("dl", {});
  for (const [name, value] of pairs) if (value !== "" && value !== undefined && value !== null) list.append(make("dt", {}, name instanceof Node ? name : bdi(name)), make("dd", {}, value instanceof Node ? value : bdi(value)));
  return list;
}
const table = (head, rows) => make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, head.map((h) => make("th", { scope: "col" }, h)))), make("tbody", {}, rows.map((r) => make("tr", {}, r.map((x) => make("td", {}, x instanceof Node || Array.isArray(x) ? x : bdi(x ?? ""))))))));
const more = (title, open, ...body) => make("details", { class: "more", open }, make("summary", {}, title), body);
const short = (hash) => (hash ? make("code", { class: "whole", title: hash }, hash.slice(0, 12)) : "");

function eventBoxes(view) {
  return (view.d.events || []).map((e) => {
    const real = view.events.find((r) => r.id === e.id);
    const due = `${e.trigger.offset >= 0 ? "+" : "−"}${Math.abs(e.trigger.offset || 0).toFixed(2)} s from ${plain(e.trigger.anchor)} of turn ${e.trigger.reference_turn}` + (e.trigger.word === undefined || e.trigger.word === null ? "" : `, word ${e.trigger.word}`);
    return make("div", { class: "event" },
      make("b", {}, plain(e.kind)), e.position ? ` (${e.position} the query)` : "", ` in turn ${e.target_turn}`,
      facts([
        ["expected", e.expected.map(plain).join(", then ")],
        ["planned", due],
        ["happens", real ? make("button", { type: "button", class: "link", onclick: () => view.seek(real.start) }, `${real.start.toFixed(2)} to ${real.end.toFixed(2)} s`) : "not realised in this audio"],
        ["reference reaction", real && real.reaction ? `${real.reaction[0].toFixed(2)} to ${real.reaction[1].toFixed(2)} s` : ""],
        ["reference answer", e.response_turn === undefined || e.response_turn === null ? "" : `turn ${e.response_turn}`],
        ["counts within", `${e.window ?? 8} s of its end`],
      ]));
  });
}

function probeBoxes(d) {
  return (d.probes || []).map((p) => make("div", { class: "probe" },
    make("span", { class: "soft" }, `${plain(p.task)}, asked in turn ${p.turn}` + (p.target_turn === undefined || p.target_turn === null ? "" : ` about turn ${p.target_turn}`)),
    make("div", {}, bdi(p.question)),
    (p.options || []).length ? make("ol", { type: "A" }, p.options.map((o) => make("li", {}, bdi(o.text), o.distractor ? make("span", { class: "soft" }, ` (distractor: ${plain(o.distractor)})`) : ""))) : "",
    p.answer ? make("div", { class: "told" }, make("span", { class: "soft" }, "answer "), bdi(p.answer)) : "",
    p.reference ? make("div", { class: "told" }, make("span", { class: "soft" }, "a good reply "), bdi(p.reference)) : ""));
}

function judgements(d) {
  const value = (a) => (a.kind === "emotion" ? `${a.value.label} ${a.value.intensity || 0}/3` : a.kind === "cause" ? `turn ${a.value.evidence_turn}, characters ${a.value.span.join(" to ")}` : a.kind === "shift" ? `${a.value.from_label} → ${a.value.to_label}` : say(a.value));
  return table(["target", "kind", "value", "by", "status", "confidence"], (d.annotations || []).map((a) => [a.target, a.kind, value(a), `${a.rater} (${a.rater_type === "model" ? "model, estimated" : a.rater_type})`, a.status || "raw", String(a.confidence ?? 1)]));
}

function sound(d) {
  // Recordings seldom tell: nothing said is not the same as no noise.
  if (!d.acoustics) return make("p", { class: "soft" }, "The record says nothing of them.");
  const a = d.acoustics;
  return facts([
    ["noise", a.noise ? `${a.noise}${a.noise_source ? ` (${a.noise_source})` : ""}` : "none"],
    ["signal to noise", a.snr_db === undefined || a.snr_db === null ? "" : `${a.snr_db.toFixed(1)} dB`],
    ["room", a.room ? `${a.room}, reverberation ${(a.rt60 || 0).toFixed(2)} s` : "none"],
    ["band", a.band || "wide"],
    ["frames lost", a.packet_loss ? `${(100 * a.packet_loss).toFixed(1)} %` : "none"],
    ["echo of the system", a.echo_db === undefined || a.echo_db === null ? "none" : `${a.echo_db.toFixed(1)} dB`],
    ...(a.positions || []).map((p) => ["stands at", `${p.distance} m, ${p.azimuth ?? 0}°, ${p.gain_db ?? 0} dB: ${p.speaker}`]),
  ]);
}

function rights(d) {
  // An address is shown, not linked: this page leads nowhere.
  return facts([["licence", d.rights.licence], ["consent", d.rights.consent_id], ["holder", d.rights.holder], ["source", d.rights.source_url], ["canary", d.canary ? make("code", {}, d.canary) : ""]]);
}

function made(d) {
  const p = d.provenance || {};
  return [
    table(["step", "part", "version", "seed", "pinned", "parameters"], (p.steps || []).map((s) => [s.step, s.part, s.version, s.seed ? make("code", { class: "whole" }, s.seed) : "", short(s.sha256), Object.keys(s.parameters || {}).length ? make("code", {}, JSON.stringify(s.parameters)) : ""])),
    facts([["recipe", short(p.recipe_sha256)], ["made from", (p.parents || []).join(", ")]]),
    table(["file", "seconds", "channels", "SHA-256", "samples"], (d.audio || []).map((a) => [a.path, (a.length / a.sample_rate).toFixed(2), a.channels.map((c) => c.kind).join(", ") + ` at ${a.sample_rate} Hz`, short(a.sha256), short(a.pcm_sha256)])),
  ];
}

function people(d) {
  return facts((d.speakers || []).map((s) => [
    make("span", { class: `who ${roleOf(s.role)}` }, plain(s.role)),
    make("div", {}, bdi(s.id), " ", s.synthetic ? make("span", { class: "chip made" }, "synthetic") : "",
      make("div", { class: "soft" }, bdi([s.sex, s.age].filter((x) => x && x !== "unknown").concat(s.voice && s.voice !== s.id ? `voice ${s.voice}` : [], s.parent_voice && s.parent_voice !== s.voice ? `derived from ${s.parent_voice}` : [], s.consent_id ? `consent ${s.consent_id}` : []).join(", ")))),
  ]));
}
