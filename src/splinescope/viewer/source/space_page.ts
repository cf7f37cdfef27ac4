/* The page of cells in space, or of a surface: orbit, a plane that cuts, and what is under the pointer. */

import { Camera, dot, minus, type Vector } from "./camera";
import { lineColor, packed, pixelsOf, toldOf } from "./colors";
import type { Numbers, SpaceRecord } from "./data";
import { by, check, cleared, element, fitted, haloed, inks, pixelRatio, sayCell, select, tableOfRows } from "./dom";
import { exportPng } from "./exports";
import { arrow, crossed, listen } from "./gestures";
import { placed, told } from "./numbers";
import { Scene3, WHOLE, type Clip, type Mesh } from "./scene3";
import { Link, spot } from "./link";
import { heard, Selection } from "./selection";
import { Cells3, Polygons } from "./solid";
import { Tools } from "./tools";
import { mapFrom, spectral, type AffineMap } from "./weights";

const BOUNDARY = packed([199, 56, 13]);

export class SpacePage {
  record!: SpaceRecord;
  private found!: Map<string, Numbers>;
  private polygons!: Polygons;
  private surface: Polygons | null = null;
  private readonly scene = new Scene3(by<HTMLCanvasElement>("picture"));
  private readonly camera = new Camera();
  private readonly stage = by<HTMLDivElement>("stage");
  private readonly over = by<HTMLCanvasElement>("over");
  private readonly selection = new Selection((item) => item);
  private readonly tools: Tools;
  private meshes: { skin: Mesh; edges: Mesh; surface: Mesh | null } | null = null;
  private cut: { fill: Mesh; lines: Mesh[] } | null = null;
  private readonly slider = element("input", { type: "range", min: "0", max: "1000", value: "500" });
  private shown = { items: true, edges: true, plane: "", flipped: false };
  private normal: Vector = [0, 0, 0];
  private sides: number[] = [1, 1, 1];
  private pointer: [number, number] | null = null;
  private keyed = false;
  private hovered = -1;
  private frame = 0;
  /** What another page points at: coordinates, and whether they are its point or the nearest one. */
  private elsewhere: { place: number[]; near: boolean } | null = null;
  private readonly link = new Link({
    pointed: (place, near) => {
      this.pointer = null;
      this.elsewhere = place && { place, near };
      this.hovered = place && near ? this.locate(place) : -1;
      this.overlay();
      this.tell();
    },
    chosen: (place, more) => {
      const item = place ? this.locate(place) : -1;
      if (place && item < 0) return;
      this.selection.click(item, more);
      this.overlay();
      this.tell();
    },
    looked: (look) => this.tools.adopt(look),
  });

  constructor(record: SpaceRecord, found: Map<string, Numbers>, more: HTMLElement[]) {
    this.shown.plane = record.solid ? "1" : "";
    this.load(record, found);
    this.slider.setAttribute("aria-label", "Place of the cut");
    this.tools = new Tools(record, { lines: record.solid, boundary: record.surface, colors: true, place: record.solid ? "cell, or x, y, z" : "polygon", more: [this.controls(), ...more] }, {
      changed: (recolored) => this.changed(recolored), find: (text) => this.find(text), png: () => this.png(), looked: (look) => this.link.tell({ look }),
      reset: () => {
        this.camera.reset();
        this.soon();
      },
    });
    this.listen();
    this.cutAgain();
    this.changed(true);
    this.resize();
  }

  load(record: SpaceRecord, found: Map<string, Numbers>): void {
    const { extent } = record.frame, most = Math.max(...extent);
    this.record = record;
    this.found = found;
    this.sides = extent.map((side) => side / most);
    this.polygons = record.solid ? new Cells3(found, this.sides, record.counts.items) : new Polygons(found, "vertices", this.sides);
    this.surface = record.surface ? new Polygons(found, "surface", this.sides) : null;
    for (const mesh of this.meshes ? [this.meshes.skin, this.meshes.edges, this.meshes.surface] : []) mesh?.free();
    const { solid, polygons, surface, scene } = this, which = solid ? solid.outer() : Uint32Array.from({ length: polygons.count }, (_, i) => i);
    const items = record.counts.items, all = surface ? Array.from({ length: surface.count }, (_, i) => i) : [];
    this.meshes = {
      skin: scene.triangles(polygons.triangles(which, (polygon) => (solid ? solid.ownerOf(polygon) : polygon), 1)),
      edges: scene.lines(polygons.sides(which)),
      surface: surface && scene.triangles(surface.triangles(all, () => items, 1 + polygons.count + items)),
    };
    this.hovered = -1;
    this.selection.cells.clear();
    by("facts").textContent = record.facts;
  }

