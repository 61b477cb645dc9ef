// The gallery: photos and objects in justified rows, keyboard first, selection kept with its
// revision. Python sends {rev, items, have, row, more, selected, mark, focus, focusMark, label, sections,
// near, review, classes, handled, undo, base}; back go `selection` {rev, ids} and `edits`
// [{number, what, ids, value}] as state, and `open`, `more`, `act` as triggers.

const shown = [];  // the galleries of the page: keys for the whole page are the first one's
const PHOTO_ACTIONS = [
  ["like", "More like this"], ["duplicates", "Duplicates of this"], ["tag", "Tag…"],
  ["label", "Label…"], ["annotate", "Draw objects"],
];
const FILM_ACTIONS = [
  ["like", "More like this film"], ["inside", "All moments of this film"], ["tag", "Tag…"],
  ["label", "Label…"],
];
const MOMENT_ACTIONS = [
  ["like", "More like this moment"], ["inside", "Moments of this film"], ["tag", "Tag this moment…"],
  ["label", "Label this moment…"], ["annotate", "Draw objects"],
];
const OBJECT_ACTIONS = [
  ["like", "More objects like this"], ["duplicates", "Objects that show the same"],
  ["label", "Label…"], ["tag", "Tag…"], ["annotate", "Correct the outline"],
];
const FILE_ACTIONS = [
  ["path", "Copy the path"], ["original", "Open the original"], ["download", "Download"],
];
const KEYS = [
  ["← ↑ → ↓", "move"], ["Home, End", "first and last photo"], ["Enter", "open"],
  ["Space or x", "select"], ["Shift + arrows or click", "select a range"],
  ["Ctrl + click", "select one more"], ["Ctrl + A", "select all that are shown"],
  ["t", "tag what is selected"], ["l", "label what is selected"], ["m", "menu of the photo"],
  ["Escape", "let the selection go, close, go back"], ["/", "go to the search box"],
  ["?", "show these keys"],
];

const FILM_KEYS = [
  ["i", "all moments of a film that the search finds"],
  ["n, p", "in an open film: the next match, the one before"],
  ["], [", "the next shot, the one before"], ["Space", "play, pause"],
];
const OBJECT_KEYS = [
  ["a", "accept an object, or take that back"], ["r", "reject it, or take that back"],
  ["e", "correct its outline"],
];

function hasFiles(transfer) {
  return [...(transfer?.types || [])].includes("Files");
}

