// The stage of the annotation view: the photo on one canvas, objects and drawings on another, moved
// and zoomed together. All coordinates that leave it are pixels of the full-size photo.

const NEUTRAL = "#ffd43b";
const ANSWER = "#22d3ee";
const PREVIEW_PX = 2048;
const MOST_ZOOM = 32;
const MOST_PIXELS = 60_000_000;

class Stage {
  constructor(source) {
    this.source = source;  // what is to be drawn: see draw()
    this.node = el("div", { class: "stage", tabindex: "0", role: "application" });
    this.picture = el("canvas", { class: "picture", "aria-hidden": "true" });
    this.overlay = el("canvas", { class: "overlay", "aria-hidden": "true" });
    this.note = el("p", { class: "note" });
    this.node.append(this.picture, this.overlay, this.note);
    this.size = [1, 1];
    this.scale = 1;
    this.x = this.y = 0;
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(this.node);
  }

  destroy() {
    this.resizing.disconnect();
    cancelAnimationFrame(this.frame);
  }

  // Show a photo of this size: its thumbnail at once, its preview when that has come. A film's
  // moment has no original of its own.
  open(base, media, size, film) {
    this.size = size;
    this.media = media;
    this.image = null;
    this.original = film ? "none" : null;
    this.address = `${base}/fk/media/${media}`;
    this.note.textContent = "";
    this.settled = false;
    this.fetch(`${base}/fk/thumb/${media}/small`, media, (image) => { this.image ||= image; });
    this.fetch(`${base}/fk/thumb/${media}/preview`, media, (image) => { this.image = image; },
      () => { this.note.textContent = "The photo cannot be shown."; });
    this.fit();
  }

  async fetch(address, media, take, fail = () => {}) {
    const image = new Image();
    image.src = address;
    const came = await image.decode().then(() => true, () => false);
    if (this.media !== media) return;
    came ? take(image) : fail();
    this.redraw("picture");
  }

  // Far in, the original itself is looked at, where the browser can show it as it is.
  sharpen() {
    const [width, height] = this.size;
    const shown = this.image?.naturalWidth;
    if (this.original || !shown || shown >= width || width * height > MOST_PIXELS) return;
    if (this.scale * this.ratio * width < 1.2 * shown) return;
    this.original = "asked for";
    this.fetch(this.address, this.media, (image) => {
      if (image.naturalWidth === width && image.naturalHeight === height) this.image = image;
    });
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.node;
    this.ratio = Math.min(devicePixelRatio || 1, 2);
    for (const canvas of [this.picture, this.overlay]) {
      canvas.width = Math.max(1, Math.round(width * this.ratio));
      canvas.height = Math.max(1, Math.round(height * this.ratio));
    }
    if (this.settled) this.redraw("picture");
    else this.fit();
  }

  // Where the photo lies

  get fitting() {
    const { clientWidth: width, clientHeight: height } = this.node;
    return Math.min((width - 24) / this.size[0], (height - 24) / this.size[1]);
  }

  fit() {
    this.settled = false;
    if (this.node.clientWidth < 30) return;
    this.scale = Math.max(1e-4, Math.min(this.fitting, MOST_ZOOM));
    this.centre(this.size[0] / 2, this.size[1] / 2);
  }

  centre(x, y) {
    this.x = this.node.clientWidth / 2 - x * this.scale;
    this.y = this.node.clientHeight / 2 - y * this.scale;
    this.redraw("picture");
  }

  showBox([left, top, right, bottom]) {
    const { clientWidth: width, clientHeight: height } = this.node;
    const wide = Math.max(right - left, 8) * 1.5, high = Math.max(bottom - top, 8) * 1.5;
    this.scale = Math.min(MOST_ZOOM, width / wide, height / high);
    this.settled = true;
    this.sharpen();
    this.centre((left + right) / 2, (top + bottom) / 2);
  }

  zoom(factor, at = [this.node.clientWidth / 2, this.node.clientHeight / 2]) {
    const least = Math.min(1, this.fitting) / 2;
    const scale = Math.max(least, Math.min(MOST_ZOOM, this.scale * factor));
    this.x = at[0] - ((at[0] - this.x) * scale) / this.scale;
    this.y = at[1] - ((at[1] - this.y) * scale) / this.scale;
    this.scale = scale;
    this.moved();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.moved();
  }

  // A part of the photo stays in sight.
  moved() {
    const room = 60;
    this.x = Math.min(this.node.clientWidth - room, Math.max(this.x, room - this.size[0] * this.scale));
    this.y = Math.min(this.node.clientHeight - room, Math.max(this.y, room - this.size[1] * this.scale));
    this.settled = true;
    this.sharpen();
    this.redraw("picture");
  }

