/* The page of a planar complex: drawing, pointing, and what a cell says. */

import { Cells } from "./cells";
import { lineColor, looked, packed, paled, pixelsOf, ticks, told, valueOf } from "./colors";
import type { Numbers, PlanarRecord } from "./data";
import { by, cleared, fitted, haloed, inks, tableOfRows } from "./dom";
import { exportSvg, saved } from "./exports";
import { foldsOf } from "./folds";
import { arrow, listen } from "./gestures";
import { piecesOf, type Points } from "./plane";
import { Scene, type Fill, type Lines } from "./scene";
import { Link, spot } from "./link";
import { heard, Selection } from "./selection";
import { Tools, type Choices } from "./tools";
import { View } from "./view";
import { mapOfPattern, type AffineMap } from "./weights";

/** Share of the window that is drawn beyond each of its sides, so that moving shows no gap. */
const MARGIN = 0.25;
/** Milliseconds without a move after which the picture is drawn anew. */
const IDLE = 120;
/** Cells below which their sides are smooth without lines, too. */
const SMOOTH = 50000;

export class PlanarPage {
  cells!: Cells;
  record!: PlanarRecord;
  readonly view: View;
  private found!: Map<string, Numbers>;
  private readonly scene: Scene;
  private fill!: Fill;
  private pieces: { fill: Fill; classes: Numbers } | null = null;
  private lines: Lines[] = [];
  private border!: Lines;
  private boundary: Lines | null = null;
  private lengths: number[] = [];
  private readonly tools: Tools;
  private readonly stage = by<HTMLDivElement>("stage");
  private readonly over = by<HTMLCanvasElement>("over");
  private readonly pictures = new Map<string, HTMLImageElement>();
  private readonly selection = new Selection((cell) => this.numberOf(cell));
  private remembered: { cell: number; of: Map<string, Numbers>; map: AffineMap | null } | null = null;
  private drawn: View;
  private timer = 0;
  private hovered = -1;
  private edge = -1;
  private pointer: [number, number] | null = null;
  /** What another page points at: coordinates, and whether they are its point or the nearest one. */
  private elsewhere: { place: [number, number]; near: boolean } | null = null;
  private readonly link = new Link({
    pointed: (place, near) => this.pointed(place as [number, number] | null, near),
    chosen: (place, more) => {
      const cell = place ? this.cells.locate(...this.shares(place as [number, number])) : -1;
      if (place && cell < 0) return;
      this.selection.click(cell, more);
      this.overlay();
      this.tell();
    },
    looked: (look) => this.tools.adopt(look),
    viewed: (view) => {
      Object.assign(this.view, view);
      this.moved(false);
    },
  });

  constructor(record: PlanarRecord, found: Map<string, Numbers>, more: HTMLElement[]) {
    this.view = new View(record.frame.extent[1] / record.frame.extent[0]);
    this.scene = new Scene(by<HTMLCanvasElement>("picture"), record.counts.cells < SMOOTH);
    this.load(record, found);
    for (const { name, picture } of record.anchors) {
      if (!picture) continue;
      const image = Object.assign(new Image(), { src: picture, onload: () => this.overlay() });
      this.pictures.set(name, image);
    }
    this.tools = new Tools(record, {
      layers: record.layers.nodes.map(({ name }) => name), boundary: record.classes && "decision boundary", colors: true, place: "cell, or x, y", more,
    }, {
      changed: (recolored) => this.changed(recolored), find: (text) => this.find(text), reset: () => this.fit(), looked: (look) => this.link.tell({ look }),
      png: () => this.png(), svg: () => this.svg(),
    });
    this.listen();
    this.resize(true);
    this.drawn = this.view.copy();
    this.changed(true);
  }

  /** Take other cells of the same plane. */
  load(record: PlanarRecord, found: Map<string, Numbers>): void {
    this.scene.forget();
    this.record = record;
    this.found = found;
    this.cells = Cells.of(record, found);
    const groups = foldsOf(this.cells);
    this.fill = this.scene.fill(this.cells.vertices, this.cells.offsets, this.cells.corners);
    const vertices = this.fill.positions;
    this.border = this.scene.lines(vertices, groups.border);
    this.lines = groups.layers.map((ends) => this.scene.lines(vertices, ends));
    this.lengths = groups.layers.map((ends) => this.length(ends));
    this.pieces = this.boundary = null;
    if (record.classes) {
      const { offsets, points, boundary } = piecesOf(record, found, this.cells.plane);
      const fill = this.scene.fill(points, offsets, null);
      this.pieces = { fill, classes: found.get("pieces.classes")! };
      this.boundary = this.scene.lines(boundary, Uint32Array.from(boundary.x.keys()));
    }
    this.hovered = this.edge = -1;
    this.selection.cells.clear();
    by("facts").textContent = record.facts;
  }

