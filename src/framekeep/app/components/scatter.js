// The library in two dimensions. Python sends {ids, xy, base, label}; hovering shows the photo,
// dragging draws a lasso; back goes `lasso` {ids} as a trigger. Arrow keys move a cursor between
// points, Enter sends the one it is on.

class Scatter {
  constructor(parent) {
    this.root = parent.querySelector(".fk-root");
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    this.tip.append(Object.assign(document.createElement("img"), { alt: "" }));
    this.note = document.createElement("div");
    this.note.className = "note";
    this.note.setAttribute("role", "status");
    this.root.replaceChildren(this.canvas, this.tip, this.note);
    this.path = [];
    this.at = -1;
    this.chosen = new Set();
    this.canvas.onpointerdown = (event) => this.down(event);
    this.canvas.onpointermove = (event) => this.move(event);
    this.canvas.onpointerup = (event) => this.up(event);
    this.canvas.onpointerleave = () => { this.tip.hidden = true; };
    this.canvas.onkeydown = (event) => this.key(event);
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.canvas);
  }

  destroy() {
    this.resized.disconnect();
  }

  update({ data, setTriggerValue }) {
    this.data = data;
    this.trigger = setTriggerValue;
    this.canvas.setAttribute("aria-label", data.label);
    this.draw();
  }

  place(index) {
    const [x, y] = this.data.xy[index];
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight, edge = 14;
    return [edge + (x + 1) / 2 * (width - 2 * edge), edge + (1 - y) / 2 * (height - 2 * edge)];
  }

  draw() {
    if (!this.data || !this.canvas.clientWidth) return;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = this.canvas.clientWidth * ratio;
    this.canvas.height = this.canvas.clientHeight * ratio;
    const style = getComputedStyle(this.root);
    const plot = this.canvas.getContext("2d");
    plot.scale(ratio, ratio);
    const radius = this.data.ids.length > 1500 ? 2.2 : this.data.ids.length > 200 ? 3.2 : 5;
    const accent = style.getPropertyValue("--st-primary-color").trim() || "#3b5bdb";
    for (let index = 0; index < this.data.ids.length; index++) {
      const [x, y] = this.place(index);
      const on = this.chosen.has(index);
      plot.globalAlpha = on || !this.chosen.size ? 0.75 : 0.25;
      plot.fillStyle = accent;
      plot.beginPath();
      plot.arc(x, y, on ? radius + 1.5 : radius, 0, 7);
      plot.fill();
    }
    plot.globalAlpha = 1;
    plot.strokeStyle = style.getPropertyValue("--st-text-color").trim() || "#888";
    if (this.at >= 0) {
      const [x, y] = this.place(this.at);
      plot.lineWidth = 2;
      plot.beginPath();
      plot.arc(x, y, radius + 5, 0, 7);
      plot.stroke();
    }
    if (this.path.length > 1) {
      plot.lineWidth = 1.5;
      plot.setLineDash([5, 4]);
      plot.beginPath();
      this.path.forEach(([x, y], step) => (step ? plot.lineTo(x, y) : plot.moveTo(x, y)));
      plot.closePath();
      plot.stroke();
    }
  }

  spot(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  nearest(x, y, reach) {
    let best = -1, least = reach * reach;
    for (let index = 0; index < this.data.ids.length; index++) {
      const [px, py] = this.place(index);
      const away = (px - x) ** 2 + (py - y) ** 2;
      if (away < least) [least, best] = [away, index];
    }
    return best;
  }

  hover(index) {
    this.tip.hidden = index < 0;
    if (index < 0) return;
    const [x, y] = this.place(index);
    const address = `${this.data.base}/fk/thumb/${this.data.ids[index]}/small`;
    const image = this.tip.firstChild;
    if (image.getAttribute("src") !== address) image.src = address;
    this.tip.style.left = `${Math.min(x + 14, this.canvas.clientWidth - 200)}px`;
    this.tip.style.top = `${Math.min(y + 14, this.canvas.clientHeight - 150)}px`;
  }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.path = [this.spot(event)];
    this.tip.hidden = true;
  }

  move(event) {
    const [x, y] = this.spot(event);
    if (!this.path.length) return this.hover(this.nearest(x, y, 14));
    this.path.push([x, y]);
    this.draw();
  }

  up(event) {
    const [x, y] = this.spot(event);
    const drawn = this.path;
    this.path = [];
    const wide = drawn.some(([px, py]) => Math.hypot(px - drawn[0][0], py - drawn[0][1]) > 8);
    const near = wide ? [] : [this.nearest(x, y, 14)].filter((index) => index >= 0);
    this.choose(wide ? this.within(drawn) : near);
  }

  within(path) {
    const found = [];
    for (let index = 0; index < this.data.ids.length; index++) {
      const [x, y] = this.place(index);
      let inside = false;
      for (let here = 0, last = path.length - 1; here < path.length; last = here++) {
        const [ax, ay] = path[here], [bx, by] = path[last];
        if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) inside = !inside;
      }
      if (inside) found.push(index);
    }
    return found;
  }

  choose(indexes) {
    this.chosen = new Set(indexes);
    this.draw();
    this.note.textContent = indexes.length ? `${indexes.length} chosen` : "";
    this.trigger("lasso", { ids: indexes.slice(0, 500).map((index) => this.data.ids[index]), at: Date.now() });
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "Enter" && this.at >= 0) return this.choose([this.at]);
    const step = steps[event.key];
    if (!step || !this.data.ids.length) return;
    event.preventDefault();
    if (this.at < 0) this.at = 0;
    else {
      const [x, y] = this.place(this.at);
      let best = this.at, least = Infinity;
      for (let index = 0; index < this.data.ids.length; index++) {
        const [px, py] = this.place(index);
        const along = (px - x) * step[0] + (py - y) * step[1];
        const aside = Math.abs((px - x) * step[1]) + Math.abs((py - y) * step[0]);
        if (along > 0.5 && along + 2 * aside < least) [least, best] = [along + 2 * aside, index];
      }
      this.at = best;
    }
    this.draw();
    this.hover(this.at);
  }
}

export default (component) => mount(component, Scatter);