  show(record: SpaceRecord, found: Map<string, Numbers>): void {
    this.load(record, found);
    this.tools.follow(record);
    this.cutAgain();
    this.changed(true);
    this.tell();
  }

  private get solid(): Cells3 | null {
    return this.polygons instanceof Cells3 ? this.polygons : null;
  }

  private controls(): HTMLElement {
    const { shown, record } = this, label = (text: string, key: "items" | "edges" | "flipped", recut = false) => element("label", {}, check(shown[key], (on) => {
      shown[key] = on;
      if (recut) this.cutAgain();
      this.soon();
    }), text);
    const planes: [string, string][] = [["", "nowhere"], ...record.axes.map((name, axis): [string, string] => [String(axis), `across ${name}`]), ["facing", "facing the eye"]];
    this.slider.addEventListener("input", () => this.later());
    this.slider.addEventListener("keydown", (event) => event.stopPropagation());
    const plane = select(planes, shown.plane, (chosen) => {
      shown.plane = chosen;
      this.cutAgain();
      this.soon();
    });
    return element("fieldset", {}, element("legend", { textContent: "Scene" }), label(record.item, "items"), label("edges", "edges"), element("label", {}, "Cut", plane), this.slider, label("keep the other side", "flipped", true));
  }

  /** The plane that cuts: what is beyond it is left out. */
  private get clip(): Clip {
    const { plane, flipped } = this.shown, sign = flipped ? -1 : 1;
    if (!plane) return WHOLE;
    const reach = Math.abs(this.normal[0]) * this.sides[0] + Math.abs(this.normal[1]) * this.sides[1] + Math.abs(this.normal[2]) * this.sides[2];
    const offset = (Number(this.slider.value) / 1000 - 0.5) * reach * 0.9999;
    return [...(this.normal.map((part) => part * sign) as Vector), offset * sign];
  }

  private cutAgain(): void {
    const { plane } = this.shown, { solid, scene } = this, layers = this.record.layers.nodes;
    for (const mesh of this.cut ? [this.cut.fill, ...this.cut.lines] : []) mesh.free();
    this.cut = null;
    if (plane === "facing") this.normal = this.camera.frame[2];
    else if (plane) this.normal = [0, 1, 2].map((axis) => (axis === Number(plane) ? (axis === 1 ? -1 : 1) : 0)) as Vector;
    if (!plane || !solid) return;
    const [x, y, z, offset] = this.clip, section = solid.section([x, y, z], offset, 1 + solid.count), units = this.found.get("units")!;
    const byLayer: number[][] = Array.from({ length: layers.length + 1 }, () => []);
    section.polygons.forEach((polygon, i) => {
      const layer = units[polygon] ? layers.findIndex(({ stop }) => units[polygon] <= stop) : layers.length;
      byLayer[layer].push(...section.ends.subarray(6 * i, 6 * i + 6));
    });
    this.cut = { fill: scene.triangles(section.triangles), lines: byLayer.map((ends) => scene.lines(Float32Array.from(ends))) };
  }

  private changed(recolored: boolean): void {
    if (recolored) {
      const items = this.record.counts.items, pixels = new Uint32Array(items + 1);
      pixels.set(pixelsOf(this.record, this.found, this.tools.choices, items));
      pixels[items] = BOUNDARY;
      this.scene.recolor(pixels);
    }
    this.soon();
  }

