// A film that plays from a moment, over a line of its shots and of where the query matches. Python
// sends {id, film, moment, at, name, path, previous, next, place, size, duration, format, scored:
// [[id, time, score, match]], objects, chosen, base}; back go `go` {id}, `close`, `annotate` {id}
// and `like` {id} as triggers. `player_line.js` draws the line.

const STILL = ["gif", "webp"];  // a browser shows these as pictures: they play, but cannot be sought
const TELL_MS = 250;
const AGAIN_MS = 4000;
const sound = { muted: false };  // as the user left it in this page

// Drawn, as not every machine has a font with these signs.
const SIGNS = {
  play: "M7 4v16l13-8z", pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  before: "M5 4h3v16H5zM20 4v16L9 12z", after: "M16 4h3v16h-3zM4 4v16l11-8z",
  back: "M11.5 5v14L3 12zM21 5v14l-8.500-7z", forth: "M3 5v14l8.500-7zM12.500 5v14l8.500-7z",
  loud: "M3 9h4l6-5v16l-6-5H3zM15.500 8a6 6 0 0 1 0 8l1.500 1.500a8 8 0 0 0 0-11z",
  mute: "M3 9h4l6-5v16l-6-5H3zM15 9.500l1.500-1.500 2.500 2.500L21.500 8 23 9.500 20.500 12 23 14.500 21.500 16 19 13.500 16.500 16 15 14.500 17.500 12z",
  full: "M4 4h7v2H6v5H4zM13 4h7v7h-2V6h-5zM4 13h2v5h5v2H4zM18 13h2v7h-7v-2h5z",
};

function sign(name) {
  const drawing = svg("svg", { viewBox: "0 0 24 24", class: "sign", "aria-hidden": "true" });
  drawing.append(svg("path", { d: SIGNS[name] }));
  return drawing;
}

function button(label, parts, act, attributes = {}) {
  const node = el("button", { type: "button", "aria-label": label, title: label, ...attributes });
  node.append(...parts);
  node.onclick = act;
  return node;
}

// A button whose sign changes with what it would do.
function show(node, name, label) {
  if (node.dataset.sign === name) return;
  node.dataset.sign = name;
  node.replaceChildren(sign(name));
  node.setAttribute("aria-label", label);
  node.title = label;
}

class Player {
  constructor(parent) {
    this.root = parent.querySelector(".fk-root");
    this.sent = [];
    this.shots = this.frames = this.matches = [];
    this.bar();
    this.stage = el("div", { class: "stage", tabindex: "0", role: "group" });
    this.video = el("video", { playsinline: "", preload: "metadata" });
    this.picture = el("img", { alt: "", decoding: "async" });
    this.said = el("p", { class: "said", role: "status" });
    this.drawing = svg("svg", { "aria-hidden": "true" });
    this.back = button("Previous result", ["‹"], () => this.leaveFor(this.data.previous), { class: "go back" });
    this.forth = button("Next result", ["›"], () => this.leaveFor(this.data.next), { class: "go forth" });
    this.stage.append(this.video, this.picture, this.drawing, this.said, this.back, this.forth);
    this.line = new Line((time) => this.seek(time), (id) => this.goTo(id));
    this.controls();
    this.whole = el("div", { class: "whole" });
    this.whole.append(this.stage, this.row, this.line.node);
    this.root.replaceChildren(this.top, this.whole);
    this.watch();
    document.documentElement.dataset.fkPlayer = "1";
  }

  bar() {
    this.name = el("span", { class: "name" });
    this.where = el("span", { class: "place" });
    this.original = el("a", { target: "_blank", rel: "noopener" }, "Open the original");
    this.download = el("a", {}, "Download");
    this.like = el("button", { type: "button" }, "More like this moment");
    this.annotate = el("button", { type: "button" }, "Draw and correct");
    this.copy = el("button", { type: "button" }, "Copy the path");
    const close = el("button", { type: "button" }, "← Back");
    close.onclick = () => this.leave();
    this.like.onclick = () => this.tell("like", this.nearest());
    this.annotate.onclick = () => this.tell("annotate", this.nearest());
    this.copy.onclick = () => this.copyPath();
    this.top = el("div", { class: "bar" });
    this.top.append(close, this.name, this.where, this.like, this.annotate, this.copy, this.original,
      this.download);
  }

