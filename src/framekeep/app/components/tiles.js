// The gallery's tiles: a photo, or an object outlined in its photo or close up, and what is said of
// it. The gallery's own script follows, with moving, selecting and acting.

const STRIP_FRAMES = 8;
const STRIP_STEP_MS = 650;
const strips = new Map();  // the frames of previews, by address

function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

class Tiles {
  constructor() {
    this.playing = null;
    this.items = [];
    this.tiles = [];
    this.edits = [];
  }

  tile(item, index) {
    const region = item.object && this.near ? nearRegion(item) : { x: 0, y: 0, w: item.w, h: item.h };
    const ratio = Math.min(3, Math.max(0.5, region.w / region.h));
    const tile = el("div", { class: "tile", role: "option", tabindex: "-1", "data-index": index });
    const width = Math.round(ratio * this.row);
    tile.style.flex = `${width} 1 ${width}px`;
    tile.style.height = `${this.row}px`;
    tile.style.containIntrinsicSize = `${width}px ${this.row}px`;
    tile.style.maxWidth = `${Math.round(width * 1.8)}px`;
    const image = el("img", { alt: "", loading: index < 24 ? "eager" : "lazy", decoding: "async",
      draggable: "false" });
    image.onerror = () => tile.classList.add("broken");
    image.src = `${this.data.base}/fk/thumb/${item.media}/${this.size(item, region)}`;
    const picture = el("div", { class: "picture" });
    picture.append(image);
    if (item.object && this.near) this.magnify(picture, image, item, region);
    tile.append(picture, el("span", { class: "check", "aria-hidden": "true" }),
      el("span", { class: "dots", "aria-hidden": "true" }, "⋯"),
      el("span", { class: "marks", "aria-hidden": "true" }));
    if (item.score !== null && item.score !== undefined) {
      tile.append(el("span", { class: "score", "aria-hidden": "true" }, item.score.toFixed(3)));
    }
    tile.region = region;
    if (item.film && !item.object) {
      tile.onpointerenter = (event) => {
        if (event.pointerType !== "touch") this.play(tile, this.items[Number(tile.dataset.index)]);
      };
      tile.onpointerleave = () => this.still();
    }
    this.dress(tile, item);
    return tile;
  }

  // The thumbnail that is sharp enough where a region of the photo fills the tile.
  size(item, region) {
    const row = this.row * devicePixelRatio;
    if (!item.object || !this.near) return row > 330 ? "large" : "small";
    const longest = (row * Math.max(item.w, item.h)) / region.h;
    return longest > 1000 ? "preview" : longest > 420 ? "large" : "small";
  }

  magnify(picture, image, item, region) {
    const frame = el("div", { class: "region" });
    frame.style.setProperty("--ratio", region.w / region.h);
    image.style.width = `${(100 * item.w) / region.w}%`;
    image.style.height = `${(100 * item.h) / region.h}%`;
    image.style.left = `${(-100 * region.x) / region.w}%`;
    image.style.top = `${(-100 * region.y) / region.h}%`;
    frame.append(image);
    picture.append(frame);
  }

  // What a tile says of its photo or object: label, tags, copies, and all of it for screen readers.
  dress(tile, item) {
    const object = item.object && this.edited(item.object);
    const tags = (item.tags || []).join(", ");
    const marks = tile.querySelector(".marks");
    marks.replaceChildren();
    if (object) marks.append(this.labelMark(object));
    if (item.film) marks.append(...this.filmMarks(item.film));
    if (item.copies) marks.append(el("span", { class: "copies" }, `×${item.copies}`));
    if (tags) marks.append(el("span", { class: "tagged" }, tags));
    const score = item.score === null || item.score === undefined ? "" : `, score ${item.score.toFixed(3)}`;
    const said = (item.film ? `, ${this.placed(item.film)}` : "") +
      (object ? `, ${this.described(object)}` : "");
    tile.title = item.name + (said ? `\n${said.slice(2)}` : "") + (tags ? `\n${tags}` : "");
    tile.setAttribute("aria-label", item.name + said + score + (tags ? `, tagged ${tags}` : ""));
    for (const state of ["accepted", "rejected"]) tile.classList.toggle(state, object?.state === state);
    if (object) this.drawOutline(tile, item, object);
  }