  place(event) {
    const box = this.overlay.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  toPhoto([x, y]) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  inside([x, y]) {
    return [Math.max(0, Math.min(this.size[0], x)), Math.max(0, Math.min(this.size[1], y))];
  }

  get view() {
    return this.settled ? [this.scale, this.x, this.y] : null;
  }

  set view(view) {
    if (!view) return;
    [this.scale, this.x, this.y] = view;
    this.moved();
  }

  // Drawing

  // What has changed: the "tool" in hand, "objects" too, or where the "picture" lies as well.
  redraw(what = "tool") {
    this.pictureToo ||= what === "picture";
    this.objectsToo ||= what !== "tool";
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.pen = 1 / this.scale;  // one CSS pixel
      if (this.pictureToo) this.drawPicture();
      if (this.objectsToo || !this.others) this.drawOthers();
      this.pictureToo = this.objectsToo = false;
      this.drawOverlay();
    });
  }

  place2d(context) {
    const scale = this.scale * this.ratio;
    context.setTransform(scale, 0, 0, scale, this.x * this.ratio, this.y * this.ratio);
  }

  drawPicture() {
    const context = this.picture.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.picture.width, this.picture.height);
    if (!this.image) return;
    this.place2d(context);
    // Far in, the pixels themselves are what is looked at.
    context.imageSmoothingEnabled = (this.scale * this.size[0]) / this.image.naturalWidth < 4;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.image, 0, 0, this.size[0], this.size[1]);
  }

  // All objects but the selected one, once for many strokes and moves of the pointer.
  drawOthers() {
    this.others ||= document.createElement("canvas");
    [this.others.width, this.others.height] = [this.overlay.width, this.overlay.height];
    const context = this.others.getContext("2d");
    this.place2d(context);
    const { shownObjects, selected, hovered, hidden } = this.source;
    if (hidden) return;
    for (const object of shownObjects) {
      if (object !== selected) this.drawObject(context, object, object === hovered);
    }
  }

  drawOverlay() {
    const context = this.overlay.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    context.drawImage(this.others, 0, 0);
    this.place2d(context);
    const { selected, hovered, painted, hidden } = this.source;
    if (painted) this.drawPainted(context, painted);
    else if (selected) this.drawObject(context, selected, false, true);
    this.source.drawTool(context, this.pen);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    for (const object of new Set([hidden ? null : hovered, selected])) {
      if (object?.rings.length) this.drawName(context, object);
    }
  }

  drawObject(context, object, hovered, selected = false) {
    object.path ||= pathOf(object.rings);
    const colour = object.colour || NEUTRAL;
    context.globalAlpha = selected ? 0.42 : hovered ? 0.36 : 0.22;
    context.fillStyle = colour;
    context.fill(object.path, "evenodd");
    context.globalAlpha = 1;
    const dashes = object.draft ? [7 * this.pen, 4 * this.pen] : [];
    this.line(context, object.path, colour, selected ? 3 : 2, dashes);
  }

  drawPainted(context, canvas) {
    context.globalAlpha = 0.5;
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, 0, 0, this.size[0], this.size[1]);
    context.globalAlpha = 1;
  }

  // A dark line under a coloured one, so that it is seen on any picture.
  line(context, path, colour, width = 2, dashes = []) {
    context.lineJoin = "round";
    context.setLineDash([]);
    context.strokeStyle = "rgba(0, 0, 0, 0.75)";
    context.lineWidth = (width + 2) * this.pen;
    context.stroke(path);
    context.setLineDash(dashes);
    context.strokeStyle = colour;
    context.lineWidth = width * this.pen;
    context.stroke(path);
    context.setLineDash([]);
  }

  dot(context, [x, y], radius, fill, sign = "") {
    const path = new Path2D();
    path.arc(x, y, radius * this.pen, 0, 7);
    context.fillStyle = fill;
    context.fill(path);
    this.line(context, path, "#fff", 1.5);
    if (!sign) return;
    const arm = 0.55 * radius * this.pen;
    const mark = new Path2D();
    mark.moveTo(x - arm, y);
    mark.lineTo(x + arm, y);
    if (sign === "+") {
      mark.moveTo(x, y - arm);
      mark.lineTo(x, y + arm);
    }
    context.strokeStyle = "#fff";
    context.lineWidth = 2 * this.pen;
    context.stroke(mark);
  }

  drawName(context, object) {
    const text = object.title;
    context.font = `600 12px ${getComputedStyle(this.node).fontFamily}`;
    const width = context.measureText(text).width + 14;
    const left = Math.max(4, Math.min(object.box[0] * this.scale + this.x, this.node.clientWidth - width - 4));
    const top = Math.max(4, Math.min(object.box[1] * this.scale + this.y - 26, this.node.clientHeight - 26));
    context.fillStyle = "rgba(0, 0, 0, 0.82)";
    context.beginPath();
    context.roundRect(left, top, width, 21, 6);
    context.fill();
    context.fillStyle = "#fff";
    context.textBaseline = "middle";
    context.fillText(text, left + 7, top + 11);
  }

  // The object at a place: the smallest one that covers it.
  objectAt([x, y], objects) {
    const context = this.overlay.getContext("2d");
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    const found = objects.filter((object) => {
      object.path ||= pathOf(object.rings);
      return context.isPointInPath(object.path, x, y, "evenodd");
    });
    context.restore();
    return found.sort((one, other) => one.area - other.area)[0] || null;
  }
}
