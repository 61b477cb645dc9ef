// Months as bars, newest first. Python sends {months: [{at, year, title, count}], at}; back goes
// `jump` {at} as a trigger.

export default function (component) {
  if (overtaken(component)) return;
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".fk-root");
  const most = Math.max(1, ...data.months.map((month) => month.count));
  const focused = root.getRootNode().activeElement?.dataset?.at;
  const years = el("div", { class: "years", role: "group", "aria-label": "Time line" });
  let bars, last;
  data.months.forEach((month, index) => {
    if (month.year !== last) {
      const year = el("div", { class: "year" });
      bars = el("div", { class: "bars" });
      year.append(bars, el("span", {}, String(month.year)));
      years.append(year);
      last = month.year;
    }
    const title = `${month.title}: ${month.count.toLocaleString()}`;
    const bar = el("button", { type: "button", title, "aria-label": title, "data-at": month.at });
    if (data.at === month.at) bar.setAttribute("aria-current", "true");
    const fill = el("i");
    fill.style.height = `${Math.max(10, Math.round(Math.sqrt(month.count / most) * 100))}%`;
    bar.append(fill);
    bar.onclick = () => setTriggerValue("jump", { at: index ? month.at : "" });
    bars.append(bar);
  });
  root.replaceChildren(years);
  if (focused) root.querySelector(`[data-at="${focused}"]`)?.focus();
}
