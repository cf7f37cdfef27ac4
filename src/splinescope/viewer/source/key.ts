/* What colours and lines mean, as the page's panel and saved pictures say it. */

import type { Pen } from "./svg";

/** A name beside a square of a colour, or beside a line of a width. */
export interface Entry { name: string; color: string; line?: number }
/** Entries under a title, with a bar of colours and its numbers above them. */
export interface Key { title: string; bar: { colors: string[]; numbers: string[] } | null; entries: Entry[] }

const FONT = "12px system-ui, sans-serif", ROW = 19, BAR = 240, WIDEST = 190, MOST = 3;

/** What is left of a text that is longer than so many pixels. */
function cut(pen: Pen, text: string, most: number): string {
  let end = text.length;
  while (end > 1 && pen.measureText(text.slice(0, end) + (end < text.length ? "…" : "")).width > most) end--;
  return end < text.length ? `${text.slice(0, end)}…` : text;
}

/** Draw keys below each other from a place on; how wide they are together. */
export function drawKeys(pen: Pen, keys: Key[], x: number, height: number, inks: { ink: string; soft: string; line: string }): number {
  let wide = 0, y = 28;
  for (const { title, bar, entries } of keys) {
    pen.textAlign = "left";
    pen.font = `bold ${FONT}`;
    pen.fillStyle = inks.ink;
    const named = cut(pen, title, BAR);
    pen.fillText(named, x, y);
    wide = Math.max(wide, pen.measureText(named).width);
    pen.font = FONT;
    if (bar) {
      y += 10;
      bar.colors.forEach((color, i) => {
        pen.fillStyle = color;
        pen.fillRect(x + (i * BAR) / bar.colors.length, y, BAR / bar.colors.length + 0.3, 14);
      });
      y += 30;
      pen.fillStyle = inks.soft;
      bar.numbers.forEach((number, i) => {
        const share = i / (bar.numbers.length - 1);
        pen.textAlign = i ? (share < 1 ? "center" : "right") : "left";
        pen.fillText(number, x + share * BAR, y);
      });
      pen.textAlign = "left";
      wide = Math.max(wide, BAR);
    }
    const rows = Math.max(4, Math.floor((height - y - 60) / ROW)), shown = entries.slice(0, rows * MOST), top = y;
    if (shown.length < entries.length) shown.push({ name: `and ${entries.length - shown.length} more`, color: "" });
    let left = x, column = 0;
    shown.forEach(({ name, color, line }, i) => {
      const row = i % rows;
      if (i && !row && i < rows * MOST) [left, column] = [left + column + 14, 0];
      const at = i < rows * MOST ? top + (row + 1) * ROW : top + (rows + 1) * ROW, text = cut(pen, name, WIDEST);
      if (color) {
        pen.fillStyle = color;
        pen.fillRect(left, at - (line ? 5 + line / 2 : 11), line ? 20 : 13, line ?? 13);
      }
      pen.fillStyle = inks.ink;
      pen.fillText(text, left + 26, at);
      column = Math.max(column, 26 + pen.measureText(text).width);
      wide = Math.max(wide, left + column - x);
      y = Math.max(y, at);
    });
    y += 34;
  }
  return wide;
}
