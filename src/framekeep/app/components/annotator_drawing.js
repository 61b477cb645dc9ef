// What is drawn on a photo: prompts that a segmenter answers, boxes, strokes, polygons and the
// corners of outlines. The annotation view itself follows; it has `stage`, `saver`, `objects`,
// `selected`, `data`, `say`, `refresh` and `choose`.

const MOST_POINTS = 100;
const LONGEST_STROKE = 4000;
const MOST_CORNERS = 2000;
const CROSS_PX = 10;

function rounded([x, y]) {
  return [Math.round(10 * x) / 10, Math.round(10 * y) / 10];
}

function pairs(ring) {
  const points = [];
  for (let at = 0; at < ring.length; at += 2) points.push([ring[at], ring[at + 1]]);
  return points;
}

function boxOf(points) {
  const [xs, ys] = [points.map((point) => point[0]), points.map((point) => point[1])];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

class Drawing {
  constructor() {
    this.tool = "select";
    this.brush = 40;  // its width in CSS pixels: zooming in makes it finer
    this.answers = [];
    this.draft = this.layer = this.handles = this.stroke = this.boxing = this.cross = null;
  }

  setTool(tool) {
    this.dropGesture();
    this.tool = tool;
    this.minus = false;
    this.syncLayer();
    this.remember();
    this.refresh();
  }

  // The selected object is painted on as long as a brush is in hand.
  syncLayer() {
    if (this.tool === "brush" || this.tool === "eraser") this.openLayer(this.selected);
    else this.layer = null;
  }

  get painted() {
    return this.layer?.canvas || null;
  }

  // Gestures, as the pointer tells them

  gesture(point, second) {
    if (this.tool === "box") {
      if (this.boxing?.waiting) this.boxing.to = this.stage.inside(point);
      else this.boxing = { from: this.stage.inside(point), to: this.stage.inside(point) };
      return "box";
    }
    if (this.tool === "brush" || this.tool === "eraser") {
      return this.beginStroke(point, (this.tool === "eraser") !== second) ? "stroke" : "none";
    }
    if (this.handles) {
      const corner = this.cornerAt(point);
      if (corner && second) this.removeCorner(corner);
      else if (corner) this.grabbed = this.active = corner;
      if (corner) return second ? "none" : "corner";
    }
    return "click";
  }

  click(point, second) {
    if (this.tool === "points") this.addPoint(point, second || this.minus ? 0 : 1);
    else if (this.tool === "polygon" && !this.selected) this.addCorner(point);
    else this.choose(this.stage.objectAt(point, this.shownObjects));
  }

  drag(kind, point, moved = true) {
    if (kind === "box" && this.boxing) this.boxing.to = this.stage.inside(point);
    if (kind === "stroke") this.extendStroke(point);
    if (kind === "corner" && moved) this.moveCorner(this.stage.inside(point));
    this.cursor = point;
    this.stage.redraw();
  }

  drop(kind, _point, moved) {
    if (kind === "stroke") this.endStroke();
    if (kind === "corner" && moved) this.saveCorners();
    if (kind === "box" && this.boxing) {
      if (moved || this.boxing.waiting) this.finishBox();
      else this.boxing.waiting = true;
    }
    this.grabbed = null;
    this.stage.redraw();
  }

  doubleClick() {
    if (this.draft?.kind === "polygon") this.keepDraft();
  }

  hover(point) {
    this.cursor = point;
    if (this.boxing?.waiting && point) this.boxing.to = this.stage.inside(point);
    const looking = point && (this.tool === "select" || (this.tool === "polygon" && this.selected));
    const hovered = looking ? this.stage.objectAt(point, this.shownObjects) : null;
    this.stage.redraw(hovered === this.hovered ? "tool" : "objects");
    this.hovered = hovered;
  }

  cancelGesture() {
    this.dropGesture();
    this.refresh();
  }

  dropGesture() {
    const painted = this.stroke && this.layer;
    this.stroke = null;
    if (painted) this.paintLayer();
    if (this.grabbed) this.handles = null;
    this.boxing = this.grabbed = null;
  }

  // Prompts: points and boxes that the segmenter answers

  get target() {
    return this.draft?.target ? this.objects.find((one) => one.id === this.draft.target) : null;
  }

  // Room for a drawing of this kind; false where another one is not finished.
  begin(kind) {
    if (this.draft && this.draft.kind !== kind && !this.finished()) return false;
    const target = kind === "prompt" && this.selected ? this.selected.id : null;
    this.draft ||= { kind, target, key: newKey(), label: "", points: [], box: null,
      combine: "replace", answer: 0 };
    return true;
  }

  // Keeps what is drawn, as another thing is begun; false where it has to be finished first.
  finished() {
    if (this.draft) this.keepDraft();
    if (this.draft?.kept) this.say("Wait for the answer to what was pointed at, or press Escape.");
    return !this.draft;
  }

  addPoint(point, label) {
    const [x, y] = rounded(point);
    if (x < 0 || y < 0 || x > this.stage.size[0] || y > this.stage.size[1]) return;
    if (!label && !this.selected && !this.draft?.points.length && !this.draft?.box) {
      this.say("Begin with a point on the object, then point at what does not belong to it.");
      return;
    }
    if (!this.begin("prompt") || this.draft.points.length >= MOST_POINTS) return;
    this.draft.points.push([x, y, label]);
    this.prompt();
  }

  finishBox() {
    const box = boxOf([rounded(this.boxing.from), rounded(this.boxing.to)]);
    this.boxing = null;
    if (box[2] - box[0] < 1 || box[3] - box[1] < 1) return this.refresh();
    if (!this.begin("prompt")) return;
    this.draft.box = box;
    this.prompt();
  }

  // The box to ask with: the one drawn, else the object's own, grown to hold the points on it.
  promptBox() {
    const { box, points } = this.draft;
    if (box || !this.target) return box;
    const [left, top, right, bottom] = this.target.box;
    const within = [[left, top], [right, bottom]];
    for (const [x, y, label] of points) {
      if (label) within.push([x - 4, y - 4], [x + 4, y + 4]);
    }
    return boxOf(within.map((point) => this.stage.inside(point)));
  }

  async prompt() {
    const { draft } = this;
    draft.answer = 0;
    this.remember();
    if (this.asking) return (this.asking.again = true);
    const asked = (this.asking = { again: false });
    this.refresh();
    const { media, base } = this.data;
    const body = { points: draft.points, box: this.promptBox() };
    let found = null, trouble = "";
    try {
      found = await ask(`${base}/fk/objects/${media}/prompt`, "POST", body);
    } catch (error) {
      trouble = error.message;
    }
    this.asking = null;
    if (this.draft && this.draft.kind === "prompt" && (asked.again || this.draft !== draft)) {
      return this.prompt();
    }
    if (this.draft === draft) this.takeAnswers(found, trouble);
    this.refresh();
  }

  takeAnswers(found, trouble) {
    if (found) this.segmenter = found.segmenter;
    this.answers = (found?.proposals || []).map((one) => ({ ...one, path: pathOf(one.rings) }));
    if (this.draft.box) {
      const [left, top, right, bottom] = this.draft.box;
      const rings = [[left, top, right, top, right, bottom, left, bottom]];
      this.answers.push({ rings, path: pathOf(rings), plain: true });
    }
    if (trouble) this.say(trouble);
    else if (!found.proposals.length) this.say("Nothing was found there: try another point or a box.");
    if (this.draft.kept && this.answers.length) this.keepDraft();
    else this.draft.kept = false;
  }

  nextAnswer(step) {
    const number = this.answers.length;
    if (number) this.draft.answer = (this.draft.answer + step + number) % number;
    this.remember();
    this.refresh();
  }

  // What is drawn is finished: it becomes an object, or the new mask of one.

  keepDraft() {
    const { draft } = this;
    if (!draft) return;
    const answer = draft.kind === "prompt" && this.answers[draft.answer];
    if (draft.kind === "polygon" && draft.points.length < 3) {
      return this.say("A polygon has at least three corners.");
    }
    if (draft.kind === "prompt" && !answer) {
      draft.kept = Boolean(this.asking);
      return this.refresh();
    }
    const { target } = this;
    this.draft = null;
    this.answers = [];
    if (!answer) this.draw({ rings: [draft.points] }, [draft.points.flat()], draft);
    else {
      const mask = answer.plain ? { rings: answer.rings.map(pairs) } : { counts: answer.counts };
      if (target) this.replaceMask(target, mask, answer, draft);
      else this.draw({ ...mask, prompted: !answer.plain }, answer.rings, draft);
    }
    this.remember();
    this.refresh();
  }

  draw(body, rings, draft) {
    const places = rings.length ? rings.flatMap(pairs) : body.strokes[0].points;
    const object = { id: `new:${draft.key}`, version: 0, label: draft.label, state: "open", rings,
      labelSource: draft.label ? "person" : "", box: boxOf(places), area: 0, origin: "by a person" };
    this.objects.push(this.dress(object));
    const given = draft.label ? { label: draft.label } : {};
    this.saver.add({ kind: "draw", media: this.data.media, id: object.id, body: { ...body, ...given } });
    this.choose(object);
  }

  replaceMask(object, mask, answer, draft) {
    if (object.version < 0) return this.say("This object is just being shown anew: point at it again.");
    if (draft.combine === "replace") {
      Object.assign(object, { rings: answer.rings, path: null, box: boxOf(answer.rings.flatMap(pairs)) });
    }
    const body = { ...mask, combine: draft.combine };
    this.saver.add({ kind: "mask", media: this.data.media, id: object.id, body });
  }

  cancelDraft() {
    this.draft = null;
    this.answers = [];
    this.remember();
    this.refresh();
  }

  // Back by one point or corner; false where there is none.
  stepBack() {
    const { draft } = this;
    if (!draft) return false;
    if (draft.points.length) draft.points.pop();
    else draft.box = null;
    if (!draft.points.length && !draft.box) this.cancelDraft();
    else if (draft.kind === "prompt") this.prompt();
    this.remember();
    this.refresh();
    return true;
  }

  // Polygons

  addCorner(point) {
    if (!this.begin("polygon")) return;
    const { points } = this.draft;
    const first = points[0];
    const near = (one) => Math.hypot(one[0] - point[0], one[1] - point[1]) * this.stage.scale < GRAB_PX;
    if (first && points.length > 2 && near(first)) return this.keepDraft();
    if (points.length && near(points.at(-1))) return;
    if (points.length < MOST_CORNERS) points.push(rounded(this.stage.inside(point)));
    this.remember();
    this.refresh();
  }

  // Strokes

  beginStroke(point, erase) {
    if (!this.finished()) return false;
    const object = this.selected;
    if (erase && !object) {
      this.say("Select the object to erase from first.");
      return false;
    }
    this.openLayer(object);
    this.stroke = { points: [rounded(point)], radius: Math.max(0.5, this.brush / 2 / this.stage.scale), erase };
    this.paint(this.stroke, 0);
    return true;
  }

  extendStroke(point) {
    const { stroke } = this;
    if (!stroke) return;
    const [x, y] = stroke.points.at(-1);
    const away = Math.hypot(point[0] - x, point[1] - y);
    if (away < Math.max(1 / this.stage.scale, stroke.radius / 12)) return;
    stroke.points.push(rounded(point));
    this.paint(stroke, stroke.points.length - 2);
    if (stroke.points.length < LONGEST_STROKE) return;
    this.endStroke();
    this.beginStroke(point, stroke.erase);
  }

  endStroke() {
    const { stroke, layer } = this;
    this.stroke = null;
    if (!stroke || !layer) return;
    const media = this.data.media;
    if (this.selected) {
      this.saver.add({ kind: "strokes", media, id: this.selected.id, body: { strokes: [stroke] } });
    } else {
      this.draw({ strokes: [stroke] }, [], { key: newKey(), label: "" });
    }
    this.refresh();
  }

  // The mask that is painted on: at once as its outline says, exactly when it has come.
  async openLayer(object) {
    const id = object?.id || null;
    if (this.layer && this.layer.id === id) return;
    const layer = (this.layer = { id, object, version: object?.version, colour: object?.colour || NEUTRAL });
    this.paintLayer();
    if (!object || id.startsWith("new:")) return;
    try {
      const found = await ask(`${this.data.base}/fk/objects/${id}/mask`);
      if (this.layer !== layer || layer.counts) return;
      Object.assign(layer, { counts: found.counts, version: found.version });
      this.paintLayer();
    } catch (error) {
      this.say(error.message);
    }
  }

  layerContext() {
    const { canvas } = this.layer;
    const context = canvas.getContext("2d");
    context.setTransform(canvas.width / this.stage.size[0], 0, 0, canvas.height / this.stage.size[1], 0, 0);
    return context;
  }

  paintLayer() {
    const { layer } = this;
    layer.canvas = maskCanvas(layer.counts || "", this.stage.size, layer.colour, PREVIEW_PX);
    if (!layer.counts && layer.object) {
      const context = this.layerContext();
      context.fillStyle = layer.colour;
      context.fill(pathOf(layer.object.rings), "evenodd");
    }
    if (layer.id) for (const stroke of this.saver.strokesOf(layer.id)) this.paint(stroke, 0);
    if (this.stroke) this.paint(this.stroke, 0);
    this.stage.redraw();
  }

  paint(stroke, from) {
    const context = this.layerContext();
    context.globalCompositeOperation = stroke.erase ? "destination-out" : "source-over";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = 2 * stroke.radius;
    context.strokeStyle = this.layer.colour;
    const points = stroke.points.slice(from);
    context.beginPath();
    context.moveTo(...points[0]);
    for (const point of points.length > 1 ? points.slice(1) : points) context.lineTo(...point);
    context.stroke();
    context.globalCompositeOperation = "source-over";
    this.stage.redraw();
  }
}
