/* Elements of the page. */

import type { Color } from "./data";
import type { Pen } from "./svg";

export const by = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

/** Pixels of the screen for each of the page. */
export const pixelRatio = () => window.devicePixelRatio || 1;

export const css = ([red, green, blue]: Color) => `rgb(${red}, ${green}, ${blue})`;

export const grouped = (count: number) => count.toLocaleString("en");

export function element<K extends keyof HTMLElementTagNameMap>(tag: K, options: Partial<HTMLElementTagNameMap[K]> = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), options);
  made.append(...children);
  return made;
}

export function select(options: [string, string][], chosen: string, change: (value: string) => void): HTMLSelectElement {
  const made = element("select");
  for (const [value, text] of options) made.append(element("option", { value, textContent: text, selected: value === chosen }));
  made.onchange = () => change(made.value);
  return made;
}

export function check(on: boolean, change: (on: boolean) => void): HTMLInputElement {
  const made = element("input", { type: "checkbox", checked: on, onchange: () => change(made.checked) });
  return made;
}

export function tableOfRows(rows: string[][]): HTMLTableElement {
  const table = document.createElement("table");
  for (const cells of rows) {
    const row = table.insertRow();
    for (const cell of cells) Object.assign(row.insertCell(), { textContent: cell, title: cell.length > 20 ? cell : "" });
  }
  return table;
}

/** A button that folds what else is in a box away; boxes start folded in narrow windows, if they may. */
export function foldable(box: HTMLElement, name: string, start: boolean): HTMLElement {
  const button = element("button", { className: "fold", type: "button" });
  const turn = (folded: boolean) => {
    box.classList.toggle("folded", folded);
    button.textContent = folded ? `${name} ▾` : "▴";
    button.title = `${folded ? "Unfold" : "Fold"} ${name.toLowerCase()}`;
    button.setAttribute("aria-expanded", String(!folded));
  };
  button.onclick = () => turn(!box.classList.contains("folded"));
  turn(start && window.matchMedia("(max-width: 640px)").matches);
  return button;
}

let foldCell: HTMLElement | null = null;
/** Say what a cell is. */
export function sayCell(...tables: HTMLElement[]): void {
  const box = by("cell");
  foldCell ??= foldable(box, "More", true);
  box.replaceChildren(...(tables.length ? [foldCell, ...tables] : []));
}

/** A colour of the page's style, light or dark. */
export function inks(): { ink: string; soft: string; paper: string; mark: string; line: string } {
  const style = getComputedStyle(document.documentElement), of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return { ink: of("ink"), soft: of("soft"), paper: of("paper"), mark: of("mark"), line: of("line") };
}

/** Make a canvas as large as its stage, in device pixels; its context then counts in CSS pixels. */
export function fitted(canvas: HTMLCanvasElement, width: number, height: number): void {
  const ratio = pixelRatio();
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
}

export function cleared(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d")!, ratio = pixelRatio();
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.width / ratio, canvas.height / ratio);
  context.lineJoin = "round";
  return context;
}

/** Text with a halo of the paper's colour, that is read over lines. */
export function haloed(context: Pen, text: string, x: number, y: number): void {
  context.lineWidth = 3;
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}
