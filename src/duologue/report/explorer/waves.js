// The picture over the player: emotion line, events, both channels' waves with words, the twin below them, time.
const LEFT = 74, WAVE = 74, LANE = 17;
class Waves {
  constructor(stage, view) {
    this.stage = stage;
    this.view = view;
    this.canvas = make("canvas", { role: "img", "aria-label": view.label });
    this.head = make("div", { class: "playhead", "aria-hidden": "true" });
    this.tip = make("div", { class: "tip", hidden: true });
    stage.append(this.canvas, this.head, this.tip);
    this.from = 0;
    this.to = view.seconds;
    this.selection = null;
    this.peaks = [view.main, view.twin].map((t) => t && t.outline.map((text) => Int8Array.from(atob(text), (c) => c.charCodeAt(0))));
    this.listen();
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(stage);
  }
  close() { this.watch.disconnect(); }
  get width() { return this.stage.clientWidth; }
  x(t) { return this.left + ((t - this.from) / (this.to - this.from)) * (this.width - this.left - 6); }
  t(x) { return this.from + ((x - this.left) / (this.width - this.left - 6)) * (this.to - this.from); }
  zoom(factor, about = (this.from + this.to) / 2) {
    const span = Math.min(this.view.seconds, Math.max(0.25, (this.to - this.from) * factor));
    const from = about - ((about - this.from) / (this.to - this.from)) * span;
    this.show(from, from + span);
  }
  show(from, to) {
    const span = Math.min(to - from, this.view.seconds);
    this.from = Math.max(0, Math.min(from, this.view.seconds - span));
    this.to = this.from + span;
    this.draw();
  }
  follow(t) {
    const span = this.to - this.from;
    if (span < this.view.seconds - 0.01 && (t < this.from || t > this.to)) this.show(t - span * 0.1, t + span * 0.9);
  }
  place(t) {
    const x = this.x(t);
    this.head.style.transform = `translateX(${x}px)`;
    this.head.style.visibility = t < this.from || t > this.to ? "hidden" : "visible";
  }
  listen() {
    let down = null;
    const at = (e) => e.clientX - this.stage.getBoundingClientRect().left;
    const inside = (t) => Math.min(Math.max(t, 0), this.view.seconds);
    this.stage.addEventListener("pointerdown", (e) => {
      if (e.button) return;
      down = at(e);
      if (e.pointerId !== undefined) try { this.stage.setPointerCapture(e.pointerId); } catch { /* a made-up pointer */ }
    });
    this.stage.addEventListener("pointermove", (e) => {
      const x = at(e);
      this.hover(x, e.clientY - this.stage.getBoundingClientRect().top);
      if (down === null || Math.abs(x - down) < 5) return;
      this.selection = [inside(this.t(Math.min(x, down))), inside(this.t(Math.max(x, down)))];
      this.draw();
    });
    this.stage.addEventListener("pointerup", (e) => {
      if (down === null) return;
      const x = at(e), y = e.clientY - this.stage.getBoundingClientRect().top;
      if (Math.abs(x - down) >= 5) this.view.selected(this.selection);
      else this.view.seek(inside(this.t(x)), this.twinTop && y >= this.twinTop ? "twin" : "main");
      down = null;
    });
    this.stage.addEventListener("pointercancel", () => { down = null; });
    this.stage.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    this.stage.addEventListener("wheel", (e) => {
      if (!e.ctrlKey && !e.metaKey && Math.abs(e.deltaX) <= Math.abs(e.deltaY)) return;
      e.preventDefault();
      if (e.ctrlKey || e.metaKey) this.zoom(Math.exp(e.deltaY / 200), this.t(at(e)));
      else { const by = (e.deltaX / this.width) * (this.to - this.from); this.show(this.from + by, this.to + by); }
    }, { passive: false });
  }
  hover(x, y) {
    const t = this.t(x);
    if (t < this.from || t > this.to) { this.tip.hidden = true; return; }
    const near = this.view.events.filter((e) => t >= e.start && t <= e.end).map((e) => `${plain(e.kind)}: ${e.expected.map(plain).join(" then ")}`);
    this.tip.textContent = clean([clock(t), ...near].join(" · "));
    this.tip.hidden = false;
    this.tip.style.left = `${Math.min(Math.max(x + 10, 0), Math.max(0, this.width - this.tip.offsetWidth - 4))}px`;
    this.tip.style.top = `${Math.max(2, y - 30)}px`;
  }
  draw() {
    const { view, width } = this;
    if (width < 20) return;
    this.left = width < 500 ? 52 : LEFT;
    const feel = view.labels.length ? 14 + LANE * view.labels.length : 0;
    const marks = view.events.length ? 18 : 0;
    const main = view.main ? view.main.outline.length * (WAVE + 20) : 0;
    const twin = view.twin ? 22 + view.twin.outline.length * (WAVE * 0.62 + 4) : 0;
    const height = feel + marks + main + twin + 24;
    const scale = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.canvas.style.height = `${height}px`;
    const g = this.g = this.canvas.getContext("2d");
    g.scale(scale, scale);
    g.clearRect(0, 0, width, height);
    g.font = '11px system-ui, "Noto Sans CJK SC", sans-serif';
    g.textBaseline = "middle";
    const ink = colour("ink"), soft = colour("soft"), line = colour("line");
    const top = feel + marks, bottom = top + main + twin;
    this.grid(bottom, line, soft);
    if (this.selection) {
      g.fillStyle = `rgba(${colour("select")}, .16)`;
      g.fillRect(this.x(this.selection[0]), 0, this.x(this.selection[1]) - this.x(this.selection[0]), bottom);
    }
    g.save();
    g.beginPath();
    g.rect(this.left, 0, width - this.left, height);
    g.clip();
    this.free = this.left;
    for (const e of view.events) this.event(e, feel, top, top + main, ink);
    g.restore();
    if (feel) this.feelings(soft, line);
    if (view.main) view.main.outline.forEach((_, c) => this.lane(0, c, top + c * (WAVE + 20), WAVE, true, soft, line));
    this.twinTop = view.twin ? top + main : 0;
    if (view.twin) {
      g.fillStyle = soft;
      g.fillText(view.twinSaid, this.left + 2, top + main + 12);
      view.twin.outline.forEach((_, c) => this.lane(1, c, top + main + 22 + c * (WAVE * 0.62 + 4), WAVE * 0.62, false, soft, line));
      const [a, b] = view.differs;
      g.strokeStyle = colour("event");
      g.setLineDash([4, 3]);
      g.strokeRect(Math.max(this.x(a), this.left), top + main + 22, Math.min(this.x(b), width) - Math.max(this.x(a), this.left), twin - 24);
      g.setLineDash([]);
    }
    this.place(view.now());
  }
  grid(bottom, line, soft) {
    const g = this.g, span = this.to - this.from;
    const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300].find((s) => ((this.width - this.left) / span) * s >= 54) || 600;
    g.textAlign = "center";
    for (let i = Math.ceil(this.from / step); i * step <= this.to + 1e-9; i++) {
      const x = Math.round(this.x(i * step)) + 0.5;
      g.strokeStyle = line;
      g.beginPath(); g.moveTo(x, 0); g.lineTo(x, bottom); g.stroke();
      g.fillStyle = soft;
      const said = step < 1 ? (i * step).toFixed(step < 0.1 ? 2 : 1) : String(i * step);
      if (x > this.left + 8 && x < this.width - 14) g.fillText(said, x, bottom + 12);
    }
    g.textAlign = "left";
    g.fillText("seconds", 6, bottom + 12);
  }
  event(e, feel, top, bottom, ink) {
    if (e.end < this.from || e.start > this.to) return;
    const g = this.g, x = this.x(e.start), wide = Math.max(2, this.x(e.end) - x);
    g.fillStyle = `rgba(${colour("event-fill")}, .2)`;
    g.fillRect(x, feel, wide, bottom - feel);
    g.fillStyle = colour("event");
    g.fillRect(x, feel, wide, 3);
    if (e.reaction) {
      g.fillStyle = `rgba(${colour("event-fill")}, .38)`;
      const at = top + WAVE + 20;
      g.fillRect(this.x(e.reaction[0]), at, Math.max(2, this.x(e.reaction[1]) - this.x(e.reaction[0])), bottom - at);
    }
    g.fillStyle = ink;
    const said = clean(`${plain(e.kind)} → ${e.expected.map(plain).join(", ")}`);
    const long = g.measureText(said).width;
    const at = Math.max(this.left + 3, Math.min(x + 3, this.width - long - 6));
    // Where the next event's name finds no room, the pointer still tells it.
    if (at < this.free) return;
    g.fillText(said, at, feel + 11);
    this.free = at + long + 8;
  }
  feelings(soft, line) {
    const g = this.g, { labels, feelings } = this.view;
    const y = (label) => 14 + LANE * labels.indexOf(label);
    for (const label of labels) {
      g.fillStyle = soft;
      g.fillText(clean(label).slice(0, 11), 6, y(label));
      g.strokeStyle = line;
      g.beginPath(); g.moveTo(this.left, y(label)); g.lineTo(this.width, y(label)); g.stroke();
    }
    g.save();
    g.beginPath(); g.rect(this.left, 0, this.width, 14 + LANE * labels.length); g.clip();
    for (const who of new Set(feelings.map((f) => f.speaker))) {
      const own = feelings.filter((f) => f.speaker === who);
      g.strokeStyle = colour(own[0].role);
      g.lineWidth = 1.5;
      g.beginPath();
      own.forEach((f, i) => {
        // A feeling lasts as long as its turn; between turns the line leads over.
        if (i) g.lineTo(this.x(f.start), y(f.label)); else g.moveTo(this.x(f.start), y(f.label));
        g.lineTo(this.x(f.end), y(f.label));
      });
      g.stroke();
      g.lineWidth = 1;
      for (const f of own) {
        g.fillStyle = colour(f.role);
        g.beginPath(); g.arc(this.x((f.start + f.end) / 2), y(f.label), 2.5 + f.intensity, 0, 7); g.fill();
      }
    }
    g.restore();
  }
  lane(which, c, y, tall, worded, soft, line) {
    const g = this.g, view = this.view, track = which ? view.twin : view.main;
    const spans = view.spans.filter((s) => s.audio === view.main.audio && s.channel === c && !(which && s.start >= view.differs[0] && s.end <= view.differs[1]));
    const middle = y + tall / 2;
    const silent = view.muted(c);
    g.fillStyle = soft;
    view.channels[c].forEach((part, i) => g.fillText(part, 6, middle - 6 + 13 * i));
    g.save();
    g.beginPath(); g.rect(this.left, y - 2, this.width - this.left, tall + 22); g.clip();
    g.strokeStyle = line;
    g.beginPath(); g.moveTo(this.left, middle); g.lineTo(this.width, middle); g.stroke();
    for (const s of spans) {
      g.fillStyle = colour(s.role);
      g.globalAlpha = silent ? 0.04 : 0.1;
      g.fillRect(this.x(s.start), y + 2, this.x(s.end) - this.x(s.start), tall - 4);
    }
    g.globalAlpha = silent ? 0.25 : 1;
    const peaks = this.peaks[which][c], bins = peaks.length / 2, rate = bins / track.shown;
    const buffer = view.buffer(which ? "twin" : "main");
    const perPixel = (this.to - this.from) / (this.width - this.left);
    const samples = buffer && perPixel * rate < 0.7 ? buffer.getChannelData(Math.min(c, buffer.numberOfChannels - 1)) : null;
    const role = (t) => { const s = spans.find((q) => t >= q.start && t < q.end); return s ? s.role : null; };
    const tints = Object.fromEntries(ROLES.map((r) => [r, colour(r)]));
    for (let px = this.left; px < this.width - 5; px++) {
      const a = this.t(px), b = this.t(px + 1);
      if (a >= track.shown || b <= 0) continue;
      let low = 0, high = 0;
      if (samples) {
        const n = Math.min(samples.length, Math.max(Math.floor(a * buffer.sampleRate) + 1, Math.ceil(b * buffer.sampleRate)));
        for (let i = Math.max(0, Math.floor(a * buffer.sampleRate)); i < n; i++) { low = Math.min(low, samples[i]); high = Math.max(high, samples[i]); }
        low /= track.peak; high /= track.peak;
      } else {
        const n = Math.min(bins, Math.max(Math.floor(a * rate) + 1, Math.ceil(b * rate)));
        for (let i = Math.max(0, Math.floor(a * rate)); i < n; i++) { low = Math.min(low, peaks[2 * i]); high = Math.max(high, peaks[2 * i + 1]); }
        low /= 127; high /= 127;
      }
      const mid = (a + b) / 2;
      // What the system says in the twin alone is no turn of the record.
      const who = role(mid) || (which && c === 1 && mid >= view.differs[0] && mid < view.differs[1] ? "system" : null);
      g.fillStyle = who ? tints[who] : soft;
      const half = tall / 2 - 3;
      g.fillRect(px, middle - high * half, 1, Math.max(1, (high - low) * half));
    }
    g.globalAlpha = 1;
    if (worded) this.words(c, y + tall + 8);
    g.restore();
  }
  words(c, y) {
    const g = this.g;
    let free = this.left;
    for (const w of this.view.words) {
      if (w.channel !== c || w.end < this.from || w.start > this.to) continue;
      const x = Math.max(this.x(w.start), this.left), said = clean(w.text), wide = g.measureText(said).width;
      g.strokeStyle = colour(w.role);
      g.globalAlpha = 0.6;
      g.beginPath(); g.moveTo(x, y - 8.5); g.lineTo(x, y - 4.5); g.stroke();
      g.globalAlpha = 1;
      if (x < free || x + wide > this.width) continue;
      g.fillStyle = colour(w.role);
      g.fillText(w.estimated ? `${said}˜` : said, x + 1, y);
      free = x + wide + 5;
    }
  }
}