  controls() {
    this.toggle = button("Play", [], () => this.playOrPause(), { class: "toggle" });
    this.before = button("Previous match (p)", [sign("before"), "match"], () => this.step("matches", -1));
    this.after = button("Next match (n)", ["match", sign("after")], () => this.step("matches", 1));
    this.shotBefore = button("Previous shot ([)", [sign("back"), "shot"], () => this.step("shots", -1));
    this.shotAfter = button("Next shot (])", ["shot", sign("forth")], () => this.step("shots", 1));
    this.mute = button("Sound off", [], () => this.hush(!this.video.muted), { class: "mute" });
    this.full = button("Whole screen (f)", [sign("full")], () => this.fill());
    this.clock = el("span", { class: "clock" });
    this.count = el("span", { class: "count", role: "status" });
    this.row = el("div", { class: "controls", role: "group", "aria-label": "Playing" });
    this.row.append(this.toggle, this.clock, this.before, this.after, this.shotBefore, this.shotAfter,
      this.count, this.mute, this.full);
  }

  watch() {
    const { video } = this;
    video.onclick = () => this.playOrPause();
    video.onplay = video.onpause = () => this.paint();
    video.ontimeupdate = video.onseeked = () => this.paint();
    video.onerror = () => this.cannotPlay();
    video.onloadedmetadata = () => this.ready();
    this.picture.onload = () => this.place();
    this.placing = new ResizeObserver(() => { this.place(); this.line.draw(); });
    this.placing.observe(this.stage);
    this.anywhere = (event) => this.key(event);
    document.addEventListener("keydown", this.anywhere);
    // While it plays, the line follows at every picture, not only four times a second.
    const follow = () => {
      if (!this.video.paused) this.paint();
      this.following = requestAnimationFrame(follow);
    };
    follow();
  }

  destroy() {
    document.removeEventListener("keydown", this.anywhere);
    cancelAnimationFrame(this.following);
    clearTimeout(this.telling);
    clearTimeout(this.again);
    this.placing.disconnect();
    this.video.removeAttribute("src");
    this.video.load();
    delete document.documentElement.dataset.fkPlayer;
  }

  update({ data, setTriggerValue }) {
    const first = !this.data, other = data.film !== this.data?.film;
    const elsewhere = data.moment !== this.data?.moment;
    this.trigger = setTriggerValue;
    this.data = data;
    this.name.textContent = this.name.title = data.name;
    this.where.textContent = data.place;
    this.stage.setAttribute("aria-label", `Film ${data.name}`);
    this.stage.style.setProperty("--ratio", `${data.size[0]} / ${data.size[1]}`);
    const address = `${data.base}/fk/media/${data.film}`;
    this.original.href = address;
    this.download.href = `${address}?download=1`;
    this.back.disabled = !data.previous;
    this.forth.disabled = !data.next;
    this.matches = data.scored.filter(([, , , match]) => match).map(([id, time]) => ({ id, time }));
    for (const node of [this.before, this.after, this.count]) node.hidden = !this.matches.length;
    this.line.update(data);
    if (other) this.open(address);
    else if (elsewhere) this.arrive();
    fetchOutlines(data.base, data.objects, () => this.paint());
    this.paint();
    if (first) {
      this.stage.focus({ preventScroll: true });
      setTimeout(() => {
        this.stage.focus({ preventScroll: true });
        this.top.scrollIntoView({ block: "nearest" });
      }, 60);
    }
  }

  // Another film

