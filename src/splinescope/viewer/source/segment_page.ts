/* The page of a segment: classes, outputs, margin and further numbers along it, and the units that flip. */

import { classFills, lineColor } from "./colors";
import type { Color, Numbers, SegmentRecord } from "./data";
import { by, cleared, css, element, fitted, haloed, inks, sayCell, tableOfRows } from "./dom";
import { exportPng, exportSvg } from "./exports";
import { arrow, listen } from "./gestures";
import type { Key } from "./key";
import { heard, Selection } from "./selection";
import { placed, ticks, told } from "./numbers";
import type { Pen } from "./svg";
import { BOUNDARY, Tools } from "./tools";

const SHARE = 2 ** 48 - 1;

const LEFT = 84, TOP = 88, BOTTOM = 46, GAP = 14;
/** Most outputs that are told of a point. */
const TOLD = 12;

interface Line { t: Float64Array; values: Numbers; color: string; width: number }
interface Panel { top: number; height: number; low: number; high: number; label: string; lines: Line[]; steps: boolean }
const FONT = "12px system-ui, sans-serif";

export class SegmentPage {
  record!: SegmentRecord;
  private found!: Map<string, Numbers>;
  private t!: Float64Array;
  private starts!: Float64Array;
  private flips!: Uint32Array;
  /** Corners of the margin: it has more than the outputs, where its rival changes within a cell. */
  private marginT!: Float64Array;
  private low = 0;
  private high = 1;
  private readonly legend = element("fieldset", { id: "legend" });
  width = 1;
  height = 1;
  private pointer: [number, number] | null = null;
  private readonly stage = by<HTMLDivElement>("stage");
  private readonly over = by<HTMLCanvasElement>("over");
  private readonly selection = new Selection((cell) => cell);
  private readonly tools: Tools;

  constructor(record: SegmentRecord, found: Map<string, Numbers>, more: HTMLElement[]) {
    document.documentElement.classList.add("segment");
    this.load(record, found);
    this.tools = new Tools(record, { lines: true, boundary: null, colors: false, place: "cell, or t = 0.5", more: [this.legend, ...more] }, {
      changed: () => this.draw(), find: (text) => this.find(text), reset: () => this.fit(), png: () => this.png(), svg: () => this.svg(),
    });
    heard((numbers) => {
      this.selection.choose(numbers.filter((cell) => cell < this.count));
      this.draw();
    });
    listen(this.stage, {
      point: (place) => this.point(place),
      click: (place, more) => {
        this.point(place);
        this.selection.click(this.inPlot() ? this.cellAt(this.at(place[0])) : -1, more);
        this.draw();
      },
      drag: (dx) => this.move(-dx / this.plotWidth),
      zoom: (factor, place) => this.zoom(factor, place ? this.at(place[0]) : (this.low + this.high) / 2),
      cursor: () => [LEFT + this.plotWidth / 2, (TOP + this.height - BOTTOM) / 2],
      keyed: () => undefined,
      key: (key) => this.key(key),
      resize: () => this.resize(),
    });
    this.resize();
  }

  get count(): number {
    return this.t.length - 1;
  }

  load(record: SegmentRecord, found: Map<string, Numbers>): void {
    this.record = record;
    this.found = found;
    const shares = (name: string) => Float64Array.from(found.get(name)!, (number) => number / SHARE);
    this.t = shares("t");
    this.starts = found.has("intervals") ? shares("intervals") : new Float64Array();
    this.marginT = record.margin ? shares("margin.t") : new Float64Array();
    const sizes = found.get("flips.sizes")!;
    this.flips = new Uint32Array(sizes.length + 1);
    for (let i = 0; i < sizes.length; i++) this.flips[i + 1] = this.flips[i] + sizes[i];
    this.selection.cells.clear();
    by("facts").textContent = record.facts;
    this.legend.replaceChildren(element("legend", { textContent: "Outputs" }), ...this.outputs.entries.map(({ name, color }) => {
      const swatch = element("span", { className: "box" });
      swatch.style.background = color;
      return element("label", { title: name }, swatch, element("span", { className: "name", textContent: name }));
    }));
  }

