// The annotation view: a photo with its objects, to be corrected, drawn and labelled. Python sends
// {media, name, size, film, previous, next, place, object, generation, segmenter, base}; back go `go` {id},
// `unlabelled` {id} and `close` as triggers. Edits go to our own routes at once.

const SETTINGS = "fk-annotate";
const KEYS = [
  ["v p x b e g", "select, points, box, brush, eraser, polygon"],
  ["click", "select; with points, point at the object"],
  ["Alt or right click", "point at what is not the object; take a corner away; erase while brushing"],
  ["Enter", "keep what is drawn"], ["↑ ↓", "another answer, or another object"],
  ["Escape", "cancel what is drawn, let go of the object"], ["Backspace", "one point back"],
  ["i", "draw a new object"], ["1 … 9", "label with a class"], ["l", "type a label"],
  ["a", "accept, or take that back"], ["r or Delete", "reject, or take that back"],
  ["Ctrl + Z", "take the last edit back"], ["n", "next photo with something unlabelled"],
  ["← →", "previous and next photo"], ["[ ]", "narrower and wider brush; corner before and after"],
  ["wheel, + −, 0, z", "zoom; whole photo; zoom to the object"],
  ["Space and drag, middle button", "move the photo"], ["o", "show or hide the outlines"],
  ["k", "point with the keyboard: arrows move a cross, Space presses"], ["?", "show these keys"],
];

class Annotator extends Corners {
  constructor(parent) {
    super();
    this.root = parent.querySelector(".fk-root");
    this.objects = [];
    this.classes = [];
    this.colours = new Map();
    this.selected = this.hovered = null;
    this.hidden = this.withRejected = false;
    this.stage = new Stage(this);
    this.pointer = new Pointer(this, this.stage);
    this.panel = new Panel(this);
    this.toast = el("div", { class: "toast", role: "status" });
    this.toast.hidden = true;
    const body = el("div", { class: "body" });
    const left = el("div", { class: "left" });
    const frame = el("div", { class: "frame" });
    frame.append(this.stage.node, this.panel.view, this.panel.finish, this.toast);
    left.append(this.panel.bar, frame, this.panel.options);
    body.append(left, this.panel.side);
    this.root.replaceChildren(this.panel.top, body);
    this.anywhere = (event) => this.key(event);
    this.released = (event) => this.keyUp(event);
    // Before Streamlit's own keys, which would run the page anew at "r".
    addEventListener("keydown", this.anywhere, true);
    addEventListener("keyup", this.released, true);
    this.parting = () => this.remember();
    addEventListener("pagehide", this.parting);
    const settings = kept(SETTINGS, {});
    this.tool = settings.tool || "select";
    this.brush = settings.brush || 40;
  }

  destroy() {
    removeEventListener("keydown", this.anywhere, true);
    removeEventListener("keyup", this.released, true);
    removeEventListener("pagehide", this.parting);
    this.remember();
    this.stage.destroy();
    this.saver?.destroy();
    clearTimeout(this.saying);
  }

  update({ data, setTriggerValue }) {
    this.trigger = setTriggerValue;
    const changed = data.media !== this.data?.media;
    const others = data.generation !== this.data?.generation;
    this.data = data;
    this.saver ||= new Saver(data.base, {
      answered: (job, answer) => this.answered(job, answer),
      refused: (job, sentence) => this.refused(job, sentence),
      changed: () => this.panel.update(),
    });
    if (changed) this.open();
    else if (others) this.load();
    this.refresh();
  }

