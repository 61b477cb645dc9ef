// Facets with counts. Python sends {groups: [{key, title, values: [{label, where, count, on}]}],
// filtered}; back go `toggle` {key, where, on} and `reset` as triggers.

const opened = new WeakMap();

function values(group, trigger) {
  const box = el("div", { class: "values", role: "group", "aria-label": group.title });
  for (const value of group.values) {
    const label = el("label");
    const input = el("input", { type: "checkbox" });
    input.checked = value.on;
    input.dataset.where = value.where;
    input.onchange = () => trigger("toggle", { key: group.key, where: value.where, on: input.checked });
    label.append(input, el("span", { class: "name", title: value.label }, value.label),
      el("span", { class: "count" }, value.count.toLocaleString()));
    box.append(label);
  }
  return box;
}

export default function (component) {
  if (overtaken(component)) return;
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".fk-root");
  const open = opened.get(root) || new Set(["year"]);
  opened.set(root, open);
  const active = root.getRootNode().activeElement;
  const kept = active?.dataset?.where;
  const tops = new Map([...root.querySelectorAll("details")].map(
    (node) => [node.dataset.key, node.querySelector(".values")?.scrollTop || 0]));
  const head = el("div", { class: "head" });
  const reset = el("button", { type: "button" }, "Clear filters");
  reset.hidden = !data.filtered;
  reset.onclick = () => setTriggerValue("reset", { at: Date.now() });
  head.append(el("h2", {}, "Filters"), reset);
  root.replaceChildren(head);
  for (const group of data.groups) {
    if (!group.values.length) continue;
    const box = el("details", { "data-key": group.key });
    const on = group.values.filter((value) => value.on).length;
    box.open = open.has(group.key) || on > 0;
    box.ontoggle = () => (box.open ? open.add(group.key) : open.delete(group.key));
    const summary = el("summary", {}, group.title);
    if (on) summary.append(el("span", { class: "n" }, String(on)));
    box.append(summary);
    box.append(values(group, setTriggerValue));
    root.append(box);
    box.querySelector(".values").scrollTop = tops.get(group.key) || 0;
  }
  if (kept) {
    [...root.querySelectorAll("input")]
      .find((input) => input.dataset.where === kept)?.focus();
  }
}