  async open(address) {
    const { film, base, at, moment, format } = this.data;
    this.sent = [];
    this.moment = moment;
    this.time = at;
    this.failed = STILL.includes(format);
    this.frames = this.shots = [];
    this.said.textContent = "";
    this.picture.hidden = !this.failed;
    this.video.hidden = this.failed;
    this.stage.classList.remove("failed");
    this.poster(moment || film);
    if (!this.failed) {
      this.video.poster = `${base}/fk/thumb/${moment || film}/large`;
      this.video.muted = sound.muted;
      this.video.src = address;
    }
    const answer = await fetch(`${base}/fk/film/${film}`).catch(() => null);
    if (!answer?.ok || this.data.film !== film) return;
    this.frames = (await answer.json()).frames.map(([id, time, start, end]) => ({ id, time, start, end }));
    this.shots = this.frames.filter((frame, index) => frame.start !== this.frames[index - 1]?.start)
      .map((frame) => ({ id: frame.id, time: frame.start }));
    this.line.frames(this.frames, this.shots);
    this.paint();
  }

  // The browser knows the film: go to the moment and play; a whole film waits for the user.
  ready() {
    if (!this.video.videoWidth) return this.cannotPlay();
    this.seek(this.time);
    this.place();
    if (this.moment && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.video.play().catch(() => null);  // without a gesture before, it waits too
    }
  }

  // Python has shown another moment of the film: asked for from here, or by Back or a link.
  arrive() {
    const { moment, at } = this.data;
    const known = this.sent.indexOf(moment);
    if (known >= 0) this.sent.splice(0, known + 1);
    else if (moment !== this.moment && !this.telling) {
      this.moment = moment;
      this.seek(at);
    }
  }

  cannotPlay() {
    if (this.failed || !this.data) return;
    this.failed = true;
    this.time = this.time ?? this.data.at;
    this.video.hidden = true;
    this.picture.hidden = false;
    this.stage.classList.add("failed");
    this.said.textContent = "This browser cannot play this film: its moments are shown as pictures. " +
      "Open or download the original to play it in another program.";
    this.poster(this.moment || this.nearest() || this.data.film);
    this.paint();
  }

  poster(id) {
    this.picture.src = `${this.data.base}/fk/thumb/${id}/${this.failed ? "preview" : "large"}`;
    this.picture.alt = `A picture of ${this.data.name}`;
  }

  // Time

  get now() {
    return this.failed || !this.video.readyState ? this.time ?? 0 : this.video.currentTime;
  }

  seek(time) {
    this.time = Math.max(0, Math.min(time, this.data.duration));
    if (this.failed) this.poster(this.nearest() || this.data.film);
    // A little later: at the very boundary browsers may show the picture before.
    else if (this.video.readyState) this.video.currentTime = Math.min(this.time + 0.001, this.data.duration);
    this.paint();
  }

  nearest() {
    return frameAt(this.frames, this.now + 0.002)?.id || this.moment;
  }

  step(what, direction) {
    // While it plays, one step back means the one before this, not its own beginning.
    const room = direction < 0 && !this.video.paused ? 1 : 0.04;
    const now = this.now;
    const list = direction > 0 ? this[what].filter((place) => place.time > now + room)
      : this[what].filter((place) => place.time < now - room).reverse();
    if (list.length) this.jump(list[0].id, list[0].time);
  }

  goTo(id) {
    const frame = this.frames.find((each) => each.id === id) || this.matches.find((each) => each.id === id);
    if (frame) this.jump(id, frame.time);
  }