  filmMarks({ at, length, more }) {
    const marks = [el("span", { class: "time" }, at === null ? `▶ ${clock(length)}` : `at ${clock(at)}`)];
    const noun = more === 1 ? " moment" : " moments";
    // On a phone's small tiles the number has to do.
    if (more) marks.push(el("span", { class: "moments" }, `+${more}${this.row < 130 ? "" : noun}`));
    return marks;
  }

  placed({ at, length, more }) {
    const place = at === null ? `film of ${clock(length)}` : `moment at ${clock(at)} of ${clock(length)}`;
    return place + (more ? `, ${more} more moment${more === 1 ? "" : "s"}` : "");
  }

  // A film's tile shows its frames one after the other; a moment's those from there on.

  async play(tile, item) {
    if (this.playing?.tile === tile) return;
    this.still();
    if (!item?.film || item.object || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const playing = this.playing = { tile };
    const { id, at } = item.film;
    const address = `/fk/film/${id}?most=${STRIP_FRAMES}${at === null ? "" : `&from=${at}`}`;
    if (!strips.has(address)) {
      const answer = await fetch(this.data.base + address).catch(() => null);
      if (!answer?.ok) return;
      strips.set(address, (await answer.json()).frames.map(([frame]) => frame));
    }
    const frames = strips.get(address);
    if (this.playing !== playing || frames.length < 2) return;
    const image = el("img", { class: "strip", alt: "", draggable: "false" });
    const bar = el("i", { class: "stripbar", "aria-hidden": "true" });
    let number = at === null ? -1 : 0;
    const step = async () => {
      number = (number + 1) % frames.length;
      const next = new Image();
      next.src = `${this.data.base}/fk/thumb/${frames[number]}/small`;
      await next.decode().catch(() => null);
      if (this.playing !== playing) return;
      image.src = next.src;
      bar.style.width = `${(100 * (number + 1)) / frames.length}%`;
      if (!image.isConnected) tile.querySelector(".picture").append(image, bar);
      playing.timer = setTimeout(step, STRIP_STEP_MS);
    };
    step();
  }

  still() {
    clearTimeout(this.playing?.timer);
    this.playing?.tile.querySelectorAll(".strip, .stripbar").forEach((node) => node.remove());
    this.playing = null;
  }

  described(object) {
    const whose = { model: " by the model", import: " by import" }[object.source] || "";
    const label = object.label ? `object ${object.label}${whose}` : "object without a label";
    const state = object.state === "open" ? "" : `, ${object.state}`;
    return label + state + (object.draft && object.rough ? ", a draft" : "");
  }

  labelMark(object) {
    const mark = el("span", { class: `label ${object.source || "none"}` });
    const sign = { accepted: "✓", rejected: "✗" }[object.state];
    if (sign) mark.append(el("b", {}, sign));
    if (object.label && object.source !== "model") {
      const dot = el("i");
      dot.style.background = object.colour || NEUTRAL;
      mark.append(dot);
    }
    mark.append(object.label ? object.label + (object.source === "model" ? "?" : "") : "no label");
    return mark;
  }

  outline() {
    const objects = this.items.map((item) => item.object).filter(Boolean);
    if (!objects.length) return;
    fetchOutlines(this.data.base, objects, () => this.items.forEach((item, index) => {
      if (item.object) this.drawOutline(this.tiles[index], item, this.edited(item.object));
    }));
  }

  drawOutline(tile, item, object) {
    const path = outlineOf(object);
    if (!path || !tile) return;
    const state = [object.version, object.draft, object.colour].join();
    if (tile.drawn === state) return;
    tile.drawn = state;
    tile.querySelector("svg")?.remove();
    const { x, y, w, h } = tile.region;
    const drawing = svg("svg", { viewBox: `${x} ${y} ${w} ${h}`, "aria-hidden": "true",
      preserveAspectRatio: "xMidYMid slice" });
    drawing.append(outlineGroup(path, object));
    tile.querySelector(".picture").append(drawing);
  }

  // An object as the quick edits leave it that Python has not made yet.
  edited(object) {
    let seen = object;
    for (const { what, ids, value } of this.edits) {
      if (!ids.includes(object.id)) continue;
      if (what === "class") seen = { ...seen, label: value, source: "person", colour: "" };
      else {
        const state = { accept: "accepted", reject: "rejected" }[what] || "open";
        seen = { ...seen, state, draft: seen.draft && state !== "accepted" };
      }
    }
    return seen;
  }
}
