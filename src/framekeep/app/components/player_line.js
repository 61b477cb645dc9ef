// The line under the player: a film's time with its shots, and marks where the query matches. The
// player's own script follows.

const SEEK_S = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
const NEAREST_PX = 3;  // shots that begin nearer together share a line

function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

// The frame that shows a time best: of the shot that is seen then, where it has one.
function frameAt(frames, time) {
  const away = (frame) => Math.abs(frame.time - time) + (frame.start <= time && time < frame.end ? 0 : 1e9);
  return frames.reduce((best, frame) => (!best || away(frame) < away(best) ? frame : best), null);
}

class Line {
  constructor(seek, goTo) {
    this.seek = seek;
    this.goTo = goTo;
    this.scored = this.shown = this.shots = [];
    this.node = el("div", { class: "line", role: "slider", tabindex: "0", "aria-label": "Time in the film",
      "aria-valuemin": "0" });
    this.cuts = el("div", { class: "cuts", "aria-hidden": "true" });
    this.marks = el("div", { class: "marks", "aria-hidden": "true" });
    this.played = el("div", { class: "played", "aria-hidden": "true" });
    this.head = el("div", { class: "head", "aria-hidden": "true" });
    this.bubble = el("div", { class: "bubble", "aria-hidden": "true" });
    this.bubble.hidden = true;
    this.node.append(this.cuts, this.played, this.marks, this.head, this.bubble);
    this.node.onpointerdown = (event) => this.down(event);
    this.node.onpointermove = (event) => this.move(event);
    this.node.onpointerleave = () => { this.bubble.hidden = true; };
    this.node.onpointerup = this.node.onpointercancel = () => { this.dragged = false; };
  }

  update({ scored, duration, base }) {
    this.base = base;
    this.duration = Math.max(duration, 0.001);
    this.node.setAttribute("aria-valuemax", duration.toFixed(1));
    const same = JSON.stringify(scored) === JSON.stringify(this.scored);
    this.scored = scored;
    if (!same) this.draw();
  }

  frames(frames, shots) {
    this.shown = frames;
    this.shots = shots;
    this.draw();
  }

  share(time) {
    return `${Math.min(100, (100 * time) / this.duration)}%`;
  }

  draw() {
    if (!this.duration) return;
    const width = this.node.clientWidth || 800;
    let last = -Infinity;
    this.cuts.replaceChildren();
    this.shots.forEach(({ time }, index) => {
      const place = (width * time) / this.duration;
      if (place - last < NEAREST_PX) return;
      last = place;
      const cut = el("i", { class: index % 2 ? "shot odd" : "shot" });
      const end = this.shots[index + 1]?.time ?? this.duration;
      cut.style.left = this.share(time);
      cut.style.width = this.share(end - time);
      this.cuts.append(cut);
    });
    const scores = this.scored.map(([, , score]) => score);
    const low = Math.min(...scores), span = Math.max(...scores) - low || 1;
    this.marks.replaceChildren(...this.scored.map(([id, time, score, match]) => {
      const mark = el("i", { class: match ? "mark match" : "mark", "data-id": id });
      mark.style.left = `clamp(4px, ${this.share(time)}, calc(100% - 4px))`;
      mark.style.height = `${20 + (75 * (score - low)) / span}%`;
      return mark;
    }));
  }

  at(now) {
    this.head.style.left = this.played.style.width = this.share(now);
    this.node.setAttribute("aria-valuenow", now.toFixed(1));
    this.node.setAttribute("aria-valuetext", `${clock(now)} of ${clock(this.duration)}`);
  }

  timeAt(event) {
    const box = this.node.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * this.duration;
  }

  down(event) {
    if (event.button) return;
    const id = event.target.dataset?.id;
    if (id) return this.goTo(id);
    this.dragged = true;
    this.node.setPointerCapture(event.pointerId);
    this.seek(this.timeAt(event));
  }

  move(event) {
    const time = this.timeAt(event);
    if (this.dragged) this.seek(time);
    if (event.pointerType === "touch") return;
    const score = this.scored.find(([id]) => id === event.target.dataset?.id);
    const frame = score ? { id: score[0] } : frameAt(this.shown, time);
    if (!frame) return;
    this.bubble.hidden = false;
    if (this.pictured !== frame.id) {
      this.pictured = frame.id;
      this.bubble.replaceChildren(el("img", { alt: "", src: `${this.base}/fk/thumb/${frame.id}/small` }), el("span"));
    }
    this.bubble.lastElementChild.textContent =
      score ? `${clock(score[1])} · ${score[2].toFixed(3)}` : clock(time);
    this.bubble.style.left = `clamp(84px, ${this.share(time)}, calc(100% - 84px))`;
  }

  key(event, now) {
    const step = SEEK_S[event.key];
    if (step) this.seek(now + step);
    else if (event.key === "Home") this.seek(0);
    else if (event.key === "End") this.seek(this.duration);
    else return false;
    return true;
  }
}