  private soon(): void {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.render());
  }

  private later(): void {
    this.cutAgain();
    this.soon();
  }

  render(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { scene, camera, shown, cut, meshes } = this, { choices } = this.tools, dark = choices.dark, layers = this.record.layers.nodes.length;
    const paper = dark ? [0.082, 0.094, 0.11] : [1, 1, 1], ink = dark ? [0.9, 0.92, 0.94] : [0.1, 0.12, 0.14];
    scene.begin(camera, pixelRatio(), paper);
    this.paint(paper, false);
    if (shown.edges) scene.drawLines(meshes!.edges, camera, this.clip, ink, this.solid ? 0.55 : 0.35);
    if (cut && shown.items) cut.lines.forEach((lines, layer) => {
      if (layer === layers || choices.layers[layer]) scene.drawLines(lines, camera, WHOLE, layer === layers ? ink : lineColor(layer, layers, dark), 1);
    });
    this.overlay();
  }

  private paint(paper: number[], picking: boolean): void {
    const { scene, camera, shown, cut, meshes } = this, shade = this.record.solid ? 0.2 : 0.55;
    if (shown.items || !this.solid) scene.draw(meshes!.skin, camera, this.clip, paper, shade, picking);
    if (cut && shown.items) scene.draw(cut.fill, camera, WHOLE, paper, 0, picking);
    if (meshes!.surface && this.tools.choices.boundary) scene.draw(meshes!.surface, camera, WHOLE, paper, 0.6, picking);
  }

  private resize(): void {
    [this.camera.width, this.camera.height] = [this.stage.clientWidth, this.stage.clientHeight];
    Object.assign(this.scene.canvas.style, { width: `${this.camera.width}px`, height: `${this.camera.height}px` });
    fitted(this.over, this.camera.width, this.camera.height);
    this.render();
  }

  private overlay(): void {
    const context = cleared(this.over), { ink } = inks();
    this.marks(context);
    if (this.hovered >= 0) this.outline(context, this.hovered, ink, 1.5);
    if (this.keyed) crossed(context, this.centre);
    if (this.elsewhere) spot(context, ...(this.camera.project(this.placeOf(this.elsewhere.place)).slice(0, 2) as [number, number]), this.elsewhere.near, inks());
  }

  private get centre(): [number, number] {
    return [this.camera.width / 2, this.camera.height / 2];
  }

  /** What lies over the scene in pictures, too. */
  private marks(context: CanvasRenderingContext2D): void {
    for (const item of this.selection.cells) this.outline(context, item, inks().mark, 2.5);
    this.axes(context);
  }

  private outline(context: CanvasRenderingContext2D, item: number, color: string, width: number): void {
    context.strokeStyle = color;
    context.lineWidth = width;
    for (const polygon of this.solid ? this.solid.polygonsOf(item) : [item]) {
      context.beginPath();
      for (const corner of this.polygons.loop(polygon)) context.lineTo(...(this.camera.project(corner).slice(0, 2) as [number, number]));
      context.closePath();
      context.stroke();
    }
  }

  /** Names and ends of the three sides of the frame that are outermost on the screen. */
  private axes(context: CanvasRenderingContext2D): void {
    const { camera, record, sides } = this, { soft, ink, paper } = inks(), middle = camera.project([0, 0, 0]);
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    for (let axis = 0; axis < 3; axis++) {
      const [first, second] = [0, 1, 2].filter((k) => k !== axis), edges: [number[], number[], number][] = [];
      for (const a of [-0.5, 0.5]) for (const b of [-0.5, 0.5]) {
        const [low, high] = [-0.5, 0.5].map((end) => {
          const point = [0, 0, 0];
          point[axis] = end * sides[axis];
          point[first] = a * sides[first];
          point[second] = b * sides[second];
          return camera.project(point);
        });
        const x = (low[0] + high[0]) / 2 - middle[0], y = (low[1] + high[1]) / 2 - middle[1];
        edges.push([low, high, Math.hypot(x, y) + (axis === 2 ? -x : y)]);
      }
      const [low, high] = edges.sort((a, b) => b[2] - a[2])[0], outwards = (p: number[], by: number): [number, number] => {
        const x = (low[0] + high[0]) / 2 - middle[0], y = (low[1] + high[1]) / 2 - middle[1], length = Math.hypot(x, y) || 1;
        return [p[0] + (x / length) * by, p[1] + (y / length) * by + 4];
      };
      context.strokeStyle = soft;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(low[0], low[1]);
      context.lineTo(high[0], high[1]);
      context.stroke();
      context.strokeStyle = paper;
      context.fillStyle = soft;
      const { low: least, extent } = record.frame;
      haloed(context, placed(least[axis], extent[axis] / 100), ...outwards(low, 18));
      haloed(context, placed(least[axis] + extent[axis], extent[axis] / 100), ...outwards(high, 18));
      context.fillStyle = ink;
      haloed(context, record.axes[axis], ...outwards([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2], 26));
    }
    context.textAlign = "left";
  }

  /** Coordinates of the domain of a place in the scene, and back. */
  private coordinates(place: Vector): Vector {
    const { low, extent } = this.record.frame;
    return place.map((part, k) => low[k] + (part / this.sides[k] + 0.5) * extent[k]) as Vector;
  }

  private placeOf(point: number[]): Vector {
    const { low, extent } = this.record.frame;
    return point.map((part, k) => ((part - low[k]) / extent[k] - 0.5) * this.sides[k]) as Vector;
  }

  /** Number of the cell at a point of the domain, as in Python; -1 outside. */
  locate(point: number[]): number {
    return this.solid ? this.solid.locate(this.placeOf(point)) : -1;
  }

  /** What is seen at a place of the screen: the item, and the point of the domain. */
  seen(px: number, py: number): { item: number; at: Vector | null } {
    const pick = this.scene.picked(px, py, this.camera, () => this.paint([1, 1, 1], true)) - 1, { solid, polygons } = this, items = this.record.counts.items;
    if (pick < 0) return { item: -1, at: null };
    const meet = (normal: ArrayLike<number>, point: Vector) => {
      const ray = this.camera.ray(px, py), eye = this.camera.eye, share = dot(normal, minus(point, eye)) / dot(normal, ray);
      return this.coordinates([0, 1, 2].map((k) => eye[k] + share * ray[k]) as Vector);
    };
    if (pick < polygons.count) {
      const { normal, point } = polygons.plane(pick);
      return { item: solid ? solid.ownerOf(pick) : pick, at: meet(normal, point) };
    }
    if (pick < polygons.count + items) {
      const [x, y, z, offset] = this.clip;
      return { item: pick - polygons.count, at: meet([x, y, z], [x * offset, y * offset, z * offset]) };
    }
    const polygon = pick - polygons.count - items, { normal, point } = this.surface!.plane(polygon);
    return { item: this.found.get("surface.cells")![polygon], at: meet(normal, point) };
  }

  private point(place: [number, number] | null): void {
    const { item, at } = place ? this.seen(...place) : { item: -1, at: null }, moved = item !== this.hovered || !!this.elsewhere;
    this.pointer = place;
    this.elsewhere = null;
    this.link.tell({ point: at });
    this.hovered = item;
    if (moved) this.overlay();
    if (moved || (item >= 0 && this.record.maps)) this.tell();
  }

  /** What an item is: lines of a table, and its affine map by the coordinates. */
  about(item: number): { rows: [string, string][]; counts: number[]; map: AffineMap | null } {
    const { record, found } = this, rows: [string, string][] = [[record.solid ? "cell" : "polygon", `${item}${this.selection.cells.has(item) ? " (chosen)" : ""}`]];
    if (!record.solid) rows.push(["cell", String(found.get("cells")![item])]);
    if (record.classes) rows.push(["class", record.classes.names[found.get("classes")![item]]]);
    for (const measure of record.measures) rows.push([measure.label, toldOf(measure, found.get(`measure.${measure.key}`)![item])]);
    rows.push(["pattern", found.get("hashes")![item].toString(16).padStart(8, "0")]);
    const counts = record.layers.nodes.map((_, layer) => found.get(`counts.${layer}`)![item]);
    record.layers.nodes.forEach(({ name, start, stop }, layer) => rows.push([`layer ${name}`, `${counts[layer]} of ${stop - start} active`]));
    if (!record.maps) return { rows, counts, map: null };
    const A = found.get("maps.A")!, c = found.get("maps.c")!, n = record.outputs;
    const map = mapFrom(Array.from({ length: n }, (_, k) => Array.from(A.subarray(3 * (item * n + k), 3 * (item * n + k) + 3))), c.subarray(item * n, item * n + n), record.frame.low);
    const norm = rows.find(([label]) => label === record.measures.find(({ key }) => key === "norm")?.label);
    if (norm) norm[1] = told(spectral(map.A, record.units!));
    return { rows, counts, map };
  }

  private tell(): void {
    const item = this.hovered >= 0 ? this.hovered : this.selection.last;
    if (item < 0) return sayCell();
    const { rows, map } = this.about(item), at = item !== this.hovered ? null : this.pointer ? this.seen(...this.pointer).at : (this.elsewhere?.place ?? null);
    if (at) rows.splice(1, 0, ["at", this.placed(at)]);
    if (!map) return sayCell(tableOfRows(rows));
    const row = rows.findIndex(([label]) => label === "class"), values = at && map.at(Array.from(at));
    if (row >= 0 && values) rows.splice(row, 1, ["class of the cell", rows[row][1]], ["class here", this.record.classes!.names[values.indexOf(Math.max(...values))]]);
    const lines = map.A.slice(0, 12).map((row, k) => [map.A.length > 1 ? (this.record.classes?.names[k] ?? String(k)) : "output", values ? told(values[k]) : "", ...row.map((slope) => told(slope)), told(map.c[k])]);
    sayCell(tableOfRows(rows), tableOfRows([["output", at ? "here" : "", ...this.record.axes.map((name) => `· ${name}`), "+"], ...lines]));
  }

  /** A point with the digits that pixels tell apart. */
  private placed(at: ArrayLike<number>): string {
    const { extent } = this.record.frame, pixel = (0.7 * this.camera.distance) / Math.min(this.camera.width, this.camera.height);
    return Array.from(at, (part, axis) => placed(part, (pixel * extent[axis]) / this.sides[axis])).join(", ");
  }

  private find(text: string): string {
    const numbers = text.split(/[\s,;]+/).filter(Boolean).map(Number), items = this.record.counts.items;
    const item = numbers.length === 3 && this.solid ? this.locate(numbers) : numbers.length === 1 ? numbers[0] : NaN;
    if (Number.isNaN(item)) return `type the number of a ${this.solid ? "cell, or a point as x, y, z" : "polygon"}`;
    if (!(Number.isInteger(item) && item >= 0 && item < items)) return numbers.length === 3 ? "outside of the domain" : `no such ${this.solid ? "cell" : "polygon"}`;
    this.selection.choose([item]);
    this.selection.announce();
    this.hovered = -1;
    this.soon();
    this.tell();
    return "";
  }

  private png(): void {
    this.render();
    const marks = this.over.cloneNode() as HTMLCanvasElement;
    this.marks(cleared(marks));
    exportPng([this.scene.canvas, marks], this.camera, this.tools.keys);
  }

  private listen(): void {
    heard((numbers) => {
      this.selection.choose(numbers.filter((item) => item < this.record.counts.items));
      this.overlay();
      this.tell();
    });
    listen(this.stage, {
      point: (place) => this.point(place),
      click: (place, more) => {
        this.point(place);
        this.selection.click(this.hovered, more);
        this.link.tell({ choose: this.hovered < 0 ? null : this.seen(...place).at, more });
        this.overlay();
        this.tell();
      },
      drag: (dx, dy, other) => {
        if (other) this.camera.move(dx, dy);
        else this.camera.turn(dx, dy);
        this.soon();
      },
      zoom: (factor) => {
        this.camera.zoom(factor);
        this.soon();
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

  private key(key: string): boolean {
    const move = arrow(key);
    if (move) this.camera.turn(move[0] / 3, move[1] / 3);
    else if (key === "+" || key === "=") this.camera.zoom(1.25);
    else if (key === "-") this.camera.zoom(1 / 1.25);
    else if (key === "0") this.camera.reset();
    else if (key === "Escape") {
      this.selection.clear();
      this.link.tell({ choose: null });
      this.tell();
    } else return this.tools.key(key);
    this.render();
    if (key !== "Escape") this.point(this.centre);
    return true;
  }
}