  open() {
    const { media, base, size, name } = this.data;
    this.objects = [];
    this.selected = this.hovered = this.layer = this.handles = this.stroke = this.boxing = this.cross = null;
    this.draft = null;
    this.answers = [];
    this.segmenter ||= this.data.segmenter;
    this.stage.node.setAttribute("aria-label", `${name}: draw and correct objects; press ? for the keys`);
    this.stage.open(base, media, size, this.data.film);
    this.loading = true;
    const before = kept(`${SETTINGS}-${media}`, {});
    this.load().then(() => {
      if (this.data.media !== media) return;
      this.stage.view = before.view;
      const wanted = this.data.object || before.selected;
      this.selected = this.objects.find((one) => one.id === wanted) || null;
      this.draft = before.draft || null;
      if (this.draft?.kind === "prompt") this.prompt();
      this.syncLayer();
      this.saver.run();
      this.refresh();
    });
    this.stage.node.focus({ preventScroll: true });
  }

  // The objects as the server has them; what is on its way there is not touched.
  async load() {
    const { media, base } = this.data;
    if (this.saver.jobs.some((job) => job.media === media && !job.restored)) return (this.stale = true);
    this.stale = false;
    let found;
    try {
      found = await ask(`${base}/fk/objects/${media}`);
    } catch (error) {
      this.loading = false;
      this.say(error.message);
      return;
    }
    if (this.data.media !== media) return;
    if (this.saver.jobs.some((job) => !job.restored) || this.stroke || this.grabbed) return (this.stale = true);
    this.loading = false;
    this.saver.learn(found.segments);
    this.setClasses(found.classes);
    this.merge(found.segments);
    if (this.layer && this.selected?.version !== this.layer.version) this.reopenLayer();
    this.refresh();
  }

  merge(segments) {
    const fresh = new Map(segments.map((segment) => [segment.id, segment]));
    const former = this.objects.filter((one) => fresh.has(one.id));
    for (const object of former) this.take(object, fresh.get(object.id));
    const known = new Set(former.map((one) => one.id));
    const added = segments.filter((segment) => !known.has(segment.id)).map((segment) => this.dress({ ...segment }));
    this.objects = [...former, ...added];
    if (this.selected && !fresh.has(this.selected.id)) this.selected = null;
  }

  take(object, segment) {
    if (object.version !== segment.version) object.path = null;
    Object.assign(object, segment);
    this.dress(object);
  }

  // What is shown of an object.
  dress(object) {
    object.colour = this.colours.get(object.label) || "";
    object.title = object.label || "no label";
    object.draft = object.maskSource === "model" && object.state !== "accepted";
    const by = { model: "labelled by the model", import: "label imported", person: "" }[object.labelSource] || "";
    object.said = [by, object.origin].filter(Boolean).join(", ");
    return object;
  }

  setClasses(classes) {
    this.colours = new Map(classes.map(({ name, colour }) => [name, colour]));
    // A class keeps its number while the page is open, however often the others are used.
    const there = this.classes.filter(({ name }) => this.colours.has(name)).map(({ name }) => name);
    const added = classes.map(({ name }) => name).filter((name) => !there.includes(name));
    this.classes = [...there, ...added].map((name) => ({ name, colour: this.colours.get(name) }));
    for (const object of this.objects) this.dress(object);
  }

  get shownObjects() {
    return this.objects.filter((one) => this.withRejected || one.state !== "rejected" || one === this.selected);
  }

  // Answers of the server to edits

  answered(job, answer) {
    if (job.kind === "undo") {
      this.say(answer.undone ? `Taken back: ${answer.undone}` : "There is nothing to take back.");
      if (this.saver.jobs.length) this.stale = true;
      else this.load();
      return;
    }
    this.setClasses(answer.classes);
    const { segment } = answer;
    const object = this.objects.find((one) => one.id === job.id || one.id === segment.id);
    if (object) {
      const later = this.saver.jobs.some((other) => this.saver.nameOf(other.id) === segment.id);
      this.tookPlace(job, object, segment, later);
      if (this.layer && [job.id, segment.id].includes(this.layer.id)) {
        Object.assign(this.layer, { id: segment.id, version: segment.version, counts: answer.counts, colour: object.colour || NEUTRAL });
        this.paintLayer();
      }
      if (this.draft?.target === job.id) this.draft.target = segment.id;
    } else if (job.media === this.data.media) this.objects.push(this.dress({ ...segment }));
    if (this.stale && !this.saver.jobs.length) this.load();
    this.remember();
    this.refresh();
  }

