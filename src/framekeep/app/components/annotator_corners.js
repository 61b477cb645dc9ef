// The corners of an outline: drag them, put new ones in between, take some away. What is sent is the
// outline before and after, so that the mask changes only between the two.

const NEAREST_PX = 9;
const LEAST_EDGE_PX = 26;
const NUDGE_MS = 500;

class Corners extends Drawing {
  // Corners belong to the selected object while the polygon tool is chosen.
  syncCorners() {
    const { selected, handles } = this;
    const wanted = this.tool === "polygon" && selected && !this.draft && selected.version > 0;
    if (!wanted) {
      this.handles = this.active = null;
      return;
    }
    const mine = handles && handles.id === selected.id;
    if (mine && (handles.version === selected.version || handles.saving || this.grabbed)) return;
    const rings = selected.rings.map((ring) => simplified(ring, Math.max(0.4, 1.5 / this.stage.scale)));
    this.handles = { id: selected.id, version: selected.version, rings, before: structuredClone(rings) };
    this.active = null;
  }

  cornerAt(point) {
    const reach = NEAREST_PX / this.stage.scale;
    let best = null, nearest = reach;
    this.handles.rings.forEach((ring, ringAt) => ring.forEach((corner, at) => {
      const away = Math.hypot(corner[0] - point[0], corner[1] - point[1]);
      if (away <= nearest) [nearest, best] = [away, { ring: ringAt, at }];
    }));
    if (best) return best;
    for (const { ring, at, middle } of this.middles()) {
      if (Math.hypot(middle[0] - point[0], middle[1] - point[1]) > reach) continue;
      this.handles.rings[ring].splice(at + 1, 0, rounded(middle));
      return { ring, at: at + 1 };
    }
    return null;
  }

  // Where a new corner can be put in: the middles of long edges.
  *middles() {
    for (const [number, ring] of this.handles.rings.entries()) {
      for (const [at, corner] of ring.entries()) {
        const next = ring[(at + 1) % ring.length];
        const length = Math.hypot(next[0] - corner[0], next[1] - corner[1]);
        if (length * this.stage.scale < LEAST_EDGE_PX) continue;
        yield { ring: number, at, middle: [(corner[0] + next[0]) / 2, (corner[1] + next[1]) / 2] };
      }
    }
  }

  moveCorner(point) {
    if (!this.grabbed || !this.handles) return;
    this.handles.rings[this.grabbed.ring][this.grabbed.at] = rounded(point);
    this.stage.redraw();
  }

  removeCorner({ ring, at }) {
    const corners = this.handles.rings[ring];
    if (corners.length < 4) return this.say("An outline keeps at least three corners.");
    corners.splice(at, 1);
    this.active = null;
    this.saveCorners();
  }

  nudge(dx, dy) {
    const corner = this.handles.rings[this.active.ring][this.active.at];
    const moved = [corner[0] + dx / this.stage.scale, corner[1] + dy / this.stage.scale];
    this.handles.rings[this.active.ring][this.active.at] = rounded(this.stage.inside(moved));
    clearTimeout(this.nudged);
    this.nudged = setTimeout(() => this.saveCorners(), NUDGE_MS);
    this.stage.redraw();
  }

  nextCorner(step) {
    const all = this.handles.rings.flatMap((ring, number) => ring.map((_, at) => ({ ring: number, at })));
    const here = all.findIndex((one) => one.ring === this.active?.ring && one.at === this.active?.at);
    this.active = all[(here + step + all.length) % all.length] || null;
    this.stage.redraw();
  }

  saveCorners() {
    clearTimeout(this.nudged);
    const { handles } = this;
    const object = handles && this.objects.find((one) => one.id === handles.id);
    if (!object) return;
    const [before, after] = [handles.before, structuredClone(handles.rings)];
    if (JSON.stringify(before) === JSON.stringify(after)) return;
    handles.before = after;
    handles.saving = (handles.saving || 0) + 1;
    Object.assign(object, { rings: after.map((ring) => ring.flat()), path: null });
    this.saver.add({ kind: "mask", media: this.data.media, id: object.id, body: { moved: { before, after } } });
    this.refresh();
  }

  // What the tool in hand shows on the stage

