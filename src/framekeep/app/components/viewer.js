// One photo, large, with the outlines of its objects. Python sends {id, name, previous, next, place,
// path, size, objects, chosen, base}; back go `go` {id}, `close` and `annotate` as triggers.

class Viewer {
  constructor(parent) {
    this.root = parent.querySelector(".fk-root");
    this.close = el("button", { type: "button" }, "← Back");
    this.name = el("span", { class: "name" });
    this.where = el("span", { class: "place" });
    this.original = el("a", { target: "_blank", rel: "noopener" }, "Open the original");
    this.download = el("a", {}, "Download");
    this.copy = el("button", { type: "button" }, "Copy the path");
    this.outlined = el("button", { type: "button", "aria-pressed": "true" }, "Outlines");
    this.annotate = el("button", { type: "button" }, "Draw and correct");
    const bar = el("div", { class: "bar" });
    bar.append(this.close, this.name, this.where, this.outlined, this.annotate, this.copy,
      this.original, this.download);
    this.stage = el("div", { class: "stage", tabindex: "0", role: "group" });
    this.image = el("img", { decoding: "async" });
    this.back = el("button", { type: "button", class: "go back", "aria-label": "Previous photo" }, "‹");
    this.forth = el("button", { type: "button", class: "go forth", "aria-label": "Next photo" }, "›");
    this.drawing = svg("svg", { "aria-hidden": "true" });
    this.stage.append(this.image, this.drawing, this.back, this.forth);
    this.root.replaceChildren(bar, this.stage);
    this.close.onclick = () => this.leave();
    this.back.onclick = () => this.go(this.data.previous);
    this.forth.onclick = () => this.go(this.data.next);
    this.image.onclick = () => this.zoom();
    this.copy.onclick = () => this.copyPath();
    this.outlined.onclick = () => this.toggleOutlines();
    this.annotate.onclick = () => this.trigger("annotate", { id: this.data.id });
    // The outlines lie on the photo wherever it lies on the stage, zoomed or not.
    this.placing = new ResizeObserver(() => this.place());
    this.placing.observe(this.image);
    this.placing.observe(this.stage);
    this.image.onload = () => this.place();
    this.anywhere = (event) => this.key(event);
    document.addEventListener("keydown", this.anywhere);
  }

  destroy() {
    document.removeEventListener("keydown", this.anywhere);
    this.placing.disconnect();
  }

  update({ data, setTriggerValue }) {
    this.trigger = setTriggerValue;
    const changed = data.id !== this.data?.id;
    const first = !this.data;
    this.data = data;
    this.name.textContent = this.name.title = data.name;
    this.where.textContent = data.place;
    this.stage.setAttribute("aria-label", `Photo ${data.name}`);
    this.original.href = `${data.base}/fk/media/${data.id}`;
    this.download.href = `${data.base}/fk/media/${data.id}?download=1`;
    this.back.disabled = !data.previous;
    this.forth.disabled = !data.next;
    this.outlined.hidden = !data.objects.length;
    this.draw();
    fetchOutlines(data.base, data.objects, () => this.draw());
    if (!changed) return;
    this.stage.classList.remove("zoomed");
    this.image.alt = data.name;
    // The thumbnail is there at once; the large picture takes its place when it has come.
    this.image.src = `${data.base}/fk/thumb/${data.id}/small`;
    const large = new Image();
    large.onload = () => { if (this.data.id === data.id) this.image.src = large.src; };
    large.src = `${data.base}/fk/thumb/${data.id}/preview`;
    for (const id of [data.next, data.previous]) {
      if (id) new Image().src = `${data.base}/fk/thumb/${id}/preview`;
    }
    if (first) {
      this.stage.focus({ preventScroll: true });
      // The gallery that it takes the place of leaves later, and with it the focus.
      setTimeout(() => this.stage.focus({ preventScroll: true }), 60);
    }
  }

  draw() {
    const { objects, size, chosen } = this.data;
    this.drawing.replaceChildren();
    this.drawing.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    // The chosen one is drawn last, over the others.
    for (const object of [...objects].sort((a, b) => (a.id === chosen) - (b.id === chosen))) {
      const path = outlineOf(object);
      if (path) this.drawing.append(outlineGroup(path, { ...object, chosen: object.id === chosen }));
    }
    this.drawing.classList.toggle("chosen", objects.some((object) => object.id === chosen));
  }

  place() {
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = this.image;
    Object.assign(this.drawing.style, { left: `${offsetLeft}px`, top: `${offsetTop}px`,
      width: `${offsetWidth}px`, height: `${offsetHeight}px` });
  }

  toggleOutlines() {
    const on = this.stage.classList.toggle("plain") === false;
    this.outlined.setAttribute("aria-pressed", String(on));
  }

  go(id) {
    if (id) this.trigger("go", { id });
  }

  leave() {
    this.trigger("close", { id: this.data.id });
  }

  zoom() {
    this.stage.classList.toggle("zoomed");
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
    const inGallery = event.composedPath().some((node) => node instanceof HTMLElement && node.matches?.("[role=listbox], [role=menu]"));
    if (event.key === "Escape") return this.leave();
    if (inGallery) return;
    const acts = {
      ArrowLeft: () => this.go(this.data.previous), ArrowRight: () => this.go(this.data.next),
      z: () => this.zoom(), o: () => this.toggleOutlines(),
      e: () => this.trigger("annotate", { id: this.data.id }), f: () => this.stage.requestFullscreen?.(),
    };
    if (acts[event.key]) {
      event.preventDefault();
      acts[event.key]();
    }
  }
}

export default (component) => mount(component, Viewer);