  // Later edits of the same object are shown already: then only its version is news.
  tookPlace(job, object, segment, later) {
    const mine = this.handles?.id === job.id || this.handles?.id === segment.id;
    if (later) Object.assign(object, { id: segment.id, version: segment.version, seen: segment.seen });
    else this.take(object, segment);
    if (mine && job.body.moved) {
      this.handles.saving -= 1;
      this.handles.version = segment.version;
    }
  }

  refused(job, sentence) {
    if (sentence) this.say(sentence);
    this.objects = this.objects.filter((one) => one.id !== job.id || !one.id.startsWith("new:"));
    if (this.selected && !this.objects.includes(this.selected)) this.selected = null;
    for (const object of this.objects) object.version = object.version || 0;
    const object = this.objects.find((one) => one.id === job.id);
    if (object) object.version = -1;
    this.handles = null;
    this.load().then(() => { if (this.layer) this.reopenLayer(); });
  }

  reopenLayer() {
    this.layer = null;
    this.syncLayer();
    this.stage.redraw();
  }

  // Acting on objects

  choose(object, show = false) {
    object ||= null;
    if (object !== this.selected && this.draft && !this.finished()) return;
    this.selected = object;
    this.handles = this.active = null;
    this.syncLayer();
    if (object && show) this.reveal(object);
    this.remember();
    this.refresh();
  }

  reveal({ box }) {
    const [left, top] = [box[0] * this.stage.scale + this.stage.x, box[1] * this.stage.scale + this.stage.y];
    const [right, bottom] = [box[2] * this.stage.scale + this.stage.x, box[3] * this.stage.scale + this.stage.y];
    const { clientWidth: width, clientHeight: height } = this.stage.node;
    if (right < 0 || bottom < 0 || left > width || top > height) this.stage.showBox(box);
  }

  step(direction) {
    const objects = this.shownObjects;
    if (!objects.length) return;
    const here = objects.indexOf(this.selected);
    const next = here < 0 ? (direction > 0 ? 0 : objects.length - 1) : (here + direction + objects.length) % objects.length;
    this.choose(objects[next], true);
  }

  startNew() {
    this.choose(null);
    if (this.tool === "select") this.setTool("points");
    this.stage.node.focus({ preventScroll: true });
  }

  judge(state) {
    const object = this.selected;
    if (!object) return this.say("Select an object first.");
    object.state = object.state === state ? "open" : state;
    this.dress(object);
    this.saver.add({ kind: "state", media: this.data.media, id: object.id, body: { state: object.state } });
    this.refresh();
  }

  label(name) {
    if (this.draft && !this.draft.target) {
      this.draft.label = name;
      this.remember();
      return this.refresh();
    }
    const object = this.selected;
    if (!object) return this.say("Select an object first.");
    Object.assign(object, { label: name, labelSource: name ? "person" : "" });
    this.dress(object);
    this.saver.add({ kind: "label", media: this.data.media, id: object.id, body: { label: name || null } });
    this.refresh();
  }

  undo() {
    if (this.draft) return this.stepBack();
    if (!this.saver.changes.length && !this.saver.jobs.length) return this.say("There is nothing to take back.");
    this.saver.add({ kind: "undo", media: this.data.media, body: {} });
  }

  setCombine(value) {
    this.draft.combine = value;
    this.remember();
    this.refresh();
  }

  setBrush(width) {
    this.brush = Math.max(4, Math.min(240, width));
    this.remember();
    this.refresh();
  }

  toggleMinus() {
    this.minus = !this.minus;
    this.refresh();
  }

  toggleOutlines() {
    this.hidden = !this.hidden;
    this.refresh();
  }

