/* The view as a file: what is drawn, what lies over it, and beside it what colours and lines mean. */

import type { Cells } from "./cells";
import { grouped, inks, pixelRatio } from "./dom";
import { drawKeys, type Key } from "./key";
import type { Points } from "./plane";
import { Svg, type Pen } from "./svg";
import type { View } from "./view";

/** Cells up to which a view is written as SVG. */
const MOST = 60000;
const GAP = 20;

export function saved(blob: Blob, name: string): void {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** How wide a picture with its keys is, where these begin at `x`. */
function widened(keys: Key[], x: number, width: number, height: number): number {
  const wide = keys.length ? drawKeys(new Svg(1, 1), keys, x, height, inks()) : 0;
  return Math.max(width, wide ? Math.ceil(x + wide + GAP) : 0);
}

/** A picture of pixels: layers of the page on paper, and keys from `x` on. */
export function exportPng(layers: CanvasImageSource[], { width, height }: { width: number; height: number }, keys: Key[], x = width + GAP): void {
  const ratio = pixelRatio(), whole = widened(keys, x, width, height), colors = inks();
  const sheet = Object.assign(document.createElement("canvas"), { width: whole * ratio, height: height * ratio }), context = sheet.getContext("2d")!;
  context.scale(ratio, ratio);
  context.fillStyle = colors.paper;
  context.fillRect(0, 0, whole, height);
  for (const layer of layers) context.drawImage(layer, 0, 0, width, height);
  if (whole > x) drawKeys(context, keys, x, height, colors);
  sheet.toBlob((blob) => blob && saved(blob, "splinescope.png"));
}

/** The same of lines and areas, drawn by `draw`. */
export function exportSvg(draw: (pen: Pen) => void, { width, height }: { width: number; height: number }, keys: Key[], x = width + GAP): void {
  const whole = widened(keys, x, width, height), colors = inks(), pen = new Svg(whole, height);
  pen.fillStyle = colors.paper;
  pen.fillRect(0, 0, whole, height);
  pen.save();
  pen.beginPath();
  pen.rect(0, 0, width, height);
  pen.clip();
  draw(pen);
  pen.restore();
  if (whole > x) drawKeys(pen, keys, x, height, colors);
  saved(new Blob([pen.text()], { type: "image/svg+xml" }), "splinescope.svg");
}

/** Room around the window within which what is drawn ends, so that coordinates stay small at any zoom. */
const ROOM = 50;
type Place = [number, number];

/** The part of a convex polygon within the window and its room. */
function clipped(ring: Place[], { width, height }: View): Place[] {
  for (const [axis, sign, limit] of [[0, 1, width + ROOM], [0, -1, ROOM], [1, 1, height + ROOM], [1, -1, ROOM]]) {
    const beyond = (place: Place) => sign * place[axis] - limit;
    if (ring.every((place) => beyond(place) <= 0)) continue;
    ring = ring.flatMap((place, i): Place[] => {
      const before = ring.at(i - 1)!, [from, to] = [beyond(before), beyond(place)], kept: Place[] = to <= 0 ? [place] : [];
      if (from * to >= 0) return kept;
      const share = from / (from - to);
      return [[before[0] + share * (place[0] - before[0]), before[1] + share * (place[1] - before[1])], ...kept];
    });
  }
  return ring;
}

/** Trace what is seen of a polygon, of points in their order or of those in `which`; whether that is anything. */
export function traced(pen: Pen, view: View, points: Points, start: number, stop: number, which?: Uint32Array): boolean {
  const ring = clipped(Array.from({ length: stop - start }, (_, i) => view.place(points, which ? which[start + i] : start + i)), view);
  pen.beginPath();
  for (const place of ring) pen.lineTo(...place);
  pen.closePath();
  return ring.length > 2;
}

/** Cells of which something is seen; why not, if they are too many. */
export function seenCells({ count, offsets, corners, vertices }: Cells, view: View): number[] | string {
  const seen = [], pen = new Svg(1, 1);
  for (let cell = 0; cell < count; cell++) if (traced(pen, view, vertices, offsets[cell], offsets[cell + 1], corners)) seen.push(cell);
  return seen.length > MOST ? `${grouped(seen.length)} cells are seen; zoom in to ${grouped(MOST)} for SVG` : seen;
}

/** Lines between pairs of points, by their numbers or two by two, within the window. */
export function drawLines(pen: Pen, view: View, points: Points, ends: ArrayLike<number> | null, color: string, width: number): void {
  pen.beginPath();
  for (let i = 0; i < (ends ?? points.x).length; i += 2) {
    const [a, b] = ends ? [ends[i], ends[i + 1]] : [i, i + 1], line = clipped([view.place(points, a), view.place(points, b)], view);
    if (line.length < 2) continue;
    pen.moveTo(...line[0]);
    pen.lineTo(...line[1]);
  }
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.stroke();
}
