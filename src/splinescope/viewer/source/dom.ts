/* Elements of the page. */

import type { Color } from "./data";

export const by = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

export const css = ([red, green, blue]: Color) => `rgb(${red} ${green} ${blue})`;

export const grouped = (count: number) => count.toLocaleString("en");

export function element<K extends keyof HTMLElementTagNameMap>(tag: K, options: Partial<HTMLElementTagNameMap[K]> = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), options);
  made.append(...children);
  return made;
}

export function select(options: [string, string][], chosen: string, change: (value: string) => void): HTMLSelectElement {
  const made = element("select");
  for (const [value, text] of options) made.append(element("option", { value, textContent: text, selected: value === chosen }));
  made.addEventListener("change", () => change(made.value));
  return made;
}

export function check(on: boolean, change: (on: boolean) => void): HTMLInputElement {
  const made = element("input", { type: "checkbox", checked: on });
  made.addEventListener("change", () => change(made.checked));
  return made;
}

export function tableOfRows(rows: string[][]): HTMLTableElement {
  const table = document.createElement("table");
  for (const cells of rows) {
    const row = table.insertRow();
    for (const cell of cells) row.insertCell().textContent = cell;
  }
  return table;
}

/** A colour of the page's style, light or dark. */
export function inks(): { ink: string; soft: string; paper: string; mark: string; line: string } {
  const style = getComputedStyle(document.documentElement), of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return { ink: of("ink"), soft: of("soft"), paper: of("paper"), mark: of("mark"), line: of("line") };
}

/** Make a canvas as large as its stage, in device pixels; its context then counts in CSS pixels. */
export function fitted(canvas: HTMLCanvasElement, width: number, height: number): void {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
}

export function cleared(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d")!, ratio = window.devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.width / ratio, canvas.height / ratio);
  context.lineJoin = "round";
  return context;
}

/** Text with a halo of the paper's colour, that is read over lines. */
export function haloed(context: CanvasRenderingContext2D, text: string, x: number, y: number): void {
  context.lineWidth = 3;
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}