  showRejected(shown) {
    this.withRejected = shown;
    this.refresh();
  }

  zoomToObject() {
    this.selected?.rings.length ? this.stage.showBox(this.selected.box) : this.stage.fit();
  }

  // Going elsewhere

  go(id) {
    if (!id) return;
    this.remember();
    this.trigger("go", { id });
  }

  goUnlabelled() {
    this.remember();
    this.trigger("unlabelled", { id: this.data.media });
  }

  leave() {
    this.remember();
    this.trigger("close", { id: this.data.media });
  }

  // What a reload brings back: the drawing that is not finished, what is selected, the view.
  remember() {
    if (!this.data) return;
    keep(SETTINGS, { tool: this.tool, brush: this.brush });
    const draft = this.draft && { ...this.draft };
    const selected = this.selected && this.saver.nameOf(this.selected.id);
    keep(`${SETTINGS}-${this.data.media}`, draft || selected || this.stage.view ? { draft, selected, view: this.stage.view } : null);
  }

  refresh() {
    if (!this.data || !this.saver) return;
    this.syncCorners();
    this.panel.update();
    this.stage.node.dataset.tool = this.tool;
    this.stage.redraw("objects");
  }

  get hint() {
    const { tool, selected, segmenter } = this;
    const by = segmenter ? `; ${segmenter.name} answers${segmenter.draft ? " with a draft of the main object" : ""}.` : ".";
    const name = selected ? `“${selected.title}”` : "";
    if (tool === "points") {
      return (selected
        ? `Correcting ${name}: click what belongs to it, Alt-click what does not`
        : "New object: click on it, Alt-click what does not belong to it") + by;
    }
    if (tool === "box") return `${selected ? `Correcting ${name}` : "New object"}: draw a box around it${by}`;
    if (tool === "brush") return selected ? `Paint what belongs to ${name}.` : "New object: paint it.";
    if (tool === "eraser") return selected ? `Erase what does not belong to ${name}.` : "Select the object to erase from.";
    if (tool === "polygon") {
      return selected
        ? `Drag the corners of ${name}, or the dots between them; Alt-click takes one away.`
        : "New object: click from corner to corner; Enter or the first corner closes it.";
    }
    return "Click an object to select it; drag to move the photo, turn the wheel to zoom.";
  }

  answerSaid(answer) {
    if (this.asking) return `${this.segmenter?.name || "The segmenter"} is looking…`;
    if (!answer) return "No answer";
    const number = this.answers.length > 1 ? `${this.draft.answer + 1} of ${this.answers.length}: ` : "";
    if (answer.plain) return `${number}the box itself`;
    const { name, draft } = this.segmenter;
    return `${number}${name}${draft ? ", a draft of the main object" : ""}, ${Math.round(100 * answer.score)} %`;
  }

  say(text) {
    this.toast.textContent = text;
    this.toast.hidden = false;
    clearTimeout(this.saying);
    this.saying = setTimeout(() => { this.toast.hidden = true; }, 5000);
  }

  // Keys