  /** Show other cells of the same plane, from where it is looked at. */
  show(record: PlanarRecord, found: Map<string, Numbers>): void {
    this.load(record, found);
    this.tools.follow(record);
    this.changed(true);
    if (this.pointer) this.point(...this.pointer);
    this.tell();
  }

  private get choices(): Choices {
    return this.tools.choices;
  }

  private length(ends: Uint32Array): number {
    const { x, y } = this.cells.vertices;
    let sum = 0;
    for (let i = 0; i < ends.length; i += 2) sum += Math.hypot(x[ends[i]] - x[ends[i + 1]], (y[ends[i]] - y[ends[i + 1]]) * this.view.aspect);
    return sum;
  }

  /** The colours or lines that are shown have changed. */
  private changed(recolored: boolean): void {
    if (recolored) {
      this.scene.recolor(this.fill, this.pixels());
      if (this.pieces && this.choices.color === "class") this.scene.recolor(this.pieces.fill, looked(this.record.classes!.colors.map(packed).map(paled), this.pieces.classes));
    }
    this.render();
  }

  private pixels(): Uint32Array {
    this.cells.need(this.choices.color);
    return pixelsOf(this.record, this.found, this.choices, this.cells.count);
  }

  private wide(): View {
    const view = this.view.copy();
    view.width *= 1 + 2 * MARGIN;
    view.height *= 1 + 2 * MARGIN;
    return view;
  }

  /** Draw the window and what lies around it. */
  render(): void {
    clearTimeout(this.timer);
    this.paint(this.wide(), window.devicePixelRatio || 1);
    this.drawn = this.view.copy();
    this.slide();
  }

  private paint(view: View, ratio: number): void {
    const { choices, scene } = this, dark = choices.dark, ink = dark ? [0.9, 0.92, 0.94] : [0.1, 0.12, 0.14];
    const paper = dark ? [0.082, 0.094, 0.11] : [1, 1, 1];
    scene.clear(view.width, view.height, ratio, paper);
    scene.drawFill(this.fill, view);
    if (this.pieces && choices.color === "class") scene.drawFill(this.pieces.fill, view);
    const widths = this.widths(view);
    for (let layer = this.lines.length - 1; layer >= 0; layer--)
      if (choices.layers[layer]) scene.drawLines(this.lines[layer], view, widths[layer] * ratio, lineColor(layer, this.lines.length, dark));
    scene.drawLines(this.border, view, 1.5 * ratio, ink);
    if (this.boundary && choices.boundary) {
      scene.drawLines(this.boundary, view, 4.2 * ratio, paper);
      scene.drawLines(this.boundary, view, 2.2 * ratio, dark ? [0.95, 0.45, 0.2] : [0.78, 0.22, 0.05]);
    }
  }

  /** Lines of all layers leave most of the paper bare: their widths fall as lines grow dense, the first layer's least. */
  private widths(view: View): number[] {
    const count = Math.max(1, this.lines.length), shown = this.lengths.map((length, i) => (this.choices.layers[i] ? length : 0));
    const relative = shown.map((_, i) => (count > 1 ? 1.8 - (1.1 * i) / (count - 1) : 1.5));
    const ink = shown.reduce((sum, length, i) => sum + length * relative[i], 0) * view.scale;
    const most = 0.22 * view.scale * view.scaleY;
    return relative.map((width) => width * Math.min(1, most / Math.max(ink, 1e-9)));
  }

  /** Place the last drawing where the view has moved since, and what lies over it. */
  private slide(): void {
    const [left, top] = this.drawn.toShares(-MARGIN * this.view.width, -MARGIN * this.view.height);
    const [x, y] = this.view.toScreen(left, top), factor = this.view.scale / this.drawn.scale;
    const style = this.scene.canvas.style;
    style.width = `${(1 + 2 * MARGIN) * this.view.width}px`;
    style.height = `${(1 + 2 * MARGIN) * this.view.height}px`;
    style.transform = `translate(${x}px, ${y}px) scale(${factor})`;
    this.overlay();
  }