class Gallery extends Tiles {
  constructor(parent) {
    super();
    this.root = parent.querySelector(".fk-root");
    this.selected = new Set();
    this.cursor = 0;
    this.anchor = 0;
    this.rev = null;
    this.grid = el("div", { class: "grid", role: "listbox", "aria-multiselectable": "true" });
    this.busy = el("div", { class: "busy", "aria-hidden": "true" });
    this.sentinel = el("div", { class: "sentinel", "aria-hidden": "true" });
    this.menu = el("div", { class: "menu", role: "menu", "aria-label": "What to do with this" });
    this.menu.hidden = true;
    this.toast = el("div", { class: "toast", role: "status" });
    this.toast.hidden = true;
    this.root.replaceChildren(this.grid, this.busy, this.sentinel, this.menu, this.toast);
    this.grid.onkeydown = (event) => this.key(event);
    this.grid.onclick = (event) => this.click(event);
    this.grid.oncontextmenu = (event) => this.context(event);
    this.grid.addEventListener("focusin", (event) => this.focused(event));  // it has no on… property
    this.grid.addEventListener("focusout", () => this.still());
    this.menu.onkeydown = (event) => this.menuKey(event);
    this.anywhere = (event) => this.global(event);
    document.addEventListener("keydown", this.anywhere);
    this.outside = (event) => {
      if (!this.menu.hidden && !event.composedPath().includes(this.menu)) this.closeMenu(false);
    };
    document.addEventListener("pointerdown", this.outside);
    // A picture dropped or pasted anywhere is searched with; the browser would open it instead.
    this.over = (event) => { if (hasFiles(event.dataTransfer)) event.preventDefault(); };
    this.dropped = (event) => this.take(event, event.dataTransfer);
    this.pasted = (event) => this.take(event, event.clipboardData);
    addEventListener("dragover", this.over);
    addEventListener("drop", this.dropped);
    document.addEventListener("paste", this.pasted);
    this.observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.wantMore();
    });
    this.observer.observe(this.sentinel);
    shown.push(this);
  }

  destroy() {
    document.removeEventListener("keydown", this.anywhere);
    document.removeEventListener("pointerdown", this.outside);
    removeEventListener("dragover", this.over);
    removeEventListener("drop", this.dropped);
    document.removeEventListener("paste", this.pasted);
    this.observer.disconnect();
    this.still();
    this.keys?.remove();
    shown.splice(shown.indexOf(this), 1);
  }

  update({ data, setStateValue, setTriggerValue }) {
    this.data = data;
    this.setState = setStateValue;
    this.trigger = setTriggerValue;
    this.grid.setAttribute("aria-label", data.label || "Photos");
    // On a phone, rows of the usual height would hold one photo each.
    this.rowHeight = innerWidth < 640 ? Math.round(data.row * 0.62) : data.row;
    const fresh = data.rev !== this.rev;
    this.edits = this.edits.filter((edit) => edit.number > data.handled);
    if (fresh || data.mark !== this.mark) {
      clearTimeout(this.telling);
      this.selected = new Set(data.selected || []);
      this.mark = data.mark;
    }
    // Photos that arrive meanwhile move the others on: the focus goes with its photo.
    const held = this.grid.contains(this.root.getRootNode().activeElement) && this.items[this.cursor]?.id;
    const place = this.cursor;
    if (fresh) {
      this.rev = data.rev;
      this.cursor = this.anchor = 0;
      this.asked = 0;
    }
    this.render(data, fresh);
    if (fresh && held) {
      const at = this.items.findIndex((item) => item.id === held);
      this.setCursor(at < 0 ? place : at, true, false);
      this.anchor = this.cursor;
    }
    if (data.focus && data.focusMark !== this.focusMark) this.goTo(data.focus);
    this.focusMark = data.focusMark;
    requestAnimationFrame(() => this.checkSentinel());
  }

  render(data, fresh) {
    const same = !fresh && this.row === this.rowHeight && this.near === data.near &&
      data.items.length >= this.items.length &&
      this.items.every((item, index) => item.id === data.items[index].id);
    this.row = this.rowHeight;
    this.near = data.near;
    if (!same) {
      this.grid.replaceChildren();
      this.tiles = [];
    }
    const starts = new Map((data.sections || []).map((section) => [section.at, section.title]));
    const from = this.tiles.length;
    let group = this.grid.lastElementChild;
    this.items = data.items;
    for (let index = from; index < data.items.length; index++) {
      if (!group || starts.has(index)) {
        group = el("div", { class: "group", role: "group" });
        const title = starts.get(index);
        group.setAttribute("aria-label", title || data.label || "Photos");
        if (title) group.append(el("h3", { "aria-hidden": "true", role: "presentation" }, title));
        this.grid.append(group);
      }
      const tile = this.tile(data.items[index], index);
      this.tiles.push(tile);
      group.append(tile);
    }
    for (let index = 0; index < from; index++) this.dress(this.tiles[index], data.items[index]);
    this.paintSelection();
    this.setCursor(Math.min(this.cursor, this.tiles.length - 1), false);
    this.busy.hidden = !data.more;
    this.busy.textContent = "Loading more…";
    this.outline();
  }

  // Quick edits: kept until Python says that they are made, so that none is lost by quick keys

  edit(what, value = "") {
    let items = this.acted();
    if (what !== "class") items = items.filter((item) => item.object);
    if (!items.length) return;
    const state = { accept: "accepted", reject: "rejected" }[what];
    if (state && items.every((item) => this.edited(item.object).state === state)) what = "reopen";
    this.push(what, items.map((item) => item.id), value);
    for (const item of items) this.dress(this.tiles[this.items.indexOf(item)], item);
    if (this.data.review && !this.selected.size) this.setCursor(this.cursor + 1);
  }

  push(what, ids, value = "") {
    if (this.telling) this.tellNow();
    const number = Math.max(Date.now(), (this.edits.at(-1)?.number || this.data.handled) + 1);
    this.edits.push({ number, what, ids, value });
    this.setState("edits", [...this.edits]);
  }

  // What an action is about: the selection, else the tile with the cursor.
  acted() {
    if (this.selected.size) return this.items.filter((item) => this.selected.has(item.id));
    return this.items[this.cursor] ? [this.items[this.cursor]] : [];
  }

  // Selection

  paintSelection() {
    this.tiles.forEach((tile, index) => {
      tile.setAttribute("aria-selected", this.selected.has(this.items[index].id) ? "true" : "false");
    });
    this.grid.classList.toggle("selecting", this.selected.size > 0);
  }

  tell() {
    this.paintSelection();
    clearTimeout(this.telling);
    // Several keys in a row are one change for the page.
    this.telling = setTimeout(() => this.tellNow(), 90);
  }

  tellNow() {
    clearTimeout(this.telling);
    this.telling = null;
    this.setState("selection", { rev: this.rev, mark: this.mark, ids: [...this.selected] });
  }

  // A selection that is told later would make the page forget what was asked for.
  ask(what, value) {
    if (this.telling) this.tellNow();
    this.trigger(what, { ...value, rev: this.rev });
  }

  toggle(index) {
    const id = this.items[index]?.id;
    if (!id) return;
    this.selected.has(id) ? this.selected.delete(id) : this.selected.add(id);
    this.anchor = index;
    this.tell();
  }

  range(to) {
    const [low, high] = [Math.min(this.anchor, to), Math.max(this.anchor, to)];
    for (let index = low; index <= high; index++) this.selected.add(this.items[index].id);
    this.tell();
  }

  // Moving

  setCursor(index, focus = true, scroll = true) {
    if (!this.tiles.length) return;
    index = Math.max(0, Math.min(index, this.tiles.length - 1));
    this.tiles[this.cursor]?.setAttribute("tabindex", "-1");
    this.tiles[this.cursor]?.classList.remove("cursor");
    this.cursor = index;
    const tile = this.tiles[index];
    tile.setAttribute("tabindex", "0");
    tile.classList.add("cursor");
    if (focus) {
      tile.focus({ preventScroll: true });
      if (scroll) tile.scrollIntoView({ block: "nearest" });
    }
  }

  goTo(id) {
    const index = this.items.findIndex((item) => item.id === id || item.media === id);
    if (index < 0) return;
    this.setCursor(index, false);
    setTimeout(() => {
      this.tiles[index]?.focus({ preventScroll: true });
      this.tiles[index]?.scrollIntoView({ block: "center" });
    }, 60);
  }

  above(direction) {
    const here = this.tiles[this.cursor].getBoundingClientRect();
    const middle = here.left + here.width / 2;
    let best = -1, row = null, nearest = Infinity;
    for (let index = this.cursor + direction; index >= 0 && index < this.tiles.length; index += direction) {
      const box = this.tiles[index].getBoundingClientRect();
      if (Math.abs(box.top - here.top) < 4) continue;
      if (row === null) row = box.top;
      if (Math.abs(box.top - row) > 4) break;
      const away = Math.abs(box.left + box.width / 2 - middle);
      if (away < nearest) [nearest, best] = [away, index];
    }
    return best < 0 ? this.cursor : best;
  }

  focused(event) {
    const tile = event.target.closest?.(".tile");
    if (tile) this.setCursor(Number(tile.dataset.index), false);
    if (tile?.matches(":focus-visible")) this.play(tile, this.items[this.cursor]);
    else if (tile !== this.playing?.tile) this.still();
  }

  key(event) {
    const moves = {
      ArrowLeft: () => this.cursor - 1, ArrowRight: () => this.cursor + 1,
      ArrowUp: () => this.above(-1), ArrowDown: () => this.above(1),
      Home: () => 0, End: () => this.tiles.length - 1,
    };
    if (moves[event.key]) {
      event.preventDefault();
      if (event.shiftKey && !this.selected.size) this.anchor = this.cursor;
      this.setCursor(moves[event.key]());
      if (event.shiftKey) this.range(this.cursor);
      else if (!event.ctrlKey) this.anchor = this.cursor;
      return;
    }
    const id = this.items[this.cursor]?.id;
    const bare = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === "Enter") this.ask("open", { id });
    else if ((event.key === " " || event.key === "x") && bare) this.toggle(this.cursor);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      this.items.forEach((item) => this.selected.add(item.id));
      this.tell();
    } else if ((event.key === "t" || event.key === "l") && bare) {
      const what = event.key === "t" ? "tag" : "label";
      this.ask("act", { what, ids: this.acted().map((item) => item.id) });
    } else if ((event.key === "a" || event.key === "r") && bare) {
      this.edit(event.key === "a" ? "accept" : "reject");
    } else if (/^[1-9]$/.test(event.key) && bare && this.data.classes[event.key - 1]) {
      this.edit("class", this.data.classes[event.key - 1]);
    } else if (event.key === "i" && bare && this.items[this.cursor]?.film) {
      this.ask("act", { what: "inside", ids: [id] });
    } else if (event.key === "e" && bare) {
      this.ask("act", { what: "annotate", ids: [id] });
    } else if (event.key === "m" || event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
      const box = this.tiles[this.cursor].getBoundingClientRect();
      this.openMenu(this.cursor, box.left + 12, box.top + 12);
    } else return;
    event.preventDefault();
  }

  click(event) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    const index = Number(tile.dataset.index);
    this.setCursor(index, true, false);
    if (event.target.closest(".moments")) this.ask("act", { what: "inside", ids: [this.items[index].id] });
    else if (event.target.closest(".dots")) this.openMenu(index, event.clientX, event.clientY);
    else if (event.shiftKey) this.range(index);
    else if (event.ctrlKey || event.metaKey || event.target.closest(".check")) this.toggle(index);
    else this.ask("open", { id: this.items[index].id });
  }

  context(event) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    event.preventDefault();
    this.setCursor(Number(tile.dataset.index), true, false);
    this.openMenu(Number(tile.dataset.index), event.clientX, event.clientY);
  }

  // Keys that work anywhere on the page

  global(event) {
    const inside = event.composedPath()[0];
    const typing = inside instanceof HTMLElement &&
      (inside.matches("input, textarea, select, [contenteditable=true]"));
    if (event.key === "Escape" && this.keys) return this.closeKeys();
    if (event.key === "Escape" && !typing && !document.querySelector("[role=dialog]")) {
      if (!this.menu.hidden) return this.closeMenu(true);
      if (this.selected.size) {
        this.selected.clear();
        this.tell();
        return;
      }
      if (this.data.escape) this.ask("act", { what: "leave", ids: [] });
      return;
    }
    if (typing || shown[0] !== this) return;
    if (event.key === "z" && (event.ctrlKey || event.metaKey) && this.data.undo) {
      event.preventDefault();
      return this.push("undo", []);
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      const box = document.querySelector('[data-testid="stMain"] input[type=text]');
      if (box) {
        event.preventDefault();
        box.focus();
        box.select();
      }
    } else if (event.key === "?") {
      event.preventDefault();
      this.showKeys();
    }
  }

  showKeys() {
    if (this.keys) return;
    this.before = this.root.getRootNode().activeElement;
    this.keys = el("div", { class: "keys", role: "dialog", "aria-modal": "true", "aria-label": "Keys" });
    const box = el("div");
    const list = el("dl");
    const keys = [...KEYS];
    if (this.items.some((item) => item.film) || document.documentElement.dataset.fkPlayer) keys.splice(-3, 0, ...FILM_KEYS);
    if (this.items.some((item) => item.object)) keys.splice(-3, 0, ...OBJECT_KEYS);
    const { classes, undo } = this.data;
    if (classes.length) keys.splice(-3, 0, [classes.length > 1 ? `1 … ${classes.length}` : "1",
      `label as ${classes.slice(0, 3).join(", ")}${classes.length > 3 ? " …" : ""}`]);
    if (undo) keys.splice(-3, 0, ["Ctrl + Z", "take the last edit back"]);
    for (const [key, what] of keys) list.append(el("dt", {}, key), el("dd", {}, what));
    const close = el("button", { type: "button" }, "Close");
    close.onclick = () => this.closeKeys();
    box.append(el("h2", {}, "Keys"), list, close);
    this.keys.append(box);
    this.keys.onclick = (event) => { if (event.target === this.keys) this.closeKeys(); };
    this.root.append(this.keys);
    close.focus();
  }

  closeKeys() {
    this.keys?.remove();
    this.keys = null;
    (this.before || this.tiles[this.cursor])?.focus();
  }

  // The menu of one photo

  openMenu(index, x, y) {
    const item = this.items[index];
    this.menu.replaceChildren();
    const kind = item.film?.at === null ? FILM_ACTIONS : item.film ? MOMENT_ACTIONS : PHOTO_ACTIONS;
    for (const [what, label] of [...(item.object ? OBJECT_ACTIONS : kind), ...FILE_ACTIONS]) {
      const link = what === "original" || what === "download";
      const entry = el(link ? "a" : "button", { role: "menuitem", tabindex: "-1" }, label);
      if (link) {
        entry.href = `${this.data.base}/fk/media/${item.media}${what === "download" ? "?download=1" : ""}`;
        if (what === "original") [entry.target, entry.rel] = ["_blank", "noopener"];
        entry.onclick = () => this.closeMenu(true);
      } else {
        entry.type = "button";
        entry.onclick = () => this.act(what, item);
      }
      this.menu.append(entry);
    }
    this.menu.hidden = false;
    const box = this.menu.getBoundingClientRect();
    this.menu.style.left = `${Math.max(8, Math.min(x, innerWidth - box.width - 8))}px`;
    this.menu.style.top = `${Math.max(8, Math.min(y, innerHeight - box.height - 8))}px`;
    this.menu.firstElementChild.focus();
  }

  closeMenu(refocus) {
    this.menu.hidden = true;
    if (refocus) this.tiles[this.cursor]?.focus();
  }

  menuKey(event) {
    const entries = [...this.menu.children];
    const here = entries.indexOf(this.root.getRootNode().activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      entries[(here + step + entries.length) % entries.length].focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      this.closeMenu(true);
    }
  }

  async act(what, item) {
    this.closeMenu(true);
    if (what !== "path") return this.ask("act", { what, ids: [item.id] });
    try {
      await navigator.clipboard.writeText(item.path);
      this.say("The path is copied.");
    } catch {
      this.say(item.path);
    }
  }

  async take(event, transfer) {
    if (!hasFiles(transfer)) return;
    const file = transfer.files[0];
    // A drop zone that is open takes files itself.
    if (document.documentElement.dataset.fkDropzone || !file) return;
    event.preventDefault();
    if (!this.data.pictures) return;
    this.say(`Reading ${file.name || "the picture"}…`);
    try {
      const response = await fetch(`${this.data.base}/fk/query-image`, {
        method: "PUT", body: file, headers: { "X-Framekeep": "1", "X-Name": encodeURIComponent(file.name) },
      });
      const answer = await response.json();
      if (response.ok) this.ask("act", { what: "picture", ids: [answer.image] });
      else this.say(answer.error);
    } catch {
      this.say("The connection broke off; drop the picture again.");
    }
  }

  say(text) {
    this.toast.textContent = text;
    this.toast.hidden = false;
    clearTimeout(this.saying);
    this.saying = setTimeout(() => { this.toast.hidden = true; }, 4000);
  }

  // More on scrolling

  checkSentinel() {
    const box = this.sentinel.getBoundingClientRect();
    if (box.top < innerHeight) this.wantMore();
  }

  wantMore() {
    // Counted with the moments behind films: more of them may have come without a new tile.
    if (!this.data?.more || this.asked === this.data.have || !this.items.length) return;
    this.asked = this.data.have;
    this.ask("more", { have: this.data.have });
  }
}

export default (component) => mount(component, Gallery);
