// Plays a dialogue's two channels, each with its own switch; the sound is decoded when it is first wanted.
class Player {
  constructor(changed) {
    this.changed = changed;
    this.context = null;
    this.open(null, 0);
  }
  open(sound, seconds) {
    this.stop();
    this.sound = sound;
    this.seconds = seconds;
    this.at = 0;
    this.loop = null;
    this.mute = [false, false];
    this.which = "main";
    this.buffers = null;
    this.loading = null;
    this.failed = "";
    this.ticket = (this.ticket || 0) + 1;
  }
  get playing() { return Boolean(this.source); }
  get now() {
    if (!this.source) return this.at;
    let t = this.from + this.context.currentTime - this.started;
    if (this.loop && t >= this.loop[1]) {
      const [a, b] = this.loop;
      t = this.from > b ? t : a + ((t - a) % (b - a));
    }
    return Math.min(Math.max(t, 0), this.seconds);
  }
  async decode() {
    if (this.buffers || !this.sound) return;
    const bytes = (address) => Uint8Array.from(atob(address.slice(address.indexOf(",") + 1)), (c) => c.charCodeAt(0)).buffer;
    const main = await this.context.decodeAudioData(bytes(this.sound.main));
    let twin = null;
    if (this.sound.twin) {
      // The twin is the main file but for one stretch.
      const piece = await this.context.decodeAudioData(bytes(this.sound.twin));
      const { sampleRate: rate, numberOfChannels: count } = main;
      twin = this.context.createBuffer(count, main.length, rate);
      const at = Math.round(this.sound.twin_from * rate), skip = Math.round(this.sound.twin_lead * rate);
      const long = Math.min(Math.round(this.sound.twin_to * rate), main.length) - at;
      for (let c = 0; c < count; c++) {
        twin.copyToChannel(main.getChannelData(c), c);
        const part = piece.getChannelData(Math.min(c, piece.numberOfChannels - 1)).subarray(skip, skip + long);
        twin.copyToChannel(part, c, at);
      }
    }
    return { main, twin };
  }
  async ready() {
    if (!this.sound) return false;
    this.context ||= new AudioContext();
    const ticket = this.ticket;
    this.loading ||= this.decode();
    try {
      const made = await this.loading;
      if (ticket !== this.ticket) return false;
      if (made) this.buffers = made;
    } catch (error) {
      if (ticket === this.ticket) { this.failed = "this browser cannot decode the sound"; this.changed(); }
      return false;
    }
    return true;
  }
  async play() {
    const ticket = this.ticket;
    if (!(await this.ready())) return;
    await this.context.resume();
    if (ticket !== this.ticket) return;
    this.stop();
    const buffer = (this.which === "twin" && this.buffers.twin) || this.buffers.main;
    if (this.loop && (this.at < this.loop[0] || this.at >= this.loop[1])) this.at = this.loop[0];
    if (this.at >= this.seconds - 0.02) this.at = 0;
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    if (this.loop) [source.loop, source.loopStart, source.loopEnd] = [true, ...this.loop];
    const two = buffer.numberOfChannels > 1;
    const split = this.context.createChannelSplitter(2), merge = this.context.createChannelMerger(2);
    this.gains = [0, 1].map((c) => {
      const gain = this.context.createGain();
      gain.gain.value = this.mute[two ? c : 0] ? 0 : 1;
      split.connect(gain, two ? c : 0);
      gain.connect(merge, 0, c);
      return gain;
    });
    this.two = two;
    source.connect(split);
    merge.connect(this.context.destination);
    source.onended = () => { if (this.source === source) { this.source = null; this.at = this.seconds; merge.disconnect(); this.changed(); } };
    this.source = source;
    this.merge = merge;
    this.from = this.at;
    this.started = this.context.currentTime;
    source.start(0, this.at);
    this.changed();
  }
  stop() {
    if (!this.source) return;
    this.at = this.now;
    const source = this.source;
    this.source = null;
    source.stop();
    this.merge.disconnect();
  }
  pause() { this.stop(); this.changed(); }
  toggle() { return this.playing ? this.pause() : this.play(); }
  again() { if (this.playing) { this.stop(); this.play(); } else this.changed(); }
  seek(t) {
    this.stop_at(Math.min(Math.max(t, 0), this.seconds));
  }
  stop_at(t) {
    const was = this.playing;
    this.stop();
    this.at = t;
    if (was) this.play(); else this.changed();
  }
  silence(channel) {
    this.mute[channel] = !this.mute[channel];
    if (this.gains) this.gains.forEach((g, c) => { g.gain.value = this.mute[this.two ? c : 0] ? 0 : 1; });
    this.changed();
  }
  choose(which) { if (this.which !== which) { this.which = which; this.again(); } }
  repeat(stretch) { if (this.playing) this.at = this.now; this.loop = stretch; this.again(); }
}
