// Files from the browser to the server, streamed one by one with PUT; the page never holds them.
// Python sends {mode: "many" | "one", batch, label, hint, base, paste}; back go `uploaded`
// {batch, files, failed} and, for one picture, `picture` {image} as triggers.

const AT_ONCE = 3;

const megabytes = (bytes) => (bytes / 1e6).toLocaleString(undefined, { maximumFractionDigits: 1 });

async function* walk(entry, prefix) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(() => null);
    if (file) yield { file, name: prefix + file.name };
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)).catch(() => []);
    if (!entries.length) return;
    for (const inner of entries) yield* walk(inner, `${prefix}${entry.name}/`);
  }
}

class Dropzone {
  constructor(parent) {
    this.root = parent.querySelector(".fk-root");
    this.queue = [];
    this.running = 0;
    this.zone = el("div", { class: "zone" });
    this.lead = el("p");
    this.buttons = el("div", { class: "buttons" });
    this.files = el("input", { type: "file", multiple: "", "aria-label": "Files", tabindex: "-1" });
    this.folder = el("input", { type: "file", webkitdirectory: "", "aria-label": "Folder", tabindex: "-1" });
    this.choose = el("button", { type: "button", class: "first" }, "Choose files");
    this.chooseFolder = el("button", { type: "button" }, "Choose a folder");
    this.hint = el("p", { class: "hint" });
    this.work = el("div", { class: "work" });
    this.work.hidden = true;
    this.bar = el("progress", { max: "1", value: "0", "aria-label": "Upload" });
    this.text = el("span", { class: "text", role: "status" });
    this.stop = el("button", { type: "button" }, "Stop uploading");
    const line = el("div", { class: "line" });
    line.append(this.text, this.stop);
    this.errors = el("ul", { class: "errors", "aria-label": "Files that were not taken" });
    this.work.append(this.bar, line, this.errors);
    this.buttons.append(this.choose, this.chooseFolder);
    this.zone.append(this.lead, this.buttons, this.hint, this.files, this.folder, this.work);
    this.root.replaceChildren(this.zone);
    this.choose.onclick = () => this.files.click();
    this.chooseFolder.onclick = () => this.folder.click();
    for (const input of [this.files, this.folder]) {
      input.onchange = () => {
        this.take([...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
        input.value = "";
      };
    }
    this.stop.onclick = () => this.cancel();
    this.zone.ondragover = (event) => { event.preventDefault(); this.zone.classList.add("over"); };
    this.zone.ondragleave = () => this.zone.classList.remove("over");
    this.zone.ondrop = (event) => this.drop(event);
    this.pasted = (event) => this.paste(event);
    document.addEventListener("paste", this.pasted);
    document.documentElement.dataset.fkDropzone = "1";
    // A file dropped beside the zone would otherwise replace the page.
    this.beside = (event) => { if (event.dataTransfer?.types?.includes("Files")) event.preventDefault(); };
    addEventListener("dragover", this.beside);
    addEventListener("drop", this.beside);
    this.leaving = (event) => { if (this.running) event.preventDefault(); };
    addEventListener("beforeunload", this.leaving);
  }

  destroy() {
    this.cancel();
    document.removeEventListener("paste", this.pasted);
    delete document.documentElement.dataset.fkDropzone;
    removeEventListener("dragover", this.beside);
    removeEventListener("drop", this.beside);
    removeEventListener("beforeunload", this.leaving);
  }

  update({ data, setTriggerValue }) {
    this.data = data;
    this.trigger = setTriggerValue;
    const one = data.mode === "one";
    this.zone.classList.toggle("small", one);
    this.lead.textContent = data.label;
    this.hint.textContent = data.hint || "";
    this.chooseFolder.hidden = one;
    this.chooseFolder.style.display = one ? "none" : "";
    this.choose.textContent = one ? "Choose a picture" : "Choose files";
    one ? this.files.removeAttribute("multiple") : this.files.setAttribute("multiple", "");
    if (one) this.files.setAttribute("accept", "image/*,.heic,.heif,.avif,.dng,.cr2,.cr3,.nef,.arw");
    else this.files.removeAttribute("accept");
    if (data.batch !== this.batch && !this.running) this.reset();
  }

  reset() {
    this.batch = this.data.batch;
    this.total = this.done = this.bytes = this.sent = this.taken = 0;
    this.failed = [];
    this.stopped = false;
    this.controller = new AbortController();
  }

  async drop(event) {
    event.preventDefault();
    event.stopPropagation();
    this.zone.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.length) return this.take([...event.dataTransfer.files].map((file) => ({ file, name: file.name })));
    const found = [];
    for (const entry of entries) for await (const item of walk(entry, "")) found.push(item);
    this.take(found);
  }

  paste(event) {
    const files = [...(event.clipboardData?.files || [])];
    if (!this.data.paste || !files.length || !this.root.isConnected) return;
    event.preventDefault();
    this.take(files.map((file) => ({ file, name: file.name || "pasted picture" })));
  }

  take(files) {
    if (!files.length) return;
    if (this.data.mode === "one") return this.picture(files[0]);
    if (!this.running) this.reset();
    this.errors.replaceChildren();
    this.work.hidden = false;
    this.stop.hidden = false;
    this.total += files.length;
    for (const item of files) this.bytes += item.file.size;
    this.queue.push(...files);
    this.show();
    while (this.running < AT_ONCE && this.queue.length) this.next();
  }

  async next() {
    this.running += 1;
    while (this.queue.length && !this.stopped) {
      const { file, name } = this.queue.shift();
      const answer = await this.put(`/fk/upload/${this.batch}`, file, name);
      this.done += 1;
      this.sent += file.size;
      if (answer.error) this.fail(name, answer.error);
      else this.taken += 1;
      this.show();
    }
    this.running -= 1;
    if (!this.running) this.finish();
  }

  async put(address, file, name) {
    try {
      const response = await fetch(this.data.base + address, {
        method: "PUT", body: file, signal: this.controller.signal,
        headers: { "X-Framekeep": "1", "X-Name": encodeURIComponent(name) },
      });
      const answer = await response.json().catch(() => ({}));
      return response.ok ? answer : { error: answer.error || `The server answered ${response.status}.` };
    } catch {
      return { error: this.stopped ? "Stopped." : "The connection broke off; add it again." };
    }
  }

  fail(name, reason) {
    this.failed.push({ name, reason });
    if (this.failed.length <= 100) this.errors.append(el("li", {}, `${name}: ${reason}`));
  }

  show() {
    this.bar.max = Math.max(1, this.bytes);
    this.bar.value = this.sent;
    this.text.textContent = `${this.done} of ${this.total} files, ` +
      `${megabytes(this.sent)} of ${megabytes(this.bytes)} MB`;
  }

  cancel() {
    this.stopped = true;
    this.queue = [];
    this.controller?.abort();
  }

  finish() {
    this.stop.hidden = true;
    this.text.textContent = this.stopped ? "Stopped. What has arrived is kept."
      : `${this.taken} of ${this.total} files have arrived.`;
    this.trigger("uploaded", { batch: this.batch, files: this.taken, failed: this.failed.slice(0, 500) });
  }

  async picture({ file, name }) {
    this.reset();
    this.errors.replaceChildren();
    this.work.hidden = false;
    this.stop.hidden = true;
    this.bar.removeAttribute("value");
    this.text.textContent = `Reading ${name}…`;
    const answer = await this.put("/fk/query-image", file, name);
    this.work.hidden = !answer.error;
    this.bar.hidden = true;
    if (answer.error) {
      this.text.textContent = "";
      this.fail(name, answer.error);
    } else this.trigger("picture", { image: answer.image, name, at: Date.now() });
  }
}

export default (component) => mount(component, Dropzone);
