// Outlines of objects: fetched in batches, kept by id and version, drawn as SVG over a picture.
// The gallery and the large view share this; it stands before their own scripts.

const OUTLINES_AT_ONCE = 60;
const KEPT_OUTLINES = 5000;
const NEUTRAL = "#ffd43b";
const outlines = new Map();

function svg(tag, attributes = {}) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function outlineOf(object) {
  return outlines.get(`${object.id}:${object.version}`);
}

// Objects are {id, version}; `drawn` is called whenever some have come.
async function fetchOutlines(base, objects, drawn) {
  const lacking = objects.filter((object) => !outlineOf(object));
  for (let at = 0; at < lacking.length; at += OUTLINES_AT_ONCE) {
    const ids = lacking.slice(at, at + OUTLINES_AT_ONCE).map((object) => object.id);
    try {
      const response = await fetch(`${base}/fk/outlines?ids=${ids.join(",")}`);
      if (!response.ok) return;
      for (const [id, { version, path }] of Object.entries(await response.json())) {
        outlines.set(`${id}:${version}`, path);
      }
    } catch {
      return;  // the photos show without them
    }
    while (outlines.size > KEPT_OUTLINES) outlines.delete(outlines.keys().next().value);
    drawn();
  }
}

// The part of a photo that shows an object with some room around it: {x, y, w, h} in its pixels.
function nearRegion(item) {
  const [left, top, right, bottom] = item.object.box;
  const room = 0.15 * Math.max(right - left, bottom - top, 24);
  let w = Math.min(item.w, right - left + 2 * room);
  let h = Math.min(item.h, bottom - top + 2 * room);
  if (w / h < 0.6) w = Math.min(item.w, 0.6 * h);
  if (w / h > 2.4) h = Math.min(item.h, w / 2.4);
  const x = Math.max(0, Math.min((left + right - w) / 2, item.w - w));
  const y = Math.max(0, Math.min((top + bottom - h) / 2, item.h - h));
  return { x, y, w, h };
}

// One object's outline: coloured, on a white line with a dark edge, so that any picture shows it.
function outlineGroup(path, object) {
  const classes = ["outline", object.draft ? "draft" : "", object.chosen ? "chosen" : ""];
  const group = svg("g", { class: classes.filter(Boolean).join(" ") });
  group.style.setProperty("--colour", object.colour || NEUTRAL);
  for (const part of ["edge", "under", "over"]) group.append(svg("path", { d: path, class: part }));
  return group;
}