  show(record: SegmentRecord, found: Map<string, Numbers>): void {
    this.load(record, found);
    this.tools.follow(record);
    this.draw();
  }

  /** Colour of an output: that of its class, where it leads somewhere. */
  private colorOf(output: number): Color | null {
    const { labels, classes } = this.record, { class: label, color } = labels[output];
    return label === null || !classes ? color : (classes.colors[classes.present.indexOf(label)] ?? null);
  }

  /** Names of the coloured outputs. */
  private get outputs(): Key {
    const entries = this.record.labels.flatMap(({ name }, k) => {
      const color = this.colorOf(k);
      return color ? [{ name, color: css(color) }] : [];
    });
    return { title: "outputs", bar: null, entries };
  }

  private png(): void {
    const sheet = this.over.cloneNode() as HTMLCanvasElement;
    this.sketch(cleared(sheet));
    exportPng([sheet], this, this.keys, this.beside);
  }

  private svg(): string {
    exportSvg((pen) => this.sketch(pen), this, this.keys, this.beside);
    return "";
  }

  private get keys(): Key[] {
    return this.outputs.entries.length ? [this.outputs] : [];
  }

  /** Where keys begin: beside the panels. */
  private get beside(): number {
    return LEFT + this.plotWidth + 20;
  }

  private get plotWidth(): number {
    return Math.max(80, this.width - LEFT - (this.width > 640 ? 308 : 16));
  }

  private at(px: number): number {
    return this.low + ((px - LEFT) / this.plotWidth) * (this.high - this.low);
  }

  private across(t: number): number {
    return LEFT + ((t - this.low) / (this.high - this.low)) * this.plotWidth;
  }

