/* Starts the page: reads its data, and says in one line what a browser lacks. */

import { arrays, type PlanarRecord } from "./data";
import { PlanarPage } from "./planar";

async function start(): Promise<void> {
  const text = (id: string) => document.getElementById(id)!.textContent!;
  const record = JSON.parse(text("record")) as PlanarRecord;
  const found = await arrays(text("arrays").trim(), record.arrays);
  document.getElementById("arrays")!.remove();
  const page = new PlanarPage(record, found);
  Object.assign(window, { splinescope: page });
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

start().catch((error: Error) => {
  const box = document.getElementById("error")!;
  box.style.display = "block";
  box.textContent = `This page could not be drawn: ${error.message}`;
});
