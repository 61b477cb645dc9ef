// What stands beside and above the stage: tools, the list of objects, what can be done with one.

const TOOLS = [
  ["select", "Select", "v", "M5 2l12 9-5.2.9 3 5.8-2.4 1.2-3-5.8L5 17z"],
  ["points", "Points", "p", "M10 1v5M10 14v5M1 10h5M14 10h5M10 8.5a1.5 1.5 0 1 0 .01 0z"],
  ["box", "Box", "x", "M3 4h14v12H3z"],
  ["brush", "Brush", "b", "M17 2L8 11M8 11c-2-.6-4 .6-4.300 3-.2 1.600-.9 2.500-2 3 3 1 7.300.6 7.800-2.500C9.800 13 9.300 11.600 8 11z"],
  ["eraser", "Eraser", "e", "M7 17L2.500 12.500l9-9 6 6-7.500 7.500zM7 8l6 6M7 17h10"],
  ["polygon", "Polygon", "g", "M3 8l8-5 6 6-3 8-9-2zM3 8v.01"],
];
const COMBINE = [["replace", "Replace"], ["add", "Add"], ["remove", "Take away"]];
const CLASS_KEYS = 9;

function icon(path) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 20 20", "aria-hidden": "true" })) {
    drawing.setAttribute(name, value);
  }
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  drawing.append(line);
  return drawing;
}

function button(text, act, attributes = {}) {
  const node = el("button", { type: "button", ...attributes }, text);
  node.onclick = act;
  return node;
}

function swatch(colour) {
  const dot = el("i", { class: "swatch", "aria-hidden": "true" });
  dot.style.background = colour || NEUTRAL;
  return dot;
}

class Panel {
  constructor(host) {
    this.host = host;
    this.top = el("div", { class: "top" });
    this.bar = el("div", { class: "tools", role: "toolbar", "aria-label": "Tools" });
    this.side = el("section", { class: "side", "aria-label": "Objects" });
    this.hint = el("p", { class: "hint", role: "status" });
    this.finish = el("div", { class: "finish", role: "group", "aria-label": "What is drawn" });
    this.makeTop();
    this.makeTools();
    this.makeSide();
  }

  makeTop() {
    const { host } = this;
    this.name = el("h1", { class: "name" });
    this.where = el("span", { class: "where" });
    this.previous = button("‹", () => host.go(host.data.previous), { "aria-label": "Previous photo", title: "Previous photo (←)" });
    this.next = button("›", () => host.go(host.data.next), { "aria-label": "Next photo", title: "Next photo (→)" });
    this.undo = button("Undo", () => host.undo(), { title: "Take the last edit back (Ctrl + Z)" });
    this.saved = el("span", { class: "saved", role: "status" });
    this.top.append(
      button("← Back", () => host.leave()), this.name, this.where, this.previous, this.next,
      button("Next unlabelled", () => host.goUnlabelled(), { title: "The next photo with something unlabelled (n)" }),
      this.undo, button("Keys", () => host.showKeys(), { title: "All keys (?)" }), this.saved);
  }

  makeTools() {
    const { host } = this;
    this.tools = TOOLS.map(([tool, name, key, path]) => {
      const node = button("", () => host.setTool(tool), { title: `${name} (${key})`, "aria-pressed": "false" });
      node.append(icon(path), el("span", {}, name));
      this.bar.append(node);
      return [tool, node];
    });
    this.width = el("label", { class: "width" }, "Width");
    this.slider = el("input", { type: "range", min: "4", max: "240", step: "2" });
    this.slider.oninput = () => host.setBrush(Number(this.slider.value));
    this.width.append(this.slider);
    this.minus = button("Not the object", () => host.toggleMinus(), {
      "aria-pressed": "false", title: "Points at what does not belong to the object (Alt-click)" });
    this.options = el("div", { class: "options" });
    this.options.append(this.hint, this.width, this.minus);
    this.view = el("div", { class: "view", role: "group", "aria-label": "View" });
    this.outlines = button("Outlines", () => host.toggleOutlines(), { "aria-pressed": "true", title: "Show or hide the outlines (o)" });
    this.view.append(this.outlines,
      button("Fit", () => host.stage.fit(), { title: "Show the whole photo (0)" }),
      button("−", () => host.stage.zoom(1 / 1.4), { "aria-label": "Zoom out", title: "Zoom out (-)" }),
      button("+", () => host.stage.zoom(1.4), { "aria-label": "Zoom in", title: "Zoom in (+)" }));
  }

