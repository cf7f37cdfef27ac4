/* Polygons in space: cells with all of their facets, or a surface; sections by a plane, and which cell a point is in. */

import { offsetsOf } from "./plane";
import { cross, dot, minus, type Vector } from "./camera";
import type { Numbers } from "./data";

const SHARE = 2 ** 32 - 1;

/** Triangles with the item that colours each and the number by which it is picked. */
export interface Triangles { positions: Float32Array; items: Uint32Array; picks: Uint32Array }

export class Polygons {
  readonly vertices: Float64Array;
  readonly offsets: Uint32Array;
  readonly corners: Numbers;

  /** Vertices become positions about the middle of the frame, in units of its longest side. */
  constructor(found: Map<string, Numbers>, name: string, sides: number[]) {
    const axes = ["x", "y", "z"].map((letter) => found.get(`${name}.${letter}`)!), count = axes[0].length;
    this.vertices = new Float64Array(3 * count);
    axes.forEach((axis, k) => {
      for (let i = 0; i < count; i++) this.vertices[3 * i + k] = (axis[i] / SHARE - 0.5) * sides[k];
    });
    this.offsets = offsetsOf(found.get(`${name}.sizes`)!);
    this.corners = found.get(`${name}.corners`)!;
  }

  get count(): number {
    return this.offsets.length - 1;
  }

  at(vertex: number): Vector {
    return [this.vertices[3 * vertex], this.vertices[3 * vertex + 1], this.vertices[3 * vertex + 2]];
  }

  loop(polygon: number): Vector[] {
    return Array.from(this.corners.subarray(this.offsets[polygon], this.offsets[polygon + 1]), (vertex) => this.at(vertex));
  }

  /** A normal (Newell's, of the length of twice the area) and a point of a polygon. */
  plane(polygon: number): { normal: Vector; point: Vector } {
    const loop = this.loop(polygon), point = loop[0], normal: Vector = [0, 0, 0];
    for (let i = 1; i + 1 < loop.length; i++) cross(minus(loop[i], point), minus(loop[i + 1], point)).forEach((part, k) => (normal[k] += part));
    return { normal, point };
  }

  triangles(which: ArrayLike<number>, itemOf: (polygon: number) => number, firstPick: number): Triangles {
    let count = 0;
    for (let i = 0; i < which.length; i++) count += Math.max(0, this.offsets[which[i] + 1] - this.offsets[which[i]] - 2);
    const found = { positions: new Float32Array(9 * count), items: new Uint32Array(3 * count), picks: new Uint32Array(3 * count) };
    let at = 0;
    for (let i = 0; i < which.length; i++) {
      const polygon = which[i], start = this.offsets[polygon], item = itemOf(polygon);
      for (let next = start + 1; next < this.offsets[polygon + 1] - 1; next++)
        for (const place of [start, next, next + 1]) {
          found.positions.set(this.vertices.subarray(3 * this.corners[place], 3 * this.corners[place] + 3), 3 * at);
          found.items[at] = item;
          found.picks[at++] = firstPick + polygon;
        }
    }
    return found;
  }

  /** Ends of the sides of some polygons. */
  sides(which: ArrayLike<number>): Float32Array {
    const ends: number[] = [];
    for (let i = 0; i < which.length; i++) {
      const start = this.offsets[which[i]], stop = this.offsets[which[i] + 1];
      for (let at = start; at < stop; at++) ends.push(...this.at(this.corners[at]), ...this.at(this.corners[at + 1 < stop ? at + 1 : start]));
    }
    return Float32Array.from(ends);
  }
}

/** The section of cells by a plane: fans of triangles, and the lines between cells with the polygon that made each. */
export interface Section { triangles: Triangles; ends: Float32Array; polygons: Uint32Array }

export class Cells3 extends Polygons {
  /** The cells on both sides of each polygon, plus one; zero outside. */
  readonly sidesOf: [Numbers, Numbers];
  readonly ofCell: { starts: Uint32Array; polygons: Uint32Array };
  readonly cells: number;

  constructor(found: Map<string, Numbers>, sides: number[], cells: number) {
    super(found, "vertices", sides);
    this.cells = cells;
    this.sidesOf = [found.get("sides.0")!, found.get("sides.1")!];
    const sizes = new Uint32Array(cells), each = (visit: (cell: number, polygon: number) => void) => {
      for (const column of this.sidesOf) for (let polygon = 0; polygon < column.length; polygon++) if (column[polygon]) visit(column[polygon] - 1, polygon);
    };
    each((cell) => sizes[cell]++);
    const starts = offsetsOf(sizes), polygons = new Uint32Array(starts[cells]), filled = starts.slice();
    each((cell, polygon) => (polygons[filled[cell]++] = polygon));
    this.ofCell = { starts, polygons };
  }

