/* The complex in the page: rings, edges, neighbours, patterns, and which cell a point is in. */

import { mixed, type Layer, type Measure, type Numbers, type PlanarRecord } from "./data";
import { depth, type Plane, type Points } from "./plane";
import { planes } from "./reader";

export interface CellPattern { pieces: Uint8Array | null; hash: number; counts: number[] }

/** Colours of the palette of patterns. */
const PATTERN_COLORS = 13;
const known = new WeakMap<Map<string, Numbers>, Cells>();

export class Cells {
  readonly count: number;
  readonly offsets: Uint32Array;
  readonly corners: Uint32Array;
  readonly vertices: Points;
  readonly ends: Uint32Array;
  readonly sides: Int32Array;
  readonly units: Uint32Array;
  readonly edgeOf: Uint32Array;
  /** Made when they are first asked for. */
  private tree: Int32Array | null = null;
  private buckets: { side: number; starts: Uint32Array; cells: Uint32Array } | null = null;

  constructor(readonly record: PlanarRecord, readonly found: Map<string, Numbers>, readonly plane: Plane) {
    this.count = record.counts.cells;
    ({ offsets: this.offsets, corners: this.corners, vertices: this.vertices, ends: this.ends, sides: this.sides, units: this.units, edgeOf: this.edgeOf } = plane);
  }

  private get grid(): { side: number; starts: Uint32Array; cells: Uint32Array } {
    return (this.buckets ??= this.bucketed());
  }

  /** The edge through which a search from cell 0 came to each cell; null where units do not flip at edges. */
  private get parents(): Int32Array | null {
    return this.record.layers.flips ? (this.tree ??= this.spanned()) : null;
  }

  /** Find what colours are made of, where it is not stored. */
  need(color: string): void {
    const { found, record } = this, area = record.measures.find(({ key }) => key === "area");
    if (color === "pattern" && !found.has("pattern")) found.set("pattern", this.colored(found.get("root")!, found.get("color_steps")!));
    if (color === "area" && area && !found.has("measure.area")) found.set("measure.area", this.areas(area));
  }

  /** The same cells for the same arrays, with what was made when it was needed. */
  static of(record: PlanarRecord, found: Map<string, Numbers>): Cells {
    const cells = known.get(found) ?? new Cells(record, found, planes.get(found)!);
    known.set(found, cells);
    return cells;
  }

  /** Places of all patterns in their palette: a walk over all cells flips one unit at each edge. */
  private colored(root: Numbers, steps: Numbers): Uint8Array {
    const colors = new Uint8Array(this.count), pieces = Uint8Array.from(root), from = new Int32Array(this.count).fill(-2), at = this.offsets.slice(0, -1);
    let cell = 0, color = pieces.reduce((sum, piece, unit) => sum + (piece ? steps[unit] : 0), 0);
    const cross = (edge: number) => {
      const unit = this.units[edge] - 1;
      pieces[unit] ^= 1;
      color += pieces[unit] ? steps[unit] : -steps[unit];
    };
    if (this.count) [from[0], colors[0]] = [-1, color % PATTERN_COLORS];
    while (cell >= 0 && this.count) {
      if (at[cell] < this.offsets[cell + 1]) {
        const edge = this.edgeOf[at[cell]++], other = this.across(edge, cell);
        if (other < 0 || from[other] !== -2) continue;
        from[other] = edge;
        cross(edge);
        colors[other] = color % PATTERN_COLORS;
        cell = other;
      } else {
        const edge = from[cell];
        if (edge < 0) break;
        cross(edge);
        cell = this.across(edge, cell);
      }
    }
    return colors;
  }

  private spanned(): Int32Array {
    const parents = new Int32Array(this.count).fill(-2), queue = new Uint32Array(this.count);
    if (!this.count) return parents;
    parents[0] = -1;
    for (let head = 0, tail = 1; head < tail; head++) {
      const cell = queue[head];
      for (let at = this.offsets[cell]; at < this.offsets[cell + 1]; at++) {
        const other = this.across(this.edgeOf[at], cell);
        if (other < 0 || parents[other] !== -2) continue;
        parents[other] = this.edgeOf[at];
        queue[tail++] = other;
      }
    }
    return parents;
  }

  /** The cell beyond an edge, -1 outside. */
  across(edge: number, cell: number): number {
    return this.sides[2 * edge] === cell ? this.sides[2 * edge + 1] : this.sides[2 * edge];
  }

  layerOf(unit: number): number {
    return this.record.layers.nodes.findIndex((layer: Layer) => unit < layer.stop);
  }

  neighbours(cell: number): number {
    let number = 0;
    for (let at = this.offsets[cell]; at < this.offsets[cell + 1]; at++)
      if (this.across(this.edgeOf[at], cell) >= 0) number++;
    return number;
  }