  makeSide() {
    const { host } = this;
    this.count = el("h2", {});
    this.list = el("ul", { class: "list", role: "listbox", "aria-label": "Objects in this photo", tabindex: "0" });
    this.list.onclick = (event) => {
      const item = event.target.closest("[role=option]");
      if (item) host.choose(host.objects.find((one) => one.id === item.dataset.id), true);
    };
    this.list.ondblclick = () => host.zoomToObject();
    this.rejected = el("label", { class: "check" });
    this.box = el("input", { type: "checkbox" });
    this.box.onchange = () => host.showRejected(this.box.checked);
    this.rejectedText = el("span");
    this.rejected.append(this.box, this.rejectedText);
    this.actions = el("div", { class: "actions", role: "group", "aria-label": "The selected object" });
    this.about = el("p", { class: "about" });
    this.accept = button("Accept", () => host.judge("accepted"), { title: "The outline is right (a)" });
    this.reject = button("Reject", () => host.judge("rejected"), { title: "Not an object after all (r, Delete)" });
    this.relabel = button("Label…", () => this.openPicker(), { title: "Give it a class (l)" });
    this.fresh = button("New", () => host.startNew(), { "aria-label": "New object", title: "Let go of this one and draw another (i)" });
    const row = el("div", { class: "row" });
    row.append(this.accept, this.reject, this.relabel);
    const head = el("div", { class: "head" });
    head.append(this.count, this.fresh);
    this.picker = el("div", { class: "picker" });
    this.classes = el("div", { class: "classes", role: "group", "aria-label": "Classes" });
    this.actions.append(this.about, row, this.picker, this.classes);
    this.side.append(this.actions, head, this.list, this.rejected);
  }

  update() {
    const { host } = this;
    const { data, tool, draft, selected } = host;
    this.name.textContent = this.name.title = data.name;
    this.where.textContent = data.place;
    this.previous.disabled = !data.previous;
    this.next.disabled = !data.next;
    this.undo.disabled = !(host.saver.changes.length || host.saver.jobs.length || draft);
    this.saved.textContent = { saved: "Saved", saving: "Saving…", failed: host.saver.trouble }[host.saver.state];
    this.saved.classList.toggle("bad", host.saver.state === "failed");
    for (const [name, node] of this.tools) node.setAttribute("aria-pressed", String(name === tool));
    const brushing = tool === "brush" || tool === "eraser";
    this.width.hidden = !brushing;
    this.slider.value = host.brush;
    this.minus.hidden = tool !== "points";
    this.minus.setAttribute("aria-pressed", String(Boolean(host.minus)));
    this.outlines.setAttribute("aria-pressed", String(!host.hidden));
    this.hint.textContent = host.hint;
    this.updateFinish(draft);
    this.updateList();
    this.updateActions(selected);
  }

  updateFinish(draft) {
    const { host } = this;
    this.finish.hidden = !draft;
    this.finish.replaceChildren();
    if (!draft) return;
    const answer = host.answers[draft.answer];
    if (draft.kind === "prompt") {
      this.finish.append(el("span", { class: "said" }, host.answerSaid(answer)));
      if (host.answers.length > 1) {
        this.finish.append(
          button("↑", () => host.nextAnswer(-1), { "aria-label": "The answer before" }),
          button("↓", () => host.nextAnswer(1), { "aria-label": "The next answer" }));
      }
      if (host.target) this.finish.append(this.combining(draft));
    } else this.finish.append(el("span", { class: "said" }, `${draft.points.length} corners`));
    if (draft.label) this.finish.append(el("b", {}, draft.label));
    this.finish.append(
      button("Keep", () => host.keepDraft(), { class: "first", title: "Enter" }),
      button("Cancel", () => host.cancelDraft(), { title: "Escape" }));
  }

  combining(draft) {
    const group = el("span", { class: "combine", role: "group", "aria-label": "What to do with the answer" });
    for (const [value, name] of COMBINE) {
      group.append(button(name, () => this.host.setCombine(value), { "aria-pressed": String(draft.combine === value) }));
    }
    return group;
  }

  updateList() {
    const { host } = this;
    const objects = host.shownObjects;
    const rejected = host.objects.filter((one) => one.state === "rejected").length;
    const live = host.objects.length - rejected;
    this.count.textContent = live === 1 ? "1 object" : `${live} objects`;
    this.rejected.hidden = !rejected;
    this.box.checked = host.withRejected;
    this.rejectedText.textContent = `Show ${rejected} rejected`;
    const items = objects.map((object) => this.item(object));
    this.list.replaceChildren(...(items.length ? items : [this.empty()]));
    const chosen = this.list.querySelector("[aria-selected=true]");
    chosen ? this.list.setAttribute("aria-activedescendant", chosen.id) : this.list.removeAttribute("aria-activedescendant");
    if (chosen && host.selected.id !== this.shownId) this.bringIntoSight(chosen);
    this.shownId = host.selected?.id;
  }

  // Within the list alone: scrollIntoView would move the page as well.
  bringIntoSight(item) {
    const [box, list] = [item.getBoundingClientRect(), this.list.getBoundingClientRect()];
    if (box.top < list.top) this.list.scrollTop -= list.top - box.top;
    else if (box.bottom > list.bottom) this.list.scrollTop += box.bottom - list.bottom;
  }

  empty() {
    return el("li", { role: "option", "aria-disabled": "true", "aria-selected": "false", class: "empty" },
      this.host.loading ? "Looking…" : "Nothing is drawn yet: take a tool and point at an object.");
  }

