/* Frames of a training run: each its own compressed block, inflated when it is looked at; the last ones are kept. */

import type { Frame, Numbers, PageRecord } from "./data";
import { element } from "./dom";
import type { Reader } from "./reader";

/** Frames that are kept inflated. */
const KEPT = 6;
/** Milliseconds from a frame to the next while it plays, at least. */
const PACE = 350;

export interface Shows { show(record: PageRecord, found: Map<string, Numbers>): void }

export class Timeline {
  readonly box = element("fieldset", {}, element("legend", { textContent: "Frames" }));
  current = 0;
  private readonly kept = new Map<number, Promise<Map<string, Numbers>>>();
  private readonly slider: HTMLInputElement;
  private readonly label = element("output");
  private readonly button = element("button", { textContent: "Play", type: "button" });
  private playing = false;
  private wanted = -1;
  private busy: Promise<void> | null = null;
  private page: Shows | null = null;

  constructor(private readonly record: PageRecord, private readonly frames: Frame[], private readonly reader: Reader) {
    this.slider = element("input", { type: "range", min: "0", max: String(frames.length - 1), value: "0", step: "1" });
    this.slider.setAttribute("aria-label", "Frame");
    this.slider.oninput = () => void this.go(Number(this.slider.value));
    this.slider.onkeydown = (event) => event.stopPropagation();
    this.button.onclick = () => void this.play();
    this.box.append(this.slider, element("div", { className: "row" }, this.button, this.label));
    this.name(0);
  }

  recordOf(frame: number): PageRecord {
    return { ...this.record, ...this.frames[frame].record };
  }

  arraysOf(frame: number): Promise<Map<string, Numbers>> {
    const found = this.kept.get(frame) ?? this.reader.read(document.getElementById(`arrays-${frame}`)!.textContent!.trim(), this.recordOf(frame));
    this.kept.delete(frame);
    this.kept.set(frame, found);
    while (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value!);
    return found;
  }

  attach(page: Shows): void {
    this.page = page;
  }

  /** Show a frame; where several are asked for at once, the last one. */
  async go(frame: number): Promise<void> {
    this.wanted = frame;
    this.busy ??= this.follow();
    await this.busy;
  }

  private async follow(): Promise<void> {
    while (this.wanted >= 0) {
      const frame = this.wanted;
      this.wanted = -1;
      const found = await this.arraysOf(frame);
      if (this.wanted >= 0) continue;
      this.page?.show(this.recordOf(frame), found);
      this.current = frame;
      this.slider.value = String(frame);
      this.name(frame);
      if (frame + 1 < this.frames.length) void this.arraysOf(frame + 1);
    }
    this.busy = null;
  }

  private name(frame: number): void {
    this.label.textContent = this.frames[frame].name;
  }

  private async play(): Promise<void> {
    this.playing = !this.playing;
    this.button.textContent = this.playing ? "Stop" : "Play";
    while (this.playing) {
      const next = (this.current + 1) % this.frames.length;
      await Promise.all([this.go(next), new Promise((done) => setTimeout(done, PACE))]);
      if (next === this.frames.length - 1) {
        this.playing = false;
        this.button.textContent = "Play";
      }
    }
  }
}
