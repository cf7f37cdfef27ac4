/* The page of a planar complex: drawing, pointing, and what a cell says. */

import { Cells } from "./cells";
import { ClassAreas } from "./classes";
import { classFills, lineColor, looked, packed, pixelsOf, toldOf } from "./colors";
import type { Color, Measure, Numbers, PlanarRecord } from "./data";
import { by, cleared, css, fitted, haloed, inks, pixelRatio, sayCell, tableOfRows } from "./dom";
import { drawLines, exportPng, exportSvg, seenCells, traced } from "./exports";
import { foldsOf } from "./folds";
import { arrow, crossed, listen } from "./gestures";
import { known, placed, ticks, told } from "./numbers";
import { piecesOf, type Points } from "./plane";
import { Scene, type Fill, type Lines } from "./scene";
import { Link, spot } from "./link";
import { heard, Selection } from "./selection";
import type { Pen } from "./svg";
import { BOUNDARY, Tools, type Choices } from "./tools";
import { View } from "./view";
import { mapFrom, mapOfPattern, spectral, type AffineMap } from "./weights";

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
  private pieces: { fill: Fill; areas: ClassAreas } | null = null;
  private lines: Lines[] = [];
  private border!: Lines;
  private boundary: (Lines & { points: Points }) | null = null;
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
  /** The place that is pointed at, in coordinates; it stays where it is while the view moves. */
  private pointer: [number, number] | null = null;
  private keyed = false;
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
      lines: true, boundary: record.classes && "decision boundary", colors: true, place: "cell, or x, y", more,
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
      this.pieces = { fill, areas: new ClassAreas(offsets, points, found.get("pieces.classes")!, found.get("pieces.cells")!, found.get("classes")!) };
      this.boundary = { ...this.scene.lines(boundary, Uint32Array.from(boundary.x.keys())), points: boundary };
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
    if (this.pointer) this.point(...this.view.toScreen(...this.shares(this.pointer)));
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
      if (this.pieces && this.choices.color === "class") this.scene.recolor(this.pieces.fill, looked(classFills(this.record.classes!).map(packed), this.pieces.areas.classes));
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
    this.paint(this.wide(), pixelRatio());
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

  private outline(pen: Pen, cell: number, color: string, width: number): void {
    const { offsets, corners, vertices } = this.cells;
    traced(pen, this.view, vertices, offsets[cell], offsets[cell + 1], corners);
    pen.lineWidth = width;
    pen.strokeStyle = color;
    pen.stroke();
  }

  private overlay(): void {
    const context = cleared(this.over), { view, cells } = this, { ink, mark, paper } = inks();
    if (this.hovered >= 0) this.outline(context, this.hovered, ink, 2);
    if (this.edge >= 0) {
      context.beginPath();
      for (const end of [0, 1]) context.lineTo(...view.place(cells.vertices, cells.ends[2 * this.edge + end]));
      context.lineWidth = 5;
      context.strokeStyle = mark;
      context.stroke();
    }
    this.marks(context);
    if (this.elsewhere) spot(context, ...view.toScreen(...this.shares(this.elsewhere.place)), this.elsewhere.near, { mark, paper });
    if (this.keyed) crossed(context, this.centre);
  }

  private get centre(): [number, number] {
    return [this.view.width / 2, this.view.height / 2];
  }

  /** What lies over cells in pictures, too: those that are chosen, axes, anchors. */
  private marks(pen: Pen): void {
    const { view } = this, { ink, mark, paper } = inks();
    for (const cell of this.selection.cells) this.outline(pen, cell, mark, 3);
    this.axes(pen);
    for (const { name, place } of this.record.anchors) {
      const [x, y] = view.toScreen(...this.shares(place)), picture = this.pictures.get(name);
      pen.fillStyle = mark;
      pen.strokeStyle = paper;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(x, y, 6, 0, 2 * Math.PI);
      pen.fill();
      pen.stroke();
      pen.imageSmoothingEnabled = false;
      if (picture?.complete) {
        pen.drawImage(picture, x + 10, y - 46, 44, (44 * picture.height) / picture.width);
        pen.strokeRect(x + 10, y - 46, 44, (44 * picture.height) / picture.width);
      }
      pen.font = "bold 14px system-ui, sans-serif";
      pen.fillStyle = ink;
      haloed(pen, name, x - 18, y - 8);
    }
  }

  /** Numbers along the lower and the left side of the window, with the names of the coordinates beside them. */
  private axes(pen: Pen): void {
    const { view, record } = this, { soft, paper } = inks(), foot = 44;
    pen.font = "12px system-ui, sans-serif";
    pen.fillStyle = soft;
    pen.strokeStyle = paper;
    const [lowX, highY] = this.coordinates(0, 0), [highX, lowY] = this.coordinates(view.width, view.height);
    const [across, up] = [ticks(lowX, highX, view.width / 110), ticks(lowY, highY, view.height / 90)];
    const wide = (text: string) => pen.measureText(text).width;
    for (const { value, text } of across.marks) haloed(pen, text, view.toScreen(...this.shares([value, lowY]))[0] - wide(text) / 2, view.height - 8);
    let right = 0;
    for (const { value, text } of up.marks) {
      const y = view.toScreen(...this.shares([lowX, value]))[1] + 4;
      if (y > view.height - foot) continue;
      haloed(pen, text, 6, y);
      right = Math.max(right, wide(text));
    }
    haloed(pen, record.axes[0] + across.less, view.width / 2, view.height - 26);
    pen.save();
    pen.translate(right + 22, view.height / 2);
    pen.rotate(-Math.PI / 2);
    haloed(pen, record.axes[1] + up.less, 0, 0);
    pen.restore();
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
    return this.pointer ?? (this.elsewhere?.near ? this.elsewhere.place : null);
  }

  private point(px: number, py: number): void {
    this.pointer = this.coordinates(px, py);
    this.elsewhere = null;
    this.link.tell({ point: this.pointer });
    const cell = this.cells.locate(...this.view.toShares(px, py)), edge = cell < 0 ? -1 : this.nearEdge(cell, px, py), moved = cell !== this.hovered || edge !== this.edge;
    [this.hovered, this.edge] = [cell, edge];
    if (moved || this.keyed) this.overlay();
    this.tell();
  }

  private nearEdge(cell: number, px: number, py: number): number {
    const { offsets, edgeOf, ends, vertices, units } = this.cells;
    let best = -1, least = 5;
    for (let at = offsets[cell]; at < offsets[cell + 1]; at++) {
      const edge = edgeOf[at], [ax, ay] = this.view.place(vertices, ends[2 * edge]), [bx, by] = this.view.place(vertices, ends[2 * edge + 1]);
      const square = (bx - ax) ** 2 + (by - ay) ** 2;
      const share = square ? Math.max(0, Math.min(1, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / square)) : 0;
      const distance = Math.hypot(ax + share * (bx - ax) - px, ay + share * (by - ay) - py);
      if (distance < least && units[edge]) [best, least] = [edge, distance];
    }
    return best;
  }

  /** What the cell under the pointer, or else the pinned one, is. */
  private tell(): void {
    const cell = this.hovered >= 0 ? this.hovered : this.selection.last;
    if (cell < 0) return sayCell();
    const { record, found, cells } = this, pattern = cells.pattern(cell), rows: [string, string][] = [], at = cell === this.hovered ? this.at : null;
    rows.push(["cell", `${found.has("numbers") ? this.numberOf(cell) : "no number"}${this.selection.cells.has(cell) ? " (chosen)" : ""}, ${cells.neighbours(cell)} neighbours`]);
    if (at) rows.push(["at", this.placed(at)]);
    if (record.classes) rows.push(["class", this.classAt(cell, at)]);
    for (const measure of record.measures) rows.push([measure.label, this.measured(cell, measure)]);
    rows.push(["pattern", `${pattern.hash.toString(16).padStart(8, "0")}`]);
    record.layers.nodes.forEach(({ name, start, stop }, layer) => rows.push([`layer ${name}`, `${pattern.counts[layer]} of ${stop - start} active`]));
    if (this.edge >= 0) {
      const unit = cells.units[this.edge] - 1, node = record.layers.nodes[cells.layerOf(unit)];
      rows.push(["edge", `unit ${unit - node.start} of layer ${node.name}`]);
    }
    sayCell(tableOfRows(rows), ...(record.maps ? this.map(cell, at) : []));
  }

  /** A place with the digits that pixels tell apart. */
  private placed(at: [number, number]): string {
    const { extent } = this.record.frame, { scale, scaleY } = this.view;
    return `${placed(at[0], extent[0] / scale)}, ${placed(at[1], extent[1] / scaleY)}`;
  }

  /** Name of the class at a place of a cell, that of its colour there; of all classes of a cell that no place is told of. */
  private classAt(cell: number, at: [number, number] | null): string {
    const { areas } = this.pieces!, { names } = this.record.classes!;
    return at ? names[areas.at(cell, ...this.shares(at))] : areas.of(cell).map((label) => names[label]).join(", ");
  }

  /** A number of a cell, computed where it can be, else as well as it was stored. */
  private measured(cell: number, measure: Measure): string {
    if (measure.key === "area") return known(this.cells.area(cell), this.cells.areaError(cell));
    const map = measure.key === "norm" ? this.mapOf(cell) : null;
    return map ? told(spectral(map.A, this.record.units)) : toldOf(measure, this.found.get(`measure.${measure.key}`)![cell]);
  }

  /** The affine map of a cell, by the domain's coordinates: rows of A, and c. */
  affineMap(cell: number): AffineMap | null {
    const { maps, weights, network, frame } = this.record;
    if (maps === "weights") return mapOfPattern(weights!, this.found, this.cells.pattern(cell).pieces!, frame.low);
    if (!maps) return null;
    const A = this.found.get("maps.A")!, c = this.found.get("maps.c")!, outputs = network.outputs;
    const rows = Array.from({ length: outputs }, (_, k) => [A[2 * (cell * outputs + k)], A[2 * (cell * outputs + k) + 1]]);
    return mapFrom(rows, c.subarray(cell * outputs, (cell + 1) * outputs), frame.low);
  }

  /** The same, of the last cell from memory: the pointer moves within a cell for many events. */
  private mapOf(cell: number): AffineMap | null {
    if (this.remembered?.cell !== cell || this.remembered.of !== this.found) this.remembered = { cell, of: this.found, map: this.affineMap(cell) };
    return this.remembered.map;
  }

  /** Outputs as affine functions of the coordinates, with their values at the pointer. */
  private map(cell: number, at: [number, number] | null): HTMLElement[] {
    const map = this.mapOf(cell)!, { A, c } = map, here = at && map.at(at), [first, second] = this.record.axes, names = this.record.classes?.names ?? [];
    const rows = A.slice(0, 20).map((row, k): string[] => {
      const value = here ? told(here[k]) : "";
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
    this.paint(this.view.copy(), pixelRatio());
    const marks = this.over.cloneNode() as HTMLCanvasElement;
    this.marks(cleared(marks));
    exportPng([this.scene.canvas, marks], this.view, this.tools.keys);
    this.render();
  }

  private svg(): string {
    const seen = seenCells(this.cells, this.view);
    if (typeof seen === "string") return seen;
    exportSvg((pen) => this.sketch(pen, seen), this.view, this.tools.keys);
    return "";
  }

  /** The same picture as lines and areas. */
  private sketch(pen: Pen, seen: number[]): void {
    const { cells, view, choices } = this, { vertices, corners, offsets } = cells, { ink, paper } = inks(), pixels = this.pixels(), folds = foldsOf(cells), widths = this.widths(view);
    const area = (color: string, points: Points, start: number, stop: number, which?: Uint32Array) => {
      if (!traced(pen, view, points, start, stop, which)) return;
      pen.fillStyle = color;
      pen.fill();
    };
    for (const cell of seen) {
      const pixel = pixels[cell];
      if (pixel) area(css([pixel & 255, (pixel >>> 8) & 255, (pixel >>> 16) & 255]), vertices, offsets[cell], offsets[cell + 1], corners);
    }
    if (this.pieces && choices.color === "class") {
      const { offsets: starts, points, classes } = this.pieces.areas, fills = classFills(this.record.classes!);
      for (let piece = 0; piece < classes.length; piece++) area(css(fills[classes[piece]]), points, starts[piece], starts[piece + 1]);
    }
    const shade = (layer: number) => css(lineColor(layer, folds.layers.length, choices.dark).map((part) => Math.round(255 * part)) as Color);
    for (let layer = folds.layers.length - 1; layer >= 0; layer--) if (choices.layers[layer]) drawLines(pen, view, vertices, folds.layers[layer], shade(layer), widths[layer]);
    drawLines(pen, view, vertices, folds.border, ink, 1.5);
    if (this.boundary && choices.boundary) {
      drawLines(pen, view, this.boundary.points, null, paper, 4.2);
      drawLines(pen, view, this.boundary.points, null, choices.dark ? "#f27333" : BOUNDARY, 2.2);
    }
    this.marks(pen);
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
      cursor: () => this.centre,
      keyed: (on) => {
        if (this.keyed === on) return;
        this.keyed = on;
        this.overlay();
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
    if (key !== "Escape") this.point(...this.centre);
    this.moved();
    return true;
  }
}