  private moved(own = true): void {
    const { x, y, scale } = this.view;
    if (own) this.link.tell({ view: { x, y, scale } });
    this.slide();
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.render(), IDLE);
  }

  fit(): void {
    this.view.fit();
    this.render();
  }

  private resize(first = false): void {
    this.view.width = this.stage.clientWidth;
    this.view.height = this.stage.clientHeight;
    fitted(this.over, this.view.width, this.view.height);
    if (first) this.view.fit();
    else this.render();
  }

  private outline(context: CanvasRenderingContext2D, cell: number, color: string, width: number): void {
    const { offsets, corners, vertices } = this.cells;
    context.beginPath();
    for (let at = offsets[cell]; at < offsets[cell + 1]; at++) context.lineTo(...this.view.toScreen(vertices.x[corners[at]], vertices.y[corners[at]]));
    context.closePath();
    context.lineWidth = width;
    context.strokeStyle = color;
    context.stroke();
  }

  private overlay(): void {
    const context = cleared(this.over), { view, cells } = this, { ink, mark, paper } = inks();
    for (const cell of this.selection.cells) this.outline(context, cell, mark, 3);
    if (this.hovered >= 0) this.outline(context, this.hovered, ink, 2);
    if (this.edge >= 0) {
      context.beginPath();
      for (const end of [0, 1]) {
        const vertex = cells.ends[2 * this.edge + end];
        context.lineTo(...view.toScreen(cells.vertices.x[vertex], cells.vertices.y[vertex]));
      }
      context.lineWidth = 5;
      context.strokeStyle = mark;
      context.stroke();
    }
    this.axes(context);
    for (const { name, place } of this.record.anchors) {
      const [x, y] = view.toScreen(...this.shares(place)), picture = this.pictures.get(name);
      context.fillStyle = mark;
      context.strokeStyle = paper;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(x, y, 6, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
      context.imageSmoothingEnabled = false;
      if (picture?.complete) {
        context.drawImage(picture, x + 10, y - 46, 44, (44 * picture.height) / picture.width);
        context.strokeRect(x + 10, y - 46, 44, (44 * picture.height) / picture.width);
      }
      context.font = "bold 14px system-ui, sans-serif";
      context.fillStyle = ink;
      haloed(context, name, x - 18, y - 8);
    }
    if (this.elsewhere) spot(context, ...view.toScreen(...this.shares(this.elsewhere.place)), this.elsewhere.near, { mark, paper });
  }

  /** Numbers along the lower and the left side of the window. */
  private axes(context: CanvasRenderingContext2D): void {
    const { view, record } = this, { soft, paper } = inks();
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = soft;
    context.strokeStyle = paper;
    const put = (text: string, x: number, y: number) => haloed(context, text, x, y);
    const [lowX, highY] = this.coordinates(0, 0), [highX, lowY] = this.coordinates(view.width, view.height);
    for (const tick of ticks(lowX, highX, view.width / 110)) put(tick.text, view.toScreen(...this.shares([tick.value, lowY]))[0] - 10, view.height - 8);
    for (const tick of ticks(lowY, highY, view.height / 90)) put(tick.text, 6, view.toScreen(...this.shares([lowX, tick.value]))[1] + 4);
    put(record.axes[0], view.width / 2, view.height - 24);
    context.save();
    context.translate(52, view.height / 2);
    context.rotate(-Math.PI / 2);
    put(record.axes[1], 0, 0);
    context.restore();
  }

  /** Shares of a point given in the domain's coordinates, and back from the screen. */
  shares([x, y]: [number, number]): [number, number] {
    const { low, extent } = this.record.frame;
    return [(x - low[0]) / extent[0], (y - low[1]) / extent[1]];
  }

  coordinates(px: number, py: number): [number, number] {
    const { low, extent } = this.record.frame, [x, y] = this.view.toShares(px, py);
    return [low[0] + x * extent[0], low[1] + y * extent[1]];
  }

  /** Number of a cell as in Python; -1 where frames have none. */
  private numberOf(cell: number): number {
    return this.found.get("numbers")?.[cell] ?? -1;
  }

  /** Number of the cell at a point of the domain, as in Python; -1 outside. */
  locate(x: number, y: number): number {
    const cell = this.cells.locate(...this.shares([x, y]));
    return cell < 0 ? -1 : this.numberOf(cell);
  }

  /** Another page points at a place of the domain, or at one nearest to it. */
  private pointed(place: [number, number] | null, near: boolean): void {
    this.pointer = null;
    this.elsewhere = place && { place, near };
    this.hovered = place && near ? this.cells.locate(...this.shares(place)) : -1;
    this.edge = -1;
    this.overlay();
    this.tell();
  }

  /** The place that is told of: under the pointer here or in another page. */
  private get at(): [number, number] | null {
    return this.pointer ? this.coordinates(...this.pointer) : this.elsewhere?.near ? this.elsewhere.place : null;
  }

  private point(px: number, py: number): void {
    this.pointer = [px, py];
    this.elsewhere = null;
    this.link.tell({ point: this.coordinates(px, py) });
    const cell = this.cells.locate(...this.view.toShares(px, py)), edge = cell < 0 ? -1 : this.nearEdge(cell, px, py);
    if (cell === this.hovered && edge === this.edge && !this.record.maps) return;
    [this.hovered, this.edge] = [cell, edge];
    this.overlay();
    this.tell();
  }

  private nearEdge(cell: number, px: number, py: number): number {
    const { offsets, edgeOf, ends, vertices, units } = this.cells;
    let best = -1, least = 5;
    for (let at = offsets[cell]; at < offsets[cell + 1]; at++) {
      const edge = edgeOf[at], [a, b] = [ends[2 * edge], ends[2 * edge + 1]];
      const [ax, ay] = this.view.toScreen(vertices.x[a], vertices.y[a]), [bx, by] = this.view.toScreen(vertices.x[b], vertices.y[b]);
      const square = (bx - ax) ** 2 + (by - ay) ** 2;
      const share = square ? Math.max(0, Math.min(1, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / square)) : 0;
      const distance = Math.hypot(ax + share * (bx - ax) - px, ay + share * (by - ay) - py);
      if (distance < least && units[edge]) [best, least] = [edge, distance];
    }
    return best;
  }

  /** What the cell under the pointer, or else the pinned one, is. */
  private tell(): void {
    const cell = this.hovered >= 0 ? this.hovered : this.selection.last, box = by("cell");
    box.replaceChildren();
    if (cell < 0) return;
    const { record, found, cells } = this, pattern = cells.pattern(cell), rows: [string, string][] = [];
    rows.push(["cell", `${found.has("numbers") ? this.numberOf(cell) : "no number"}${this.selection.cells.has(cell) ? " (chosen)" : ""}, ${cells.neighbours(cell)} neighbours`]);
    if (this.at && cell === this.hovered) rows.push(["at", this.at.map(told).join(", ")]);
    if (record.classes) rows.push(["class", record.classes.names[found.get("classes")![cell]]]);
    for (const measure of record.measures) rows.push([measure.label, told(measure.key === "area" ? cells.area(cell) : valueOf(measure, found.get(`measure.${measure.key}`)![cell]))]);
    rows.push(["pattern", `${pattern.hash.toString(16).padStart(8, "0")}`]);
    record.layers.nodes.forEach(({ name, start, stop }, layer) => rows.push([`layer ${name}`, `${pattern.counts[layer]} of ${stop - start} active`]));
    if (this.edge >= 0) {
      const unit = cells.units[this.edge] - 1, node = record.layers.nodes[cells.layerOf(unit)];
      rows.push(["edge", `unit ${unit - node.start} of layer ${node.name}`]);
    }
    box.append(tableOfRows(rows));
    if (record.maps) box.append(...this.map(cell));
  }

  /** The affine map of a cell, by the domain's coordinates: rows of A, and c. */
  affineMap(cell: number): AffineMap | null {
    const { maps, weights, network } = this.record;
    if (maps === "weights") return mapOfPattern(weights!, this.found, this.cells.pattern(cell).pieces!);
    if (!maps) return null;
    const A = this.found.get("maps.A")!, c = this.found.get("maps.c")!, outputs = network.outputs;
    const rows = Array.from({ length: outputs }, (_, k) => [A[2 * (cell * outputs + k)], A[2 * (cell * outputs + k) + 1]]);
    return { A: rows, c: rows.map((_, k) => c[cell * outputs + k]) };
  }

  /** The same, of the last cell from memory: the pointer moves within a cell for many events. */
  private mapOf(cell: number): AffineMap | null {
    if (this.remembered?.cell !== cell || this.remembered.of !== this.found) this.remembered = { cell, of: this.found, map: this.affineMap(cell) };
    return this.remembered.map;
  }

  /** Outputs as affine functions of the coordinates, with their values at the pointer. */
  private map(cell: number): HTMLElement[] {
    const { A, c } = this.mapOf(cell)!, [first, second] = this.record.axes, names = this.record.classes?.names ?? [];
    const at = cell === this.hovered ? this.at : null;
    const rows = A.slice(0, 20).map((row, k): string[] => {
      const value = at ? told(row[0] * at[0] + row[1] * at[1] + c[k]) : "";
      return [A.length > 1 ? (names[k] ?? String(k)) : "output", value, told(row[0]), told(row[1]), told(c[k])];
    });
    return [tableOfRows([["output", at ? "here" : "", `· ${first}`, `· ${second}`, "+"], ...rows])];
  }

  /** Go to a cell by its number, or to a point "x, y"; says what was wrong. */
  find(text: string): string {
    const numbers = text.split(/[\s,;]+/).filter(Boolean).map(Number);
    let cell = -1;
    if (numbers.length === 1 && Number.isInteger(numbers[0])) cell = this.found.get("numbers")?.indexOf(numbers[0]) ?? -1;
    else if (numbers.length === 2) cell = this.cells.locate(...this.shares([numbers[0], numbers[1]]));
    else return "type a cell's number, or a point as x, y";
    if (cell < 0) return numbers.length === 2 ? "outside of the domain" : this.found.has("numbers") ? "no such cell" : "cells of these frames have no numbers; type a point as x, y";
    const [x, y] = numbers.length === 2 ? this.shares([numbers[0], numbers[1]]) : this.cells.middle(cell);
    this.selection.click(-1, false);
    this.selection.click(cell, true);
    this.hovered = this.edge = -1;
    Object.assign(this.view, { x, y });
    const { offsets, corners, vertices } = this.cells;
    let radius = 1e-12;
    for (let at = offsets[cell]; at < offsets[cell + 1]; at++) radius = Math.max(radius, Math.abs(vertices.x[corners[at]] - x), Math.abs(vertices.y[corners[at]] - y) * this.view.aspect);
    this.view.scale = Math.max(this.view.scale, Math.min(this.view.width, this.view.height) / (12 * radius));
    this.render();
    this.tell();
    return "";
  }

  private png(): void {
    const view = this.view.copy();
    this.paint(view, window.devicePixelRatio || 1);
    const sheet = Object.assign(document.createElement("canvas"), { width: this.over.width, height: this.over.height });
    const context = sheet.getContext("2d")!;
    context.drawImage(this.scene.canvas, 0, 0, sheet.width, sheet.height);
    context.drawImage(this.over, 0, 0);
    sheet.toBlob((blob) => blob && saved(blob, "splinescope.png"));
    this.render();
  }

  private svg(): string {
    const widths = this.widths(this.view).map((width, layer) => (this.choices.layers[layer] ? width : 0));
    const segments: Points | null = this.choices.boundary && this.record.classes ? points0(this.boundary) : null;
    return exportSvg(this.cells, this.view, this.pixels(), widths, segments);
  }

  private listen(): void {
    heard((numbers) => {
      const known = this.found.get("numbers");
      this.selection.choose(numbers.map((number) => known?.indexOf(number) ?? -1));
      this.overlay();
      this.tell();
    });
    listen(this.stage, {
      point: (place) => (place ? this.point(...place) : this.left()),
      click: (place, more) => {
        this.point(...place);
        this.selection.click(this.hovered, more);
        this.link.tell({ choose: this.hovered < 0 ? null : this.coordinates(...place), more });
        this.overlay();
        this.tell();
      },
      drag: (dx, dy) => {
        this.view.move(dx, dy);
        this.moved();
      },
      zoom: (factor, place) => {
        this.view.zoom(factor, ...(place ?? []));
        this.moved();
      },
      key: (key) => this.key(key),
      resize: () => this.resize(),
    });
  }

  private left(): void {
    this.hovered = this.edge = -1;
    this.pointer = null;
    this.link.tell({ point: null });
    this.overlay();
    this.tell();
  }

  private key(key: string): boolean {
    const move = arrow(key);
    if (move) this.view.move(...move);
    else if (key === "+" || key === "=") this.view.zoom(1.4);
    else if (key === "-") this.view.zoom(1 / 1.4);
    else if (key === "0") this.fit();
    else if (key === "Escape") {
      this.selection.clear();
      this.link.tell({ choose: null });
      this.tell();
    } else return this.tools.key(key);
    this.moved();
    return true;
  }
}

const points0 = (lines: Lines | null): Points | null => lines && lines.positions.points;