  polygonsOf(cell: number): Uint32Array {
    return this.ofCell.polygons.subarray(this.ofCell.starts[cell], this.ofCell.starts[cell + 1]);
  }

  /** Polygons with nothing on one side. */
  outer(): Uint32Array {
    return Uint32Array.from(this.sidesOf[0].keys()).filter((polygon) => !this.sidesOf[0][polygon] || !this.sidesOf[1][polygon]);
  }

  ownerOf(polygon: number): number {
    return (this.sidesOf[0][polygon] || this.sidesOf[1][polygon]) - 1;
  }

  /** Cells are convex: their section is a fan from any of its corners over the lines that their polygons leave. */
  section(normal: Vector, offset: number, firstPick: number): Section {
    const height = new Float64Array(this.vertices.length / 3), ends: number[] = [], polygons: number[] = [];
    for (let i = 0; i < height.length; i++) height[i] = this.vertices[3 * i] * normal[0] + this.vertices[3 * i + 1] * normal[1] + this.vertices[3 * i + 2] * normal[2] - offset;
    for (let polygon = 0; polygon < this.count; polygon++) {
      const start = this.offsets[polygon], stop = this.offsets[polygon + 1];
      for (let at = start; at < stop; at++) {
        const a = this.corners[at], b = this.corners[at + 1 < stop ? at + 1 : start];
        if (height[a] >= 0 === height[b] >= 0) continue;
        const share = height[a] / (height[a] - height[b]);
        for (let k = 0; k < 3; k++) ends.push(this.vertices[3 * a + k] + share * (this.vertices[3 * b + k] - this.vertices[3 * a + k]));
      }
      if (ends.length > 6 * polygons.length) {
        ends.length = 6 * (polygons.length + 1);
        polygons.push(polygon);
      }
    }
    return { triangles: this.fans(ends, polygons, firstPick), ends: Float32Array.from(ends), polygons: Uint32Array.from(polygons) };
  }

  private fans(ends: number[], polygons: number[], firstPick: number): Triangles {
    const apex = new Int32Array(this.cells).fill(-1), positions: number[] = [], items: number[] = [];
    polygons.forEach((polygon, line) => {
      for (const column of this.sidesOf) {
        const cell = column[polygon] - 1;
        if (cell < 0) continue;
        if (apex[cell] < 0) {
          apex[cell] = line;
          continue;
        }
        positions.push(...ends.slice(6 * apex[cell], 6 * apex[cell] + 3), ...ends.slice(6 * line, 6 * line + 6));
        items.push(cell, cell, cell);
      }
    });
    return { positions: Float32Array.from(positions), items: Uint32Array.from(items), picks: Uint32Array.from(items, (cell) => firstPick + cell) };
  }

  /** The cell that a point is in, -1 outside: where it is least far beyond a facet. */
  locate(point: Vector): number {
    const reach = new Float64Array(this.cells).fill(-Infinity), middles = this.middles();
    for (let polygon = 0; polygon < this.count; polygon++) {
      const { normal, point: on } = this.plane(polygon), length = Math.hypot(...normal) || 1, height = dot(minus(point, on), normal) / length;
      for (const column of this.sidesOf) {
        const cell = column[polygon] - 1;
        if (cell < 0) continue;
        const inside = dot(minus(middles[cell], on), normal), beyond = inside > 0 ? -height : height;
        if (beyond > reach[cell]) reach[cell] = beyond;
      }
    }
    let best = -1, least = 1e-9;
    for (let cell = 0; cell < this.cells; cell++) if (reach[cell] < least) [best, least] = [cell, reach[cell]];
    return best;
  }

  private known: Vector[] | null = null;

  /** Means of the corners of each cell's facets: points inside. */
  private middles(): Vector[] {
    this.known ??= Array.from({ length: this.cells }, (_, cell) => {
      const sum: Vector = [0, 0, 0];
      let count = 0;
      for (const polygon of this.polygonsOf(cell))
        for (const corner of this.loop(polygon)) {
          corner.forEach((part, k) => (sum[k] += part));
          count++;
        }
      return sum.map((part) => part / count) as Vector;
    });
    return this.known;
  }
}
