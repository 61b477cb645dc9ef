// Mouse, pen and fingers on the stage: panning, zooming, and what each tool makes of them. The tools
// work on `host`, the annotation view.

const STILL_PX = 4;
const GRAB_PX = 9;

class Pointer {
  constructor(host, stage) {
    this.host = host;
    this.stage = stage;
    this.fingers = new Map();
    const node = stage.overlay;
    node.onpointerdown = (event) => this.down(event);
    node.onpointermove = (event) => this.move(event);
    node.onpointerup = (event) => this.up(event);
    node.onpointercancel = () => this.stop();
    node.onpointerleave = () => this.leave();
    node.ondblclick = (event) => host.doubleClick(this.at(event));
    node.oncontextmenu = (event) => event.preventDefault();
    node.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    node.onauxclick = (event) => event.preventDefault();
  }

  at(event) {
    return this.stage.toPhoto(this.stage.place(event));
  }

  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    const delta = Math.max(-200, Math.min(200, event.deltaY * lines));
    this.stage.zoom(Math.exp(-delta / (event.ctrlKey ? 120 : 300)), this.stage.place(event));
  }

  down(event) {
    event.preventDefault();
    this.stage.node.focus({ preventScroll: true });
    const place = this.stage.place(event);
    if (event.pointerType === "touch") this.fingers.set(event.pointerId, place);
    this.stage.overlay.setPointerCapture(event.pointerId);
    if (this.fingers.size > 1) {
      this.host.cancelGesture();
      this.gesture = { kind: "pinch" };
      return;
    }
    if (this.gesture) return;
    const second = event.altKey || event.button === 2;
    const kind = event.button === 1 || this.space ? "pan" : this.host.gesture(this.at(event), second);
    this.gesture = { kind, start: place, last: place, second, moved: false };
    if (this.space) this.panned = true;
  }

  move(event) {
    const place = this.stage.place(event);
    if (this.fingers.has(event.pointerId) && this.gesture?.kind === "pinch") {
      this.pinch(event.pointerId, place);
      return;
    }
    const gesture = this.gesture;
    if (!gesture) {
      this.host.hover(this.stage.toPhoto(place));
      return;
    }
    const away = Math.hypot(place[0] - gesture.start[0], place[1] - gesture.start[1]);
    gesture.moved ||= away > STILL_PX;
    if (gesture.kind === "pan" || (gesture.kind === "click" && gesture.moved)) {
      this.stage.pan(place[0] - gesture.last[0], place[1] - gesture.last[1]);
    } else if (gesture.kind === "stroke") {
      for (const part of event.getCoalescedEvents?.() || []) this.host.drag("stroke", this.at(part));
      this.host.drag("stroke", this.stage.toPhoto(place));
    } else this.host.drag(gesture.kind, this.stage.toPhoto(place), gesture.moved);
    gesture.last = place;
  }

  up(event) {
    this.fingers.delete(event.pointerId);
    const gesture = this.gesture;
    if (!gesture || this.fingers.size) return;
    this.gesture = null;
    const point = this.at(event);
    if (gesture.kind === "click") {
      if (!gesture.moved) this.host.click(point, gesture.second);
    } else if (gesture.kind !== "pan" && gesture.kind !== "pinch") {
      this.host.drop(gesture.kind, point, gesture.moved, gesture.second);
    }
  }

  stop() {
    this.fingers.clear();
    this.gesture = null;
    this.host.cancelGesture();
  }

  leave() {
    if (!this.gesture) this.host.hover(null);
  }

  pinch(id, place) {
    const former = this.fingers.get(id);
    const other = [...this.fingers].find(([finger]) => finger !== id)?.[1];
    this.fingers.set(id, place);
    if (!other) return;
    const apart = (one) => Math.max(20, Math.hypot(one[0] - other[0], one[1] - other[1]));
    this.stage.pan((place[0] - former[0]) / 2, (place[1] - former[1]) / 2);
    this.stage.zoom(apart(place) / apart(former), [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2]);
  }
}
