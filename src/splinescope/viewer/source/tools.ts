/* What can be chosen: colours, their scale, folds of each layer, the boundary; search and export. */

import { blended, lineColor, told } from "./colors";
import { check, css, element, select } from "./dom";
import type { PageRecord } from "./data";
import type { Look } from "./link";

export interface Choices { color: string; palette: string; logarithmic: boolean; layers: boolean[]; boundary: boolean; dark: boolean }
export interface Actions {
  changed(recolored: boolean): void; find(text: string): string; reset(): void; png(): void; svg?(): string;
  /** The reader has chosen another colour or scale. */
  looked?(look: Look): void;
}
/** What a kind of page offers: lines of layers, a boundary by its name, colours or none, and boxes of its own. */
export interface Offer { layers: string[]; boundary: string | null; colors: boolean; place: string; more: HTMLElement[] }

export class Tools {
  readonly choices: Choices;
  private readonly legend = element("div", { id: "legend" });
  private readonly swatches: HTMLElement[] = [];
  private readonly boxes: HTMLInputElement[] = [];
  private readonly note = element("p", { id: "note" });
  private readonly color: HTMLSelectElement;

  constructor(private record: PageRecord, offer: Offer, private readonly actions: Actions) {
    const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
    this.choices = { color: record.color, palette: "viridis", logarithmic: false, layers: offer.layers.map(() => true), boundary: offer.boundary !== null, dark };
    document.documentElement.classList.toggle("dark", dark);
    const options: [string, string][] = [["pattern", "activation pattern"]];
    if (record.classes) options.push(["class", "class"]);
    for (const { key, label } of record.measures) options.push([key, label]);
    options.push(["none", "nothing"]);
    this.color = select(options, record.color, (chosen) => this.recolor(chosen));
    const box = document.getElementById("tools")!;
    if (offer.colors) box.append(element("label", {}, "Colour", this.color));
    box.append(this.legend, ...this.lines(offer), ...offer.more);
    const search = element("input", { type: "search", placeholder: offer.place });
    search.setAttribute("aria-label", `Find: ${offer.place}`);
    search.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") this.say(this.actions.find(search.value));
    });
    box.append(element("fieldset", {}, element("label", {}, "Find", search)), this.buttons(), this.note);
    this.paintSwatches();
    this.scaleChosen();
  }

  /** A line for the reader, below all choices. */
  say(text: string): void {
    this.note.textContent = text;
  }

  /** Another frame of the same cells: its numbers, the same choices. */
  follow(record: PageRecord): void {
    this.record = record;
  }

  private lines(offer: Offer): HTMLElement[] {
    const lines = element("fieldset", {}, element("legend", { textContent: "Folds" }));
    offer.layers.forEach((name, layer) => {
      const swatch = element("span", { className: "swatch" }), box = check(true, (on) => this.switched(() => (this.choices.layers[layer] = on)));
      this.swatches.push(swatch);
      this.boxes.push(box);
      lines.append(element("label", {}, box, swatch, `layer ${name}`));
    });
    if (offer.boundary) {
      const swatch = element("span", { className: "swatch" });
      swatch.style.borderColor = "#c7380d";
      lines.append(element("label", {}, check(true, (on) => this.switched(() => (this.choices.boundary = on))), swatch, offer.boundary));
    }
    return offer.layers.length || offer.boundary ? [lines] : [];
  }

  private buttons(): HTMLElement {
    const { actions } = this, row = element("div", { className: "row" });
    const button = (text: string, title: string, act: () => void) => {
      const made = element("button", { textContent: text, title, type: "button" });
      made.addEventListener("click", act);
      row.append(made);
    };
    button("All", "Show the whole domain (0)", () => actions.reset());
    button("PNG", "Save the view as PNG", () => actions.png());
    if (actions.svg) button("SVG", "Save the view as SVG", () => this.say(actions.svg!()));
    button("Light/dark", "Change the background", () => this.turn());
    return row;
  }

  private turn(): void {
    this.choices.dark = document.documentElement.classList.toggle("dark");
    this.paintSwatches();
    this.actions.changed(false);
  }

  private switched(change: () => void): void {
    change();
    this.actions.changed(false);
  }

  private recolor(color: string): void {
    this.choices.color = color;
    this.scaleChosen();
    this.recolored();
  }

  private recolored(): void {
    const { color, palette, logarithmic } = this.choices;
    this.actions.changed(true);
    this.actions.looked?.({ color, palette, logarithmic });
  }

  /** Take the colours of another page, if there are such here. */
  adopt({ color, palette, logarithmic }: Look): void {
    if (![...this.color.options].some(({ value }) => value === color)) return;
    this.color.value = this.choices.color = color;
    this.choices.palette = palette;
    this.scaleChosen(logarithmic);
    this.actions.changed(true);
  }

  /** A new colour starts with the scale that suits its numbers; the legend follows. */
  private scaleChosen(logarithmic?: boolean): void {
    const measure = this.record.measures.find(({ key }) => key === this.choices.color);
    this.choices.logarithmic = (measure?.positive && logarithmic) ?? measure?.stored_as_logarithms ?? false;
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
        this.recolored();
      };
      const palettes = Object.keys(this.record.palettes).map((name) => [name, name] as [string, string]);
      const row = element("label", {}, "Map", select(palettes, this.choices.palette, (name) => {
        this.choices.palette = name;
        again();
      }));
      if (measure.positive) row.append(select([["", "linear"], ["log", "log"]], this.choices.logarithmic ? "log" : "", (kind) => {
        this.choices.logarithmic = kind === "log";
        again();
      }));
      this.legend.append(bar, ticks, row);
      paint();
    } else if (this.choices.color === "class") {
      const { names, colors, present } = this.record.classes!;
      names.forEach((name, label) => {
        if (!present.includes(label)) return;
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
    if (key === "c" && this.color.isConnected) {
      this.color.selectedIndex = (this.color.selectedIndex + 1) % this.color.options.length;
      this.recolor(this.color.value);
    } else if (key === "f" && this.boxes.length) {
      const on = !this.boxes.some((box) => box.checked);
      this.boxes.forEach((box, layer) => (this.choices.layers[layer] = box.checked = on));
      this.actions.changed(false);
    } else return false;
    return true;
  }
}