  jump(id, time) {
    this.moment = id;
    this.seek(time);
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.report(), TELL_MS);
  }

  // Told again until it is in the address: a run of the page that is under way can swallow it.
  report() {
    this.telling = null;
    clearTimeout(this.again);
    if (this.data.moment === this.moment) return;
    if (this.sent.at(-1) !== this.moment) this.sent.push(this.moment);
    this.trigger("go", { id: this.moment });
    this.again = setTimeout(() => this.telling || this.report(), AGAIN_MS);
  }

  playOrPause() {
    if (STILL.includes(this.data.format)) {
      this.moving = !this.moving;
      if (this.moving) this.picture.src = `${this.data.base}/fk/media/${this.data.film}`;
      else this.poster(this.nearest() || this.data.film);
      this.paint();
    } else if (this.failed) return;
    else if (this.video.paused) this.video.play().catch(() => null);
    else this.video.pause();
  }

  hush(muted) {
    this.video.muted = sound.muted = muted;
    this.paint();
  }

  fill() {
    document.fullscreenElement ? document.exitFullscreen() : this.whole.requestFullscreen?.();
  }

  // What is seen

  paint() {
    if (!this.data) return;
    const now = this.now, playing = !this.video.paused && !this.failed;
    const moving = playing || this.moving;
    show(this.toggle, moving ? "pause" : "play", moving ? "Pause (Space)" : "Play (Space)");
    this.toggle.disabled = this.failed && !STILL.includes(this.data.format);
    this.mute.hidden = this.failed;
    const { muted } = this.video;
    show(this.mute, muted ? "mute" : "loud", muted ? "Sound on (m)" : "Sound off (m)");
    this.clock.textContent = `${clock(now)} / ${clock(this.data.duration)}`;
    const at = this.matches.findIndex((match) => Math.abs(match.time - now) < 0.06);
    const many = this.matches.length;
    const said = at >= 0 ? `match ${at + 1} of ${many}` : `${many} match${many === 1 ? "" : "es"}`;
    if (this.count.textContent !== said) this.count.textContent = said;
    this.line.at(now);
    this.outline(now, playing);
  }

  // Outlines belong to one picture: they are seen while the film stands at it.
  outline(now, playing) {
    const { objects, size, chosen, at, moment } = this.data;
    const shown = moment && !playing && Math.abs(now - at) < 0.06 ? objects : [];
    const drawn = shown.map((object) => `${object.id}${Boolean(outlineOf(object))}`).join();
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.drawing.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    this.drawing.replaceChildren(...shown.filter(outlineOf).map((object) =>
      outlineGroup(outlineOf(object), { ...object, chosen: object.id === chosen })));
    this.place();
  }

  place() {
    const { offsetWidth, offsetHeight } = this.stage;
    const [width, height] = this.data?.size || [1, 1];
    const fit = Math.min(offsetWidth / width, offsetHeight / height);
    Object.assign(this.drawing.style, { width: `${width * fit}px`, height: `${height * fit}px`,
      left: `${(offsetWidth - width * fit) / 2}px`, top: `${(offsetHeight - height * fit) / 2}px` });
  }

  // Elsewhere

  tell(what, id) {
    if (id) this.trigger(what, { id });
  }

  leaveFor(id) {
    if (id) this.trigger("go", { id });
  }

  leave() {
    this.trigger("close", { id: this.data.id });
  }

  async copyPath() {
    try {
      await navigator.clipboard.writeText(this.data.path);
      this.copy.textContent = "Copied";
    } catch {
      this.copy.textContent = "See the path below";
    }
    setTimeout(() => { this.copy.textContent = "Copy the path"; }, 2000);
  }

  key(event) {
    const inside = event.composedPath()[0];
    if (inside instanceof HTMLElement && inside.matches("input, textarea, select, [contenteditable=true]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("[role=dialog]")) return;
    const within = (selector) => event.composedPath().some(
      (node) => node instanceof HTMLElement && node.matches?.(selector));
    if (event.key === "Escape") return this.leave();
    if (within("[role=listbox], [role=menu]")) return;
    // On a button, Space presses it.
    if (event.key === " " && inside instanceof HTMLElement && inside.matches("button, a, summary")) return;
    if (within("[role=slider]") && this.line.key(event, this.now)) return event.preventDefault();
    const acts = {
      n: () => this.step("matches", 1), ".": () => this.step("matches", 1),
      p: () => this.step("matches", -1), ",": () => this.step("matches", -1),
      "]": () => this.step("shots", 1), "[": () => this.step("shots", -1),
      " ": () => this.playOrPause(), m: () => this.hush(!this.video.muted), f: () => this.fill(),
      e: () => this.tell("annotate", this.nearest()),
      ArrowLeft: () => this.leaveFor(this.data.previous), ArrowRight: () => this.leaveFor(this.data.next),
    };
    if (acts[event.key]) {
      event.preventDefault();
      acts[event.key]();
    }
  }
}

export default (component) => mount(component, Player);
