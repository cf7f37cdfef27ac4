/* What can be chosen: colours, their scale, folds of each layer, the boundary; search and export. */

import { blended, classFills, lineColor, MISSING } from "./colors";
import { check, css, element, foldable, select } from "./dom";
import type { Color, PageRecord } from "./data";
import type { Entry, Key } from "./key";
import type { Look } from "./link";
import { told } from "./numbers";

/** Colour of the decision boundary. */
export const BOUNDARY = "#c7380d";

export interface Choices { color: string; palette: string; logarithmic: boolean; layers: boolean[]; boundary: boolean; dark: boolean }
export interface Actions {
  changed(recolored: boolean): void; find(text: string): string; reset(): void; png(): void; svg?(): string;
  /** The reader has chosen another colour or scale. */
  looked?(look: Look): void;
}
/** What a kind of page offers: lines of layers or none, a boundary by its name, colours or none, and boxes of its own. */
export interface Offer { lines: boolean; boundary: string | null; colors: boolean; place: string; more: HTMLElement[] }

export class Tools {
  readonly choices: Choices;
  private readonly legend = element("div", { id: "legend" });
  private readonly lines = element("fieldset", {}, element("legend", { textContent: "Folds" }));
  private swatches: HTMLElement[] = [];
  private boxes: HTMLInputElement[] = [];
  private readonly note = element("p", { id: "note" });
  private readonly color: HTMLSelectElement;

  constructor(private record: PageRecord, private readonly offer: Offer, private readonly actions: Actions) {
    const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
    this.choices = { color: record.color, palette: "viridis", logarithmic: false, layers: [], boundary: offer.boundary !== null, dark };
    document.documentElement.classList.toggle("dark", dark);
    const options: [string, string][] = [["pattern", "activation pattern"]];
    if (record.classes) options.push(["class", "class"]);
    for (const { key, label } of record.measures) options.push([key, label]);
    options.push(["none", "nothing"]);
    this.color = select(options, record.color, (chosen) => this.recolor(chosen));
    const box = document.getElementById("tools")!;
    box.append(foldable(box, "Tools", true));
    if (offer.colors) box.append(element("label", {}, "Colour", this.color));
    box.append(this.legend, this.lines, ...offer.more);
    const search = element("input", { type: "search", placeholder: offer.place });
    search.setAttribute("aria-label", `Find: ${offer.place}`);
    search.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === "Enter") this.say(this.actions.find(search.value));
    };
    box.append(element("fieldset", {}, element("label", {}, "Find", search)), this.buttons(), this.note);
    this.listLayers();
    this.scaleChosen();
  }

  /** A line for the reader, below all choices. */
  say(text: string): void {
    this.note.textContent = text;
  }

  /** Another frame of the same cells: its numbers and layers, the same choices. */
  follow(record: PageRecord): void {
    const { length } = this.record.layers.nodes;
    this.record = record;
    if (record.layers.nodes.length !== length) this.listLayers();
    this.scaleChosen(this.choices.logarithmic);
  }

  /** A box for the folds of each layer; a layer that some frame lacks keeps whether it is shown. */
  private listLayers(): void {
    const { offer, choices } = this, legend = this.lines.firstChild!, shown = offer.lines ? this.record.layers.nodes : [];
    this.swatches = shown.map(() => element("span", { className: "swatch" }));
    this.boxes = shown.map((_, layer) => check((choices.layers[layer] ??= true), (on) => this.switched(() => (choices.layers[layer] = on))));
    this.lines.replaceChildren(legend, ...shown.map(({ name }, layer) => element("label", {}, this.boxes[layer], this.swatches[layer], `layer ${name}`)));
    if (offer.boundary) {
      const swatch = element("span", { className: "swatch" });
      swatch.style.borderColor = BOUNDARY;
      this.lines.append(element("label", {}, check(choices.boundary, (on) => this.switched(() => (choices.boundary = on))), swatch, offer.boundary));
    }
    this.lines.hidden = !shown.length && !offer.boundary;
    this.paintSwatches();
  }

  private buttons(): HTMLElement {
    const { actions } = this, row = element("div", { className: "row" });
    const button = (textContent: string, title: string, onclick: () => void) => row.append(element("button", { textContent, title, type: "button", onclick }));
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

  private get measure() {
    return this.record.measures.find(({ key }) => key === this.choices.color);
  }

  /** What the colours mean, and the lines that are shown; nothing of patterns, whose colours only tell neighbours apart. */
  get keys(): Key[] {
    const { measure, record, choices, offer } = this, keys: Key[] = [];
    if (measure) {
      const palette = record.palettes[choices.palette], { low, high } = measure, logarithmic = choices.logarithmic;
      const at = (share: number) => (logarithmic ? low * (high / low) ** share : low * (1 - share) + high * share);
      const numbers = [0, 0.25, 0.5, 0.75, 1].map((share) => told(Number(at(share).toPrecision(3))));
      const bar = { colors: Array.from({ length: 64 }, (_, i) => css(blended(palette, i / 63))), numbers };
      keys.push({ title: measure.label + (logarithmic ? " (log)" : ""), bar, entries: measure.missing ? [{ name: "no number", color: css(MISSING) }] : [] });
    } else if (choices.color === "class") {
      const fills = classFills(record.classes!);
      keys.push({ title: "class", bar: null, entries: record.classes!.present.map((label) => ({ name: record.classes!.names[label], color: css(fills[label]) })) });
    }
    const lines: Entry[] = this.swatches.map((swatch, layer) => ({ name: `layer ${record.layers.nodes[layer].name}`, color: swatch.style.borderColor, line: parseFloat(swatch.style.borderTopWidth) })).filter((_, layer) => choices.layers[layer]);
    if (offer.boundary && choices.boundary) lines.push({ name: offer.boundary, color: BOUNDARY, line: 2.2 });
    return lines.length ? [...keys, { title: "folds", bar: null, entries: lines }] : keys;
  }

  /** A new colour starts with the scale that suits its numbers; the legend follows. */
  private scaleChosen(logarithmic?: boolean): void {
    const { measure } = this, both = !!measure && measure.low > 0 && (measure.positive || measure.logarithmic);
    this.choices.logarithmic = both && (logarithmic ?? measure.logarithmic);
    this.legend.replaceChildren();
    if (measure) {
      const bar = element("div", { id: "bar" }), ticks = element("div", { id: "ticks" });
      const paint = () => {
        const { colors, numbers } = this.keys[0].bar!;
        bar.style.background = `linear-gradient(to right, ${colors.join(", ")})`;
        ticks.replaceChildren(...numbers.map((textContent) => element("span", { textContent })));
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
      if (both) row.append(select([["", "linear"], ["log", "log"]], this.choices.logarithmic ? "log" : "", (kind) => {
        this.choices.logarithmic = kind === "log";
        again();
      }));
      this.legend.append(bar, ticks, row);
      paint();
    }
    if (this.offer.colors && (measure || this.choices.color === "class"))
      for (const { name, color } of this.keys[0].entries) {
        const box = element("span", { className: "box" });
        box.style.background = color;
        this.legend.append(element("label", { title: name }, box, element("span", { className: "name", textContent: name })));
      }
  }

  private paintSwatches(): void {
    this.swatches.forEach((swatch, layer) => {
      swatch.style.borderColor = css(lineColor(layer, this.swatches.length, this.choices.dark).map((part) => Math.round(255 * part)) as Color);
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