  /** Number of values at most `t` in an ascending list. */
  private reached(list: Float64Array, t: number): number {
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (list[middle] <= t) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The cell of a parameter, as in Python; -1 outside. */
  cellAt(t: number): number {
    const last = this.t.length - 1;
    return t < this.t[0] || t > this.t[last] ? -1 : Math.min(this.reached(this.t, t) - 1, last - 1);
  }

  private inPlot(): boolean {
    return this.pointer !== null && this.pointer[0] >= LEFT && this.pointer[0] <= LEFT + this.plotWidth;
  }

  private fit(): void {
    [this.low, this.high] = [0, 1];
    this.draw();
  }

  private move(share: number): void {
    const step = Math.max(-this.low, Math.min(1 - this.high, share * (this.high - this.low)));
    this.low += step;
    this.high += step;
    this.draw();
  }

  private zoom(factor: number, about: number): void {
    const extent = Math.max(2 ** -40, Math.min(1, (this.high - this.low) / factor)), share = (about - this.low) / (this.high - this.low);
    this.low = Math.max(0, Math.min(1 - extent, about - share * extent));
    this.high = this.low + extent;
    this.draw();
  }

  private key(key: string): boolean {
    const move = arrow(key);
    if (move) this.move(-move[0] / this.plotWidth);
    else if (key === "+" || key === "=") this.zoom(1.4, (this.low + this.high) / 2);
    else if (key === "-") this.zoom(1 / 1.4, (this.low + this.high) / 2);
    else if (key === "0") this.fit();
    else if (key === "Escape") {
      this.selection.clear();
      this.draw();
    } else return this.tools.key(key);
    return true;
  }

  private find(text: string): string {
    const number = Number(text.replace(/^\s*t\s*=/, "")), cell = /[=.]/.test(text) ? this.cellAt(number) : number;
    if (!text.trim() || !Number.isFinite(number)) return "type a cell's number, or a position as t = 0.5";
    if (!(Number.isInteger(cell) && cell >= 0 && cell < this.count)) return /[=.]/.test(text) ? "outside of the segment" : "no such cell";
    const middle = (this.t[cell] + this.t[cell + 1]) / 2, extent = Math.min(1, Math.max(2 ** -40, 8 * (this.t[cell + 1] - this.t[cell])));
    this.low = Math.max(0, Math.min(1 - extent, middle - extent / 2));
    this.high = this.low + extent;
    this.selection.choose([cell]);
    this.selection.announce();
    this.draw();
    return "";
  }

  private resize(): void {
    [this.width, this.height] = [this.stage.clientWidth, this.stage.clientHeight];
    fitted(this.over, this.width, this.height);
    this.draw();
  }

  private point(place: [number, number] | null): void {
    this.pointer = place;
    this.draw();
  }

  private panels(top: number, height: number): Panel[] {
    const { record, found } = this, ink = inks().ink, wanted: [number, string, Line[], boolean][] = [];
    const outputs = found.get("outputs")!, V = this.t.length, colors = record.labels.map((_, k) => this.colorOf(k));
    const lines = record.labels.map((_, k) => ({ t: this.t, values: outputs.subarray(k * V, (k + 1) * V) as Numbers, color: colors[k] ? css(colors[k]) : record.labels.length === 1 ? ink : "#9a9aa0", width: colors[k] ? 2 : 1.2 }));
    wanted.push([3, record.labels.length === 1 ? "output" : "outputs", lines.reverse(), false]);
    if (record.margin) wanted.push([2, `margin of ${record.margin}`, [{ t: this.marginT, values: found.get("margin")!, color: ink, width: 1.6 }], false]);
    record.panels.forEach((label, i) => wanted.push([1.3, label, [{ t: this.t, values: found.get(`panel.${i}`)!, color: ink, width: 1.4 }], true]));
    const unit = (height - GAP * (wanted.length - 1)) / wanted.reduce((sum, [share]) => sum + share, 0);
    return wanted.map(([share, label, of, steps]) => {
      const [low, high] = this.range(of, steps), panel = { top, height: share * unit, low, high, label, lines: of, steps };
      top += share * unit + GAP;
      return panel;
    });
  }

  /** The first and the last corner that matter for the window. */
  private window(t: Float64Array): [number, number] {
    return [Math.max(0, this.reached(t, this.low) - 1), Math.min(t.length - 1, this.reached(t, this.high))];
  }

  /** Least and largest number of lines in the window, with some room. */
  private range(lines: Line[], steps: boolean): [number, number] {
    let low = Infinity, high = -Infinity;
    for (const { t, values } of lines) {
      const [first, last] = this.window(t);
      for (let i = first; i <= last - Number(steps); i++) {
        if (!Number.isFinite(values[i])) continue;
        if (values[i] < low) low = values[i];
        if (values[i] > high) high = values[i];
      }
    }
    if (!(high >= low)) [low, high] = [0, 1];
    const room = Math.min(0.06 * (high / 2 - low / 2) * 2 || 0.5 * Math.abs(high) || 1, Number.MAX_VALUE / 4 - high / 4);
    return [low - room, high + room];
  }

  private draw(): void {
    const context = cleared(this.over), panels = this.sketch(context);
    if (this.inPlot()) this.drawPointer(context, panels);
    this.tell();
  }

  /** All that pictures show, too. */
  private sketch(pen: Pen): Panel[] {
    const { ink, soft, paper, mark } = inks();
    pen.font = FONT;
    let top = TOP;
    if (this.starts.length) {
      this.drawClasses(pen, top);
      top += 22 + GAP;
    }
    const layers = this.record.layers.nodes, rug = layers.length ? Math.min(16 * layers.length, 120) : 0;
    const panels = this.panels(top, this.height - BOTTOM - top - (rug ? rug + GAP : 0));
    for (const cell of this.selection.cells) this.band(pen, cell, mark, top);
    for (const panel of panels) this.drawPanel(pen, panel);
    if (rug) this.drawRug(pen, this.height - BOTTOM - rug, rug);
    const { marks, less } = ticks(this.low, this.high, this.plotWidth / 110);
    pen.fillStyle = soft;
    pen.strokeStyle = paper;
    pen.textAlign = "center";
    for (const { value, text } of marks) haloed(pen, text, this.across(value), this.height - BOTTOM + 18);
    pen.fillStyle = ink;
    haloed(pen, this.record.axes[0] + less, LEFT + this.plotWidth / 2, this.height - 8);
    pen.textAlign = "left";
    return panels;
  }

  private band(context: Pen, cell: number, color: string, top: number): void {
    const [left, right] = [this.across(this.t[cell]), this.across(this.t[cell + 1])];
    context.globalAlpha = 0.22;
    context.fillStyle = color;
    context.fillRect(Math.max(LEFT, left), top, Math.max(1.5, Math.min(right, LEFT + this.plotWidth) - Math.max(LEFT, left)), this.height - BOTTOM - top);
    context.globalAlpha = 1;
  }

  private drawClasses(context: Pen, top: number): void {
    const classes = this.found.get("intervals.classes")!, { names } = this.record.classes!, fills = classFills(this.record.classes!);
    context.save();
    context.beginPath();
    context.rect(LEFT, top, this.plotWidth, 22);
    context.clip();
    for (let i = 0; i < classes.length; i++) {
      const left = this.across(this.starts[i]), right = this.across(i + 1 < classes.length ? this.starts[i + 1] : this.record.covered[1]);
      if (right < LEFT || left > LEFT + this.plotWidth) continue;
      context.fillStyle = css(fills[classes[i]]);
      context.fillRect(left, top, Math.max(right - left, 0.5), 22);
      const from = Math.max(left, LEFT), to = Math.min(right, LEFT + this.plotWidth), name = names[classes[i]];
      if (context.measureText(name).width + 8 < to - from) {
        context.fillStyle = "#111";
        context.fillText(name, (from + to) / 2 - context.measureText(name).width / 2, top + 15);
      }
    }
    context.restore();
    context.fillStyle = inks().soft;
    context.fillText("class", 10, top + 15);
  }

  private drawPanel(context: Pen, panel: Panel): void {
    const { soft, line, ink, paper } = inks(), { top, height, low, high } = panel, up = (value: number) => top + height - ((value - low) / (high - low)) * height;
    context.save();
    context.beginPath();
    context.rect(LEFT, top, this.plotWidth, height);
    context.clip();
    if (low < 0 && high > 0) {
      context.strokeStyle = soft;
      context.lineWidth = 0.8;
      context.setLineDash([4, 3]);
      context.strokeRect(LEFT - 5, up(0), this.plotWidth + 10, 0);
      context.setLineDash([]);
    }
    if (this.record.margin && panel.label.startsWith("margin")) this.fillBelow(context, panel, up);
    for (const one of panel.lines) {
      context.strokeStyle = one.color;
      context.lineWidth = one.width;
      context.beginPath();
      this.trace(context, one, panel.steps, up);
      context.stroke();
    }
    context.restore();
    context.strokeStyle = line;
    context.lineWidth = 1;
    context.strokeRect(LEFT, top, this.plotWidth, height);
    context.fillStyle = soft;
    context.strokeStyle = paper;
    context.textAlign = "right";
    const { marks, less } = ticks(low, high, height / 34);
    for (const { value, text } of marks) haloed(context, text, LEFT - 6, up(value) + 4);
    context.textAlign = "center";
    context.fillStyle = ink;
    context.save();
    context.translate(16, top + height / 2);
    context.rotate(-Math.PI / 2);
    haloed(context, panel.label + less, 0, 0);
    context.restore();
    context.textAlign = "left";
  }

  /** What is below zero of a margin; corners where it crosses are found exactly. */
  private fillBelow(context: Pen, panel: Panel, up: (value: number) => number): void {
    const { values, t } = panel.lines[0];
    context.fillStyle = BOUNDARY;
    context.globalAlpha = 0.33;
    context.beginPath();
    for (let i = Math.max(0, this.reached(t, this.low) - 1); i + 1 < t.length && t[i] <= this.high; i++) {
      const a = values[i], b = values[i + 1];
      if (a >= 0 && b >= 0) continue;
      const zero = a * b < 0 ? t[i] + (a / (a - b)) * (t[i + 1] - t[i]) : 0;
      const [left, right] = [a > 0 ? zero : t[i], b > 0 ? zero : t[i + 1]];
      context.moveTo(this.across(left), up(0));
      if (a < 0) context.lineTo(this.across(left), up(a));
      if (b < 0) context.lineTo(this.across(right), up(b));
      context.lineTo(this.across(right), up(0));
    }
    context.fill();
    context.globalAlpha = 1;
  }

  /** A line through the window; where many vertices share a pixel, its least and largest number there. */
  private trace(context: Pen, { t, values }: Line, steps: boolean, up: (value: number) => number): void {
    const [first, last] = this.window(t);
    if (last - first < 4 * this.plotWidth) {
      for (let i = first; i <= last; i++) {
        if (!Number.isFinite(values[i])) continue;
        if (!steps) context.lineTo(this.across(t[i]), up(values[i]));
        else if (i < last) {
          context.lineTo(this.across(t[i]), up(values[i]));
          context.lineTo(this.across(t[i + 1]), up(values[i]));
        }
      }
      return;
    }
    for (let i = first; i <= last - Number(steps); ) {
      const column = Math.floor(this.across(t[i]));
      let low = values[i], high = values[i];
      for (; i <= last - Number(steps) && Math.floor(this.across(t[i])) === column; i++) {
        if (values[i] < low) low = values[i];
        if (values[i] > high) high = values[i];
      }
      context.lineTo(column, up(low));
      context.lineTo(column, up(high));
    }
  }

  private drawRug(context: Pen, top: number, height: number): void {
    const { record, flips, t } = this, units = this.found.get("flips.units")!, layers = record.layers.nodes, row = height / layers.length;
    const dark = this.tools?.choices.dark, { soft } = inks();
    let drawn = -1;
    for (let layer = 0; layer < layers.length; layer++) {
      context.fillStyle = soft;
      if (row >= 11) context.fillText(`layer ${layers[layer].name}`, 10, top + (layer + 0.5) * row + 4);
      if (this.tools && !this.tools.choices.layers[layer]) continue;
      const color = lineColor(layer, layers.length, dark).map((part) => Math.round(255 * part)) as [number, number, number];
      context.fillStyle = css(color);
      drawn = -1;
      for (let i = Math.max(0, this.reached(t, this.low) - 1); i < t.length && t[i] <= this.high; i++)
        for (let at = flips[i]; at < flips[i + 1]; at++) {
          if (units[at] < layers[layer].start || units[at] >= layers[layer].stop) continue;
          const x = Math.round(2 * this.across(t[i])) / 2;
          if (x >= LEFT && x <= LEFT + this.plotWidth && x !== drawn) context.fillRect(x - 0.4, top + layer * row + 1, 0.8, row - 2);
          drawn = x;
        }
    }
  }

  private drawPointer(context: CanvasRenderingContext2D, panels: Panel[]): void {
    const { mark, paper } = inks(), t = this.at(this.pointer![0]), cell = this.cellAt(t);
    context.strokeStyle = mark;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(this.pointer![0], TOP);
    context.lineTo(this.pointer![0], this.height - BOTTOM);
    context.stroke();
    if (cell < 0) return;
    for (const { top, height, low, high, lines, steps } of panels)
      for (const { t: corners, values, color } of lines) {
        const value = steps ? values[cell] : this.between(corners, values, t);
        context.fillStyle = color;
        context.strokeStyle = paper;
        context.lineWidth = 1.5;
        context.beginPath();
        context.arc(this.pointer![0], top + height - ((value - low) / (high - low)) * height, 3.5, 0, 2 * Math.PI);
        context.fill();
        context.stroke();
      }
  }

  /** A number that is affine between corners, at a parameter. */
  private between(corners: Float64Array, values: Numbers, t: number): number {
    const at = Math.max(0, Math.min(corners.length - 2, this.reached(corners, t) - 1)), share = (t - corners[at]) / (corners[at + 1] - corners[at] || 1);
    return values[at] + share * (values[at + 1] - values[at]);
  }

  /** What is known at a parameter. */
  about(t: number): { cell: number; rows: [string, string][]; outputs: number[]; margin: number; label: number; counts: number[] } | null {
    const cell = this.cellAt(t), { record, found } = this;
    if (cell < 0) return null;
    const rows: [string, string][] = [["cell", `${cell}${this.selection.cells.has(cell) ? " (chosen)" : ""}`], ["at", `t = ${placed(t, (this.high - this.low) / this.plotWidth)}`]];
    const label = this.starts.length ? found.get("intervals.classes")![Math.max(0, this.reached(this.starts, t) - 1)] : -1;
    if (label >= 0) rows.push(["class", record.classes!.names[label]]);
    rows.push(["length", told(this.t[cell + 1] - this.t[cell])]);
    const margin = record.margin ? this.between(this.marginT, found.get("margin")!, t) : NaN;
    if (record.margin) rows.push([`margin of ${record.margin}`, told(margin)]);
    record.panels.forEach((name, i) => rows.push([name, told(found.get(`panel.${i}`)![cell])]));
    rows.push(["pattern", found.get("hashes")![cell].toString(16).padStart(8, "0")]);
    const counts = record.layers.nodes.map((_, layer) => found.get(`counts.${layer}`)![cell]);
    record.layers.nodes.forEach(({ name, start, stop }, layer) => rows.push([`layer ${name}`, `${counts[layer]} of ${stop - start} active`]));
    const V = this.t.length, outputs = record.labels.map((_, k) => this.between(this.t, found.get("outputs")!.subarray(k * V, (k + 1) * V) as Numbers, t));
    return { cell, rows, outputs, margin, label, counts };
  }

  /** The breakpoint next to a parameter, within five pixels, and the units that flip there. */
  private flip(t: number): string {
    const after = this.reached(this.t, t), near = [after - 1, after].filter((i) => i > 0 && i < this.t.length - 1 && Math.abs(this.across(this.t[i]) - this.across(t)) < 5);
    if (!near.length) return "";
    const best = near.sort((a, b) => Math.abs(this.t[a] - t) - Math.abs(this.t[b] - t))[0], units = this.found.get("flips.units")!;
    return Array.from(units.subarray(this.flips[best], this.flips[best + 1]), (unit) => {
      const layer = this.record.layers.nodes.find(({ stop }) => unit < stop)!;
      return `unit ${unit - layer.start} of layer ${layer.name}`;
    }).slice(0, 4).join(", ");
  }

  private tell(): void {
    const chosen = this.selection.last, t = this.inPlot() ? this.at(this.pointer![0]) : chosen >= 0 ? (this.t[chosen] + this.t[chosen + 1]) / 2 : NaN;
    const known = Number.isNaN(t) ? null : this.about(t);
    if (!known) return sayCell();
    const flipped = this.flip(t);
    if (flipped) known.rows.push(["flips here", flipped]);
    const order = known.outputs.map((value, k) => [value, k]).sort((a, b) => b[0] - a[0]).slice(0, TOLD);
    sayCell(tableOfRows(known.rows), tableOfRows([["output", "here"], ...order.map(([value, k]) => [this.record.labels[k].name, told(value)])]));
  }
}

