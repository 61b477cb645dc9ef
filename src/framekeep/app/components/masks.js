// Masks: COCO's compressed run lengths (five bits a character, column by column) and outlines.

// The lengths of the runs, background first.
function runsOf(counts) {
  const runs = [];
  let at = 0;
  while (at < counts.length) {
    let value = 0, weight = 1, code;
    do {
      code = counts.charCodeAt(at++) - 48;
      value += (code & 31) * weight;
      weight *= 32;
    } while (code & 32);
    if (code & 16) value -= weight;
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
  }
  return runs;
}

// A mask of (width, height) on a smaller or equal grid: one byte for each of its pixels, row by row,
// 1 where the middle of the pixel is in the object.
function decodeMask(counts, [width, height], [columns, rows]) {
  const pixels = new Uint8Array(columns * rows);
  const columnAt = new Int32Array(width).fill(-1);
  for (let column = 0; column < columns; column++) {
    columnAt[Math.floor(((column + 0.5) * width) / columns)] = column;
  }
  const firstRow = new Int32Array(height + 1);  // the first row whose middle lies at y or below
  for (let row = 0, y = 0; y <= height; y++) {
    while (row < rows && Math.floor(((row + 0.5) * height) / rows) < y) row++;
    firstRow[y] = row;
  }
  let at = 0, inside = false;
  for (const length of runsOf(counts)) {
    const end = at + length;
    while (inside && at < end) {
      const x = Math.floor(at / height);
      const next = Math.min(end, (x + 1) * height);
      const column = columnAt[x];
      if (column >= 0) {
        const last = firstRow[next - x * height];
        for (let row = firstRow[at - x * height]; row < last; row++) pixels[row * columns + column] = 1;
      }
      at = next;
    }
    at = end;
    inside = !inside;
  }
  return pixels;
}

// A canvas with a mask in one colour, at most `longest` pixels at its longer side.
function maskCanvas(counts, size, colour, longest) {
  const [width, height] = size;
  const scale = Math.min(1, longest / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  if (!counts) return canvas;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const [red, green, blue] = colourParts(colour);
  const word = new DataView(new ArrayBuffer(4));
  [red, green, blue, 255].forEach((part, index) => word.setUint8(index, part));
  const value = word.getUint32(0, LITTLE_ENDIAN);
  const words = new Uint32Array(image.data.buffer);
  const pixels = decodeMask(counts, size, [canvas.width, canvas.height]);
  for (let at = 0; at < pixels.length; at++) if (pixels[at]) words[at] = value;
  context.putImageData(image, 0, 0);
  return canvas;
}

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function colourParts(colour) {
  const digits = /^#[0-9a-f]{6}$/i.test(colour) ? colour.slice(1) : "ffd43b";
  return [0, 2, 4].map((at) => parseInt(digits.slice(at, at + 2), 16));
}

// Rings are [x, y, x, y, …] in full-size pixels; those within others are holes.
function pathOf(rings) {
  const path = new Path2D();
  for (const ring of rings) {
    for (let at = 0; at < ring.length; at += 2) {
      at ? path.lineTo(ring[at], ring[at + 1]) : path.moveTo(ring[at], ring[at + 1]);
    }
    path.closePath();
  }
  return path;
}

// A ring as [[x, y], …] with fewer corners, none of the former line farther away than `tolerance`
// (Douglas and Peucker 1973).
function simplified(ring, tolerance) {
  const points = [];
  for (let at = 0; at < ring.length; at += 2) points.push([ring[at], ring[at + 1]]);
  if (points.length < 5) return points;
  let far = 0;
  const away = (point) => Math.hypot(point[0] - points[0][0], point[1] - points[0][1]);
  points.forEach((point, index) => { if (away(point) > away(points[far])) far = index; });
  const keep = new Set([0, far]);
  const halves = [[0, far], [far, points.length]];
  while (halves.length) {
    const [from, to] = halves.pop();
    let worst = -1, distance = tolerance;
    for (let at = from + 1; at < to; at++) {
      const here = fromLine(points[at], points[from], points[to % points.length]);
      if (here > distance) [worst, distance] = [at, here];
    }
    if (worst < 0) continue;
    keep.add(worst);
    halves.push([from, worst], [worst, to]);
  }
  const kept = [...keep].sort((one, other) => one - other).map((at) => points[at]);
  return kept.length < 3 ? points : kept;
}

function fromLine([x, y], [x0, y0], [x1, y1]) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = dx * dx + dy * dy;
  const along = length ? Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / length)) : 0;
  return Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
}