  /** The activation pattern of a cell: units flip along the way from cell 0, or what the page was told. */
  pattern(cell: number): CellPattern {
    const layers = this.record.layers.nodes;
    const { parents } = this;
    if (!parents) {
      const counts = layers.map((_, number) => this.found.get(`counts.${number}`)![cell]);
      return { pieces: null, hash: this.found.get("hashes")![cell], counts };
    }
    const pieces = Uint8Array.from(this.found.get("root")!);
    let hash = this.record.layers.root_hash;
    for (let here = cell; parents[here] >= 0; ) {
      const edge: number = parents[here], unit = this.units[edge] - 1;
      pieces[unit] ^= 1;
      hash ^= mixed(unit);
      here = this.across(edge, here);
    }
    const counts = layers.map(({ start, stop }) => pieces.subarray(start, stop).reduce((sum, piece) => sum + piece, 0));
    return { pieces, hash: hash >>> 0, counts };
  }

  /** Cells by the squares of a grid that their boxes touch. */
  private bucketed(): { side: number; starts: Uint32Array; cells: Uint32Array } {
    const side = Math.max(1, Math.min(2048, Math.round(Math.sqrt(this.count)))), { corners, offsets, vertices } = this;
    const bucket = (share: number) => Math.max(0, Math.min(side - 1, Math.floor(share * side)));
    const boxes = new Uint16Array(4 * this.count), starts = new Uint32Array(side * side + 1);
    for (let cell = 0; cell < this.count; cell++) {
      let left = Infinity, bottom = Infinity, right = -Infinity, top = -Infinity;
      for (let at = offsets[cell]; at < offsets[cell + 1]; at++) {
        const x = vertices.x[corners[at]], y = vertices.y[corners[at]];
        if (x < left) left = x;
        if (x > right) right = x;
        if (y < bottom) bottom = y;
        if (y > top) top = y;
      }
      boxes[4 * cell] = bucket(left);
      boxes[4 * cell + 1] = bucket(right);
      boxes[4 * cell + 2] = bucket(bottom);
      boxes[4 * cell + 3] = bucket(top);
      for (let row = boxes[4 * cell + 2]; row <= boxes[4 * cell + 3]; row++) for (let column = boxes[4 * cell]; column <= boxes[4 * cell + 1]; column++) starts[row * side + column + 1]++;
    }
    for (let i = 0; i < side * side; i++) starts[i + 1] += starts[i];
    const cells = new Uint32Array(starts[side * side]), filled = starts.slice();
    for (let cell = 0; cell < this.count; cell++)
      for (let row = boxes[4 * cell + 2]; row <= boxes[4 * cell + 3]; row++) for (let column = boxes[4 * cell]; column <= boxes[4 * cell + 1]; column++) cells[filled[row * side + column]++] = cell;
    return { side, starts, cells };
  }

  /** The cell of a point in shares of the frame, -1 outside. */
  locate(x: number, y: number): number {
    if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1)) return -1;
    const { side, starts, cells } = this.grid;
    const bucket = Math.min(side - 1, Math.floor(y * side)) * side + Math.min(side - 1, Math.floor(x * side));
    let best = -1, deepest = -1e-15;
    for (let at = starts[bucket]; at < starts[bucket + 1]; at++) {
      const cell = cells[at], inside = depth(this.vertices, this.corners, this.offsets[cell], this.offsets[cell + 1], x, y);
      if (inside > deepest) [best, deepest] = [cell, inside];
    }
    return best;
  }

  /** Area of a cell in the domain's units. */
  area(cell: number): number {
    const start = this.offsets[cell], stop = this.offsets[cell + 1], { x, y } = this.vertices, origin = this.corners[start];
    let twice = 0;
    for (let at = start + 1; at < stop - 1; at++) {
      const a = this.corners[at], b = this.corners[at + 1];
      twice += (x[a] - x[origin]) * (y[b] - y[origin]) - (x[b] - x[origin]) * (y[a] - y[origin]);
    }
    return Math.max(0, (twice / 2) * this.record.frame.extent[0] * this.record.frame.extent[1]);
  }

  /** By how much the area of a cell may be off, as its corners are known to so many bits. */
  areaError(cell: number): number {
    const { corners, offsets, vertices: { x, y } } = this, { extent } = this.record.frame;
    let reach = 0;
    for (let at = offsets[cell]; at < offsets[cell + 1]; at++) {
      const a = corners[at], b = corners[at + 1 < offsets[cell + 1] ? at + 1 : offsets[cell]];
      reach += Math.abs(x[a] - x[b]) + Math.abs(y[a] - y[b]);
    }
    return (reach * extent[0] * extent[1]) / 2 ** (this.record.coding.bits + 1);
  }

  /** Areas of all cells, stored as the other measures are. */
  areas({ least, most, stored_as_logarithms, zeros }: Measure): Uint16Array {
    const stored = new Uint16Array(this.count);
    for (let cell = 0; cell < this.count; cell++) {
      const area = this.area(cell), number = stored_as_logarithms ? Math.log(area) : area, lowest = Number(zeros && area > 0);
      stored[cell] = Math.max(lowest, Math.min(65534, Math.round(((number - least) / (most - least || 1)) * 65534)));
    }
    return stored;
  }

  /** Mean of a cell's corners, in shares. */
  middle(cell: number): [number, number] {
    let x = 0, y = 0;
    const start = this.offsets[cell], stop = this.offsets[cell + 1];
    for (let at = start; at < stop; at++) {
      x += this.vertices.x[this.corners[at]];
      y += this.vertices.y[this.corners[at]];
    }
    return [x / (stop - start), y / (stop - start)];
  }
}