  drawTool(context, pen) {
    if (this.draft) this.drawDraft(context, pen);
    if (this.boxing) {
      const [left, top, right, bottom] = boxOf([this.boxing.from, this.boxing.to]);
      const path = new Path2D();
      path.rect(left, top, right - left, bottom - top);
      this.stage.line(context, path, ANSWER, 2, [6 * pen, 4 * pen]);
    }
    if (this.handles) this.drawCorners(context, pen);
    const here = this.cross || this.cursor;
    if ((this.tool === "brush" || this.tool === "eraser") && here) {
      const circle = new Path2D();
      circle.arc(here[0], here[1], (this.brush / 2) * pen, 0, 7);
      this.stage.line(context, circle, this.tool === "eraser" ? "#ff8787" : "#fff", 1.5);
    }
    if (this.cross) this.drawCross(context, pen);
  }

  drawDraft(context, pen) {
    const { draft } = this;
    if (draft.kind === "polygon") return this.drawPolygon(context, pen);
    const answer = this.answers[draft.answer];
    if (answer) {
      context.globalAlpha = 0.35;
      context.fillStyle = ANSWER;
      context.fill(answer.path, "evenodd");
      context.globalAlpha = 1;
      this.stage.line(context, answer.path, ANSWER, 2, [6 * pen, 4 * pen]);
    }
    if (draft.box) {
      const [left, top, right, bottom] = draft.box;
      const path = new Path2D();
      path.rect(left, top, right - left, bottom - top);
      this.stage.line(context, path, "#fff", 1);
    }
    for (const [x, y, label] of draft.points) {
      this.stage.dot(context, [x, y], 8, label ? "#2b8a3e" : "#c92a2a", label ? "+" : "−");
    }
  }

  drawPolygon(context, pen) {
    const { points } = this.draft;
    const path = new Path2D();
    points.forEach((point, at) => (at ? path.lineTo(...point) : path.moveTo(...point)));
    const here = this.cross || this.cursor;
    if (here) path.lineTo(...here);
    if (points.length > 2) {
      context.globalAlpha = 0.25;
      context.fillStyle = ANSWER;
      context.fill(path);
      context.globalAlpha = 1;
    }
    this.stage.line(context, path, ANSWER, 2);
    points.forEach((point, at) => this.stage.dot(context, point, at ? 4 : 7, at ? "#1864ab" : "#2b8a3e"));
  }

  drawCorners(context, pen) {
    const path = pathOf(this.handles.rings.map((ring) => ring.flat()));
    this.stage.line(context, path, "#fff", 1.5);
    for (const { middle } of this.middles()) this.stage.dot(context, middle, 3, "rgba(255, 255, 255, 0.5)");
    this.handles.rings.forEach((ring, number) => ring.forEach((corner, at) => {
      const active = this.active?.ring === number && this.active?.at === at;
      this.stage.dot(context, corner, active ? 7 : 5, active ? "#e8590c" : "#1864ab");
    }));
  }

  drawCross(context, pen) {
    const [x, y] = this.cross;
    const path = new Path2D();
    const arm = 14 * pen;
    path.moveTo(x - arm, y);
    path.lineTo(x + arm, y);
    path.moveTo(x, y - arm);
    path.lineTo(x, y + arm);
    this.stage.line(context, path, "#fff", 2);
  }

  // The keyboard's pointer: arrows move it, Space presses and lets go.

  toggleCross() {
    const middle = this.stage.toPhoto([this.stage.node.clientWidth / 2, this.stage.node.clientHeight / 2]);
    this.cross = this.cross ? null : this.stage.inside(middle);
    this.say(this.cross ? "Arrows move the cross, Space presses; k or Escape ends it." : "The cross is off.");
    this.stage.redraw();
  }

  moveCross(dx, dy, fine) {
    const step = (fine ? 1 : CROSS_PX) / this.stage.scale;
    this.cross = this.stage.inside([this.cross[0] + dx * step, this.cross[1] + dy * step]);
    if (this.boxing?.waiting) this.boxing.to = this.cross;
    if (this.stroke) this.extendStroke(this.cross);
    if (this.grabbed) this.moveCorner(this.cross);
    this.stage.redraw();
  }

  pressCross(second) {
    if (this.stroke) return this.drop("stroke");
    if (this.grabbed) return this.drop("corner", null, true);
    const kind = this.gesture(this.cross, second);
    if (kind === "click") this.click(this.cross, second);
    else if (kind === "box") this.drop("box", this.cross, false);
  }
}