  item(object) {
    const { host } = this;
    const item = el("li", { role: "option", id: `object-${object.id.replace(":", "-")}`,
      "aria-selected": String(object === host.selected), "data-id": object.id, class: object.state });
    const sign = { accepted: "✓", rejected: "✗" }[object.state];
    const name = el("span", { class: object.labelSource === "model" ? "label model" : "label" }, object.title);
    const from = el("span", { class: "from" }, object.said);
    const text = el("span", { class: "text" });
    text.append(name, from);
    item.append(swatch(object.colour), text);
    if (sign) item.append(el("span", { class: "sign", "aria-hidden": "true" }, sign));
    if (object.state !== "open") item.append(el("span", { class: "unseen" }, object.state));
    return item;
  }

  updateActions(selected) {
    const { host } = this;
    const target = selected || (host.draft && !host.draft.target ? host.draft : null);
    this.actions.classList.toggle("idle", !target);
    this.about.textContent = selected ? `${selected.title}: ${selected.said}` : host.draft
      ? "A new object" : "Select an object in the photo or in the list.";
    for (const node of [this.accept, this.reject]) node.disabled = !selected;
    this.relabel.disabled = !target;
    this.accept.setAttribute("aria-pressed", String(selected?.state === "accepted"));
    this.reject.setAttribute("aria-pressed", String(selected?.state === "rejected"));
    this.classes.replaceChildren(...host.classes.slice(0, CLASS_KEYS).map(({ name, colour }, at) => {
      const pressed = target && target.label === name && target.labelSource !== "model";
      const node = button("", () => host.label(name), { "aria-pressed": String(Boolean(pressed)), title: `${name} (${at + 1})` });
      node.append(el("kbd", { "aria-hidden": "true" }, String(at + 1)), swatch(colour), el("span", {}, name));
      node.disabled = !target;
      return node;
    }));
  }

  // Typing a label, with those that are known offered

  openPicker() {
    const { host } = this;
    if (!host.selected && !(host.draft && !host.draft.target)) return host.say("Select an object first.");
    this.matches = [];
    this.at = -1;
    this.input = el("input", { type: "text", role: "combobox", "aria-expanded": "true", "aria-autocomplete": "list",
      "aria-controls": "known-labels", "aria-label": "Label", placeholder: "dog", maxlength: "100", autocomplete: "off" });
    this.options = el("ul", { role: "listbox", id: "known-labels", "aria-label": "Known labels" });
    this.input.oninput = () => this.offer();
    const { input } = this;
    // Itself alone: another may be open by then, and what is typed there must not become keys.
    input.onblur = () => setTimeout(() => this.input === input && this.closePicker(false), 150);
    this.options.onpointerdown = (event) => event.preventDefault();
    this.options.onclick = (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.pick(option.dataset.name);
    };
    this.picker.replaceChildren(this.input, this.options);
    this.offer();
    this.input.focus();
  }

  offer() {
    const typed = this.input.value.trim().toLowerCase();
    const names = this.host.classes.map((one) => one.name);
    this.matches = names.filter((name) => name.toLowerCase().includes(typed)).slice(0, 12);
    this.matches.sort((one, other) => other.toLowerCase().startsWith(typed) - one.toLowerCase().startsWith(typed));
    if (this.host.selected?.label && !typed) this.matches.push("");
    this.at = typed && this.matches.length && this.matches[0].toLowerCase() === typed ? 0 : -1;
    this.options.hidden = !this.matches.length;
    this.input.setAttribute("aria-expanded", String(this.matches.length > 0));
    this.options.replaceChildren(...this.matches.map((name, at) => {
      const option = el("li", { role: "option", id: `label-${at}`, "data-name": name, "aria-selected": String(at === this.at) });
      if (name) option.append(swatch(this.host.colours.get(name)), name);
      else option.append("No label");
      return option;
    }));
    this.mark();
  }

  mark() {
    [...this.options.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === this.at)));
    if (this.at < 0) this.input.removeAttribute("aria-activedescendant");
    else {
      this.input.setAttribute("aria-activedescendant", `label-${this.at}`);
      this.options.children[this.at].scrollIntoView({ block: "nearest" });
    }
  }

  pickerKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.matches.length) {
      this.at = (this.at + step + this.matches.length) % this.matches.length;
      this.mark();
    } else if (event.key === "Enter") {
      this.pick(this.at >= 0 ? this.matches[this.at] : this.input.value.trim());
    } else if (event.key === "Escape") this.closePicker(true);
    else return;
    event.preventDefault();
  }

  pick(name) {
    const known = this.host.classes.find((one) => one.name.toLowerCase() === name.toLowerCase());
    this.closePicker(true);
    this.host.label(known ? known.name : name);
  }

  closePicker(refocus) {
    if (!this.input) return;
    this.input = null;
    this.picker.replaceChildren();
    if (refocus) this.host.stage.node.focus({ preventScroll: true });
  }
}
