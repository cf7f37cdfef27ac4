/* The view as a file. */

import type { Cells } from "./cells";
import type { Points } from "./plane";
import type { View } from "./view";

/** Cells up to which a view is written as SVG. */
const MOST = 60000;

export function saved(blob: Blob, name: string): void {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const hex = (pixel: number) => `#${[pixel & 255, (pixel >>> 8) & 255, (pixel >>> 16) & 255].map((part) => part.toString(16).padStart(2, "0")).join("")}`;

/** Cells and lines that are seen, as paths; returns why not, if they are too many. */
export function exportSvg(cells: Cells, view: View, pixels: Uint32Array, widths: number[], boundary: Points | null): string {
  const seen: number[] = [], [left, top] = view.toShares(0, 0), [right, bottom] = view.toShares(view.width, view.height);
  const inside = (at: number) => {
    const x = cells.vertices.x[at], y = cells.vertices.y[at];
    return [x < left, x > right, y < bottom, y > top];
  };
  for (let cell = 0; cell < cells.count; cell++) {
    const out = [true, true, true, true];
    for (let at = cells.offsets[cell]; at < cells.offsets[cell + 1]; at++) inside(cells.corners[at]).forEach((beyond, side) => (out[side] &&= beyond));
    if (!out.some(Boolean)) seen.push(cell);
  }
  if (seen.length > MOST) return `${seen.length.toLocaleString("en")} cells are seen; zoom in to ${MOST.toLocaleString("en")} for SVG`;
  const place = (at: number) => view.toScreen(cells.vertices.x[at], cells.vertices.y[at]).map((part) => part.toFixed(2)).join(",");
  const parts = [`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${view.width} ${view.height}" width="${view.width}" height="${view.height}" stroke-linecap="round">`];
  const edges = new Set<number>();
  for (const cell of seen) {
    const ring = [];
    for (let at = cells.offsets[cell]; at < cells.offsets[cell + 1]; at++) {
      ring.push(place(cells.corners[at]));
      edges.add(cells.edgeOf[at]);
    }
    if (pixels[cell]) parts.push(`<path d="M${ring.join("L")}Z" fill="${hex(pixels[cell])}"/>`);
  }
  const byLayer: string[][] = widths.map(() => []), border: string[] = [];
  for (const edge of edges) {
    const line = `M${place(cells.ends[2 * edge])}L${place(cells.ends[2 * edge + 1])}`;
    (cells.units[edge] ? byLayer[cells.layerOf(cells.units[edge] - 1)] : border).push(line);
  }
  for (let layer = widths.length - 1; layer >= 0; layer--)
    if (widths[layer]) parts.push(`<path d="${byLayer[layer].join("")}" fill="none" stroke="#333" stroke-width="${widths[layer].toFixed(3)}"/>`);
  parts.push(`<path d="${border.join("")}" fill="none" stroke="#000" stroke-width="1.5"/>`);
  if (boundary) {
    const lines = [];
    for (let i = 0; i < boundary.x.length; i += 2)
      lines.push(`M${view.toScreen(boundary.x[i], boundary.y[i]).map((part) => part.toFixed(2)).join(",")}L${view.toScreen(boundary.x[i + 1], boundary.y[i + 1]).map((part) => part.toFixed(2)).join(",")}`);
    parts.push(`<path d="${lines.join("")}" fill="none" stroke="#c7380d" stroke-width="2.2"/>`);
  }
  saved(new Blob([...parts, "</svg>"], { type: "image/svg+xml" }), "splinescope.svg");
  return "";
}
