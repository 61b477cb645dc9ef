// Edits on their way to the server, one after the other. What has not been answered is kept in the
// browser's session, so that a reload loses nothing; each edit names the version that it changes.

const JOBS = "fk-annotate-jobs";
const CHANGES = "fk-annotate-changes";
const AGAIN_MS = 3000;
const MOST_TRIES = 20;
const MOST_CHANGES = 100;
const KEEPALIVE_BYTES = 60_000;
const MOST_STROKES_AT_ONCE = 50;

function kept(name, otherwise) {
  try {
    return JSON.parse(sessionStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function keep(name, value) {
  try {
    value === null ? sessionStorage.removeItem(name) : sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    // A full or closed storage: the edit itself still goes to the server.
  }
}

// Ask a route; throws an Error with the status and the route's own sentence.
async function ask(address, method = "GET", body = null) {
  const text = body && JSON.stringify(body);
  let response;
  try {
    response = await fetch(address, {
      method, body: text, headers: { "X-Framekeep": "1", "Content-Type": "application/json" },
      keepalive: Boolean(text) && text.length < KEEPALIVE_BYTES,
    });
  } catch {
    throw Object.assign(new Error("The connection broke off."), { status: 0 });
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw Object.assign(new Error(answer.error || `The server answered ${response.status}.`), {
    status: response.status,
  });
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((n) => n.toString(16).padStart(2, "0")).join("");
}

// A job is {kind, media, id, body}: draw, mask, strokes, label, state or undo. The id of an object
// that is being drawn is "new:" and a key until the server has given it one.
class Saver {
  constructor(base, { answered, refused, changed }) {
    this.base = base;
    Object.assign(this, { answered, refused, changed });
    this.known = new Map();
    this.names = new Map();
    this.changes = kept(CHANGES, []);
    this.jobs = kept(JOBS, []).map((job) => ({ ...job, restored: true }));
    this.online = () => this.run();
    addEventListener("online", this.online);
  }

  destroy() {
    removeEventListener("online", this.online);
    this.ended = true;
  }

  // What is known of objects: their versions, and what was seen of them.
  learn(segments) {
    for (const { id, version, seen } of segments) this.known.set(id, { version, seen });
  }

  nameOf(id) {
    return this.names.get(id) || id;
  }

  get state() {
    return this.trouble ? "failed" : this.jobs.length ? "saving" : "saved";
  }

  // Strokes of an object that are not yet in what the server has told of it.
  strokesOf(id) {
    const name = this.nameOf(id);
    return this.jobs.filter((job) => job.body.strokes && this.nameOf(job.id) === name)
      .flatMap((job) => job.body.strokes);
  }

  add(job) {
    const last = this.jobs.at(-1);
    const joins = job.kind === "strokes" && last && last.kind === "strokes" && last.id === job.id &&
      last !== this.sending && last.body.strokes.length < MOST_STROKES_AT_ONCE;
    if (joins) last.body.strokes.push(...job.body.strokes);
    else this.jobs.push(job);
    this.persist();
    this.changed();
    this.run();
  }

  persist() {
    keep(JOBS, this.jobs.length ? this.jobs.map(({ restored, ...job }) => job) : null);
  }

  async run() {
    if (this.running || this.ended) return;
    this.running = true;
    clearTimeout(this.later);
    while (this.jobs.length && !this.ended) {
      this.sending = this.jobs[0];
      try {
        const answer = await this.send(this.sending);
        this.trouble = "";
        this.done(this.sending, answer);
      } catch (error) {
        if (!this.failed(this.sending, error)) break;
      }
    }
    this.running = false;
    this.sending = null;
    this.changed();
  }

  async send(job) {
    const { base } = this;
    if (job.kind === "draw") {
      return ask(`${base}/fk/objects/${job.media}`, "POST", { ...job.body, key: job.id.slice(4) });
    }
    if (job.kind === "undo") {
      return ask(`${base}/fk/undo`, "POST", { change: this.changes.at(-1) ?? 0 });
    }
    const id = this.nameOf(job.id);
    if (!this.known.has(id)) this.learn((await ask(`${base}/fk/objects/${job.media}`)).segments);
    const known = this.known.get(id) || { version: 1, seen: "" };
    if (job.kind === "label" || job.kind === "state") {
      return ask(`${base}/fk/objects/${id}/${job.kind}`, "POST", { ...job.body, seen: known.seen });
    }
    // Sent before a reload, the edit may have arrived: then the version has moved on.
    job.version = job.restored && job.version ? job.version : known.version;
    this.persist();
    return ask(`${base}/fk/objects/${id}/mask`, "PUT", { ...job.body, version: job.version });
  }

  done(job, answer) {
    this.jobs.shift();
    this.persist();
    if (job.kind === "undo") this.changes.pop();
    else {
      if (job.kind === "draw") this.names.set(job.id, answer.segment.id);
      this.learn([answer.segment]);
      if (answer.change && answer.change !== this.changes.at(-1)) this.changes.push(answer.change);
    }
    this.changes = this.changes.slice(-MOST_CHANGES);
    keep(CHANGES, this.changes);
    this.answered(job, answer);
  }

  // True where the next job may be tried; what cannot be told now is tried again by itself.
  failed(job, error) {
    if (error.status === 0 || error.status >= 500) {
      job.tries = (job.tries || 0) + 1;
      if (error.status === 0 || job.tries < MOST_TRIES) {
        this.trouble = `Not saved yet: ${error.message}`;
        this.later = setTimeout(() => this.run(), AGAIN_MS);
        this.changed();
        return false;
      }
    }
    this.trouble = "";
    if (error.status === 401) {
      this.trouble = error.message;
      return false;
    }
    if (job.kind === "undo") keep(CHANGES, (this.changes = []));
    const arrived = job.restored && error.status === 409;
    if (error.status === 409) this.known.delete(this.nameOf(job.id));  // the next edit asks first
    this.jobs = this.jobs.filter((other) => other !== job && (arrived || !this.restsOn(other, job)));
    this.persist();
    this.refused(job, arrived ? "" : error.message);
    return true;
  }

  // True where an edit cannot be made without another one before it.
  restsOn(other, job) {
    if (!other.id || this.nameOf(other.id) !== this.nameOf(job.id)) return false;
    const alike = [["strokes", "mask"], ["label", "state"]];
    return job.kind === "draw" || alike.some((kinds) => kinds.includes(job.kind) && kinds.includes(other.kind));
  }
}