  key(event) {
    const inside = event.composedPath()[0];
    const within = inside instanceof Element && this.root.contains(inside);
    if (this.keys) {
      if (event.key === "Escape") this.closeKeys();
      else if (event.key === "Tab") event.preventDefault();
      else return;
      event.stopPropagation();
      return;
    }
    if (document.querySelector("[role=dialog]")) return;
    const typing = inside instanceof HTMLElement && inside.matches("input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable=true]");
    if (typing) {
      if (within) this.typed(event);
      return;
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !event.shiftKey) {
      this.undo();
    } else if (event.ctrlKey || event.metaKey) return;
    else if (!this.act(event, inside)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  typed(event) {
    if (event.composedPath()[0] === this.panel.input) this.panel.pickerKey(event);
    event.stopPropagation();
  }

  keyUp(event) {
    if (event.key !== " " || !this.pointer.space) return;
    this.pointer.space = false;
    this.stage.node.classList.remove("grab");
    if (!this.pointer.panned && this.cross) {
      this.pressCross(event.altKey);
      this.refresh();
    }
  }

  // True where the key meant something here.
  act(event, inside) {
    const onButton = inside instanceof HTMLElement && inside.matches("button, a, summary, [role=button], [role=tab], input");
    if (event.key === " ") return !onButton && this.holdSpace(event);
    if (event.key === "Enter") return !onButton && Boolean(this.draft) && (this.keepDraft(), true);
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (arrows) return !(inside instanceof HTMLElement && inside.matches("input")) && this.arrow(arrows, event.shiftKey);
    if (event.altKey) return false;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const tool = TOOLS.find(([, , short]) => short === key);
    if (tool) return this.setTool(tool[0]), true;
    if (/^[1-9]$/.test(key)) {
      const known = this.classes[key - 1];
      known ? this.label(known.name) : this.say(`There is no class ${key} yet: type a label with l.`);
      return true;
    }
    const corners = this.handles && this.tool === "polygon";
    const acts = {
      a: () => this.judge("accepted"), r: () => this.judge("rejected"),
      Delete: () => (corners && this.active ? this.removeCorner(this.active) : this.judge("rejected")),
      Backspace: () => this.stepBack() || (corners && this.active ? this.removeCorner(this.active) : this.judge("rejected")),
      l: () => this.panel.openPicker(), n: () => this.goUnlabelled(), i: () => this.startNew(),
      o: () => this.toggleOutlines(), k: () => this.toggleCross(), z: () => this.zoomToObject(),
      "+": () => this.stage.zoom(1.25), "=": () => this.stage.zoom(1.25), "-": () => this.stage.zoom(0.8),
      0: () => this.stage.fit(), "[": () => (corners ? this.nextCorner(-1) : this.setBrush(this.brush * 0.8)),
      "]": () => (corners ? this.nextCorner(1) : this.setBrush(this.brush * 1.25)),
      "?": () => this.showKeys(), Escape: () => this.escape(),
    };
    if (!acts[key]) return false;
    acts[key]();
    return true;
  }

  holdSpace(event) {
    if (!event.repeat) this.pointer.panned = false;
    this.pointer.space = true;
    this.stage.node.classList.add("grab");
    return true;
  }

  arrow([dx, dy], fine) {
    if (this.cross) this.moveCross(dx, dy, fine);
    else if (this.active && this.handles) this.nudge(dx * (fine ? 10 : 1), dy * (fine ? 10 : 1));
    else if (dx) this.go(dx < 0 ? this.data.previous : this.data.next);
    else if (this.draft?.kind === "prompt" && this.answers.length > 1) this.nextAnswer(dy);
    else this.step(dy);
    return true;
  }

  escape() {
    if (this.stroke || this.grabbed || this.boxing) return this.cancelGesture();
    if (this.draft) return this.cancelDraft();
    if (this.cross) return this.toggleCross();
    if (this.active) this.active = null;
    else if (this.selected) return this.choose(null);
    this.refresh();
  }

  showKeys() {
    if (this.keys) return;
    this.before = this.root.getRootNode().activeElement;
    this.keys = el("div", { class: "keys", role: "dialog", "aria-modal": "true", "aria-label": "Keys" });
    const box = el("div");
    const list = el("dl");
    for (const [key, what] of KEYS) list.append(el("dt", {}, key), el("dd", {}, what));
    const close = button("Close", () => this.closeKeys());
    box.append(el("h2", {}, "Keys"), list, close);
    this.keys.append(box);
    this.keys.onclick = (event) => { if (event.target === this.keys) this.closeKeys(); };
    this.root.append(this.keys);
    close.focus();
  }

  closeKeys() {
    this.keys?.remove();
    this.keys = null;
    (this.before || this.stage.node).focus({ preventScroll: true });
  }
}

export default (component) => mount(component, Annotator);
