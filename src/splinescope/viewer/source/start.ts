/* Starts a page: reads its data, and says in one line what a browser lacks. */

import { arrays, type Numbers, type PageRecord } from "./data";
import { Timeline, type Shows } from "./timeline";

type Maker<R extends PageRecord> = new (record: R, found: Map<string, Numbers>, more: HTMLElement[]) => Shows;

async function begun<R extends PageRecord>(Page: Maker<R>): Promise<void> {
  const text = (id: string) => document.getElementById(id)!.textContent!;
  const record = JSON.parse(text("record")) as R;
  if (record.frames) {
    const timeline = new Timeline(record, record.frames), page = new Page(timeline.recordOf(0) as R, await timeline.arraysOf(0), [timeline.box]);
    timeline.attach(page);
    Object.assign(window, { splinescope: page, timeline });
  } else {
    const found = await arrays(text("arrays").trim(), record.arrays);
    document.getElementById("arrays")!.remove();
    Object.assign(window, { splinescope: new Page(record, found, []) });
  }
  if (window.parent !== window) window.parent.postMessage({ splinescope: { ready: true } }, "*");
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

export function start<R extends PageRecord>(Page: Maker<R>): void {
  begun(Page).catch((error: Error) => {
    const box = document.getElementById("error")!;
    box.style.display = "block";
    box.textContent = `This page could not be drawn: ${error.message}`;
  });
}
