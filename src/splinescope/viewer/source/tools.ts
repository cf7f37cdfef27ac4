/* What can be chosen: colours, their scale, folds of each layer, the boundary; search and export. */

import { blended, lineColor, told } from "./colors";
import type { Color, PlanarRecord } from "./data";

export interface Choices { color: string; palette: string; logarithmic: boolean; layers: boolean[]; boundary: boolean; dark: boolean }
export interface Actions {
  changed(recolored: boolean): void; find(text: string): string; reset(): void; png(): void; svg(): string;
}

const css = ([red, green, blue]: Color) => `rgb(${red} ${green} ${blue})`;

function element<K extends keyof HTMLElementTagNameMap>(tag: K, options: Partial<HTMLElementTagNameMap[K]> = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), options);
  made.append(...children);
  return made;
}

export class Tools {
  readonly choices: Choices;
  private readonly legend = element("div", { id: "legend" });
  private readonly swatches: HTMLElement[] = [];
  private readonly note = element("p", { id: "note" });
  private readonly color: HTMLSelectElement;

  constructor(private readonly record: PlanarRecord, layers: string[], private readonly actions: Actions) {
    const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
    this.choices = { color: record.color, palette: "viridis", logarithmic: false, layers: layers.map(() => true), boundary: record.classes !== null, dark };
    document.documentElement.classList.toggle("dark", dark);
    const options: [string, string][] = [["pattern", "activation pattern"]];
    if (record.classes) options.push(["class", "class"]);
    for (const { key, label } of record.measures) options.push([key, label]);
    options.push(["none", "nothing"]);
    this.color = this.select(options, record.color, (chosen) => this.recolor(chosen));
    const box = document.getElementById("tools")!;
    box.append(element("label", {}, "Colour", this.color), this.legend);
    const lines = element("fieldset", {}, element("legend", { textContent: "Folds" }));
    layers.forEach((name, layer) => {
      const swatch = element("span", { className: "swatch" });
      this.swatches.push(swatch);
      lines.append(element("label", {}, this.check(true, (on) => (this.choices.layers[layer] = on)), swatch, `layer ${name}`));
    });
    if (record.classes) lines.append(element("label", {}, this.check(true, (on) => (this.choices.boundary = on)), element("span", { className: "swatch", style: "border-color:#c7380d" } as object), "decision boundary"));
    box.append(lines);
    const search = element("input", { type: "search", placeholder: "cell, or x, y" });
    search.setAttribute("aria-label", "Find a cell by its number or by a point");
    search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.note.textContent = this.actions.find(search.value);
    });
    box.append(element("fieldset", {}, element("label", {}, "Find", search)));
    const button = (text: string, title: string, act: () => void) => {
      const made = element("button", { textContent: text, title, type: "button" });
      made.addEventListener("click", act);
      return made;
    };
    const theme = () => {
      this.choices.dark = document.documentElement.classList.toggle("dark");
      this.paintSwatches();
      actions.changed(false);
    };
    box.append(element("div", { className: "row" }, button("All", "Show the whole domain (0)", () => actions.reset()), button("PNG", "Save the view as PNG", () => actions.png()),
      button("SVG", "Save the view as SVG", () => (this.note.textContent = actions.svg())), button("Light/dark", "Change the background", theme)), this.note);
    this.paintSwatches();
    this.scaleChosen();
  }

  private select(options: [string, string][], chosen: string, change: (value: string) => void): HTMLSelectElement {
    const made = element("select");
    for (const [value, text] of options) made.append(element("option", { value, textContent: text, selected: value === chosen }));
    made.addEventListener("change", () => change(made.value));
    return made;
  }

  private check(on: boolean, change: (on: boolean) => void): HTMLInputElement {
    const made = element("input", { type: "checkbox", checked: on });
    made.addEventListener("change", () => {
      change(made.checked);
      this.actions.changed(false);
    });
    return made;
  }

  private recolor(color: string): void {
    this.choices.color = color;
    this.scaleChosen();
    this.actions.changed(true);
  }

  /** A new colour starts with the scale that suits its numbers; the legend follows. */
  private scaleChosen(): void {
    const measure = this.record.measures.find(({ key }) => key === this.choices.color);
    this.choices.logarithmic = measure?.stored_as_logarithms ?? false;
    this.legend.replaceChildren();
    if (measure) {
      const bar = element("div", { id: "bar" }), ticks = element("div", { id: "ticks" });
      const paint = () => {
        const palette = this.record.palettes[this.choices.palette], steps = Array.from({ length: 17 }, (_, i) => css(blended(palette, i / 16)));
        bar.style.background = `linear-gradient(to right, ${steps.join(", ")})`;
        const { low, high } = measure, log = this.choices.logarithmic;
        const at = (share: number) => (log ? low * (high / low) ** share : low + share * (high - low));
        ticks.replaceChildren(...[0, 0.25, 0.5, 0.75, 1].map((share) => element("span", { textContent: told(Number(at(share).toPrecision(3))) })));
      };
      const again = () => {
        paint();
        this.actions.changed(true);
      };
      const palettes = Object.keys(this.record.palettes).map((name) => [name, name] as [string, string]);
      const row = element("label", {}, "Map", this.select(palettes, this.choices.palette, (name) => {
        this.choices.palette = name;
        again();
      }));
      if (measure.positive) row.append(this.select([["", "linear"], ["log", "log"]], this.choices.logarithmic ? "log" : "", (kind) => {
        this.choices.logarithmic = kind === "log";
        again();
      }));
      this.legend.append(bar, ticks, row);
      paint();
    } else if (this.choices.color === "class") {
      const { names, colors } = this.record.classes!;
      names.forEach((name, label) => {
        if (!this.record.classes!.present.includes(label)) return;
        const box = element("span", { className: "box" });
        box.style.background = css(colors[label]);
        this.legend.append(element("label", {}, box, name));
      });
    }
  }

  private paintSwatches(): void {
    this.swatches.forEach((swatch, layer) => {
      const [red, green, blue] = lineColor(layer, this.swatches.length, this.choices.dark).map((part) => Math.round(255 * part));
      swatch.style.borderColor = css([red, green, blue]);
      swatch.style.borderTopWidth = `${3 - (1.8 * layer) / Math.max(1, this.swatches.length - 1)}px`;
    });
  }

  /** Keys for what can be chosen: c the next colour, f all folds. */
  key(key: string): boolean {
    if (key === "c") {
      this.color.selectedIndex = (this.color.selectedIndex + 1) % this.color.options.length;
      this.recolor(this.color.value);
    } else if (key === "f") {
      const boxes = [...document.querySelectorAll<HTMLInputElement>("#tools fieldset:first-of-type input[type=checkbox]")].slice(0, this.swatches.length);
      const on = !boxes.some((box) => box.checked);
      boxes.forEach((box, layer) => (this.choices.layers[layer] = box.checked = on));
    } else return false;
    return true;
  }
}
