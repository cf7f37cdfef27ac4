/* Starts a page: reads its data, and says in one line what a browser lacks. */

import type { Numbers, PageRecord } from "./data";
import { Reader, serve, type Decode } from "./reader";
import { Timeline, type Shows } from "./timeline";

type Maker<R extends PageRecord> = new (record: R, found: Map<string, Numbers>, more: HTMLElement[]) => Shows;

async function begun<R extends PageRecord>(Page: Maker<R>, reader: Reader): Promise<void> {
  const text = (id: string) => document.getElementById(id)!.textContent!;
  const record = JSON.parse(text("record")) as R;
  if (record.frames) {
    const timeline = new Timeline(record, record.frames, reader), page = new Page(timeline.recordOf(0) as R, await timeline.arraysOf(0), [timeline.box]);
    timeline.attach(page);
    Object.assign(window, { splinescope: page, timeline });
  } else {
    const found = await reader.read(text("arrays").trim(), record);
    reader.close();
    document.getElementById("arrays")!.remove();
    Object.assign(window, { splinescope: new Page(record, found, []) });
  }
  if (window.parent !== window) window.parent.postMessage({ splinescope: { ready: true } }, "*");
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

export function start<R extends PageRecord>(Page: Maker<R>, decode: Decode = () => null): void {
  if (typeof document === "undefined") return serve(decode);
  begun(Page, new Reader(document.currentScript!.textContent!, decode)).catch((error: Error) => {
    const box = document.getElementById("error")!;
    box.style.display = "block";
    box.textContent = `This page could not be drawn: ${error.message}`;
  });
}
