/* The complex in the page: rings, edges, neighbours, patterns, and which cell a point is in. */

import { mixed, type Layer, type Measure, type Numbers, type PlanarRecord } from "./data";

export const SHARE = 2 ** 48 - 1;

/** Positions as shares of the frame, in float64, which holds their 48 bits. */
export interface Points { x: Float64Array; y: Float64Array }

export function points(found: Map<string, Numbers>, name: string): Points {
  const scaled = (letter: string) => {
    const key = `${name}.${letter}`, shares = `${key} as shares`, numbers = found.get(key) as Float64Array;
    if (!found.has(shares)) for (let i = 0; i < numbers.length; i++) numbers[i] /= SHARE;
    found.set(shares, numbers);
    return numbers;
  };
  return { x: scaled("x"), y: scaled("y") };
}

export function offsetsOf(sizes: ArrayLike<number>): Uint32Array {
  const offsets = new Uint32Array(sizes.length + 1);
  for (let i = 0; i < sizes.length; i++) offsets[i + 1] = offsets[i] + sizes[i];
  return offsets;
}

export interface CellPattern { pieces: Uint8Array | null; hash: number; counts: number[] }

export class Cells {
  readonly count: number;
  readonly offsets: Uint32Array;
  readonly corners: Uint32Array;
  readonly vertices: Points;
  /** The two vertices of each edge, its two cells (-1 outside), and its unit plus one (0 on the border). */
  readonly ends: Uint32Array;
  readonly sides: Int32Array;
  readonly units: Uint32Array;
  /** Edge of each side of each ring, from a corner to the next. */
  readonly edgeOf: Uint32Array;
  private readonly parents: Int32Array | null;
  private readonly grid: { side: number; starts: Uint32Array; cells: Uint32Array };

  constructor(readonly record: PlanarRecord, readonly found: Map<string, Numbers>) {
    this.count = record.counts.cells;
    this.offsets = offsetsOf(found.get("sizes")!);
    this.corners = this.renumbered(found.get("corners") as Uint32Array);
    this.vertices = points(found, "vertices");
    this.units = (found.get("edge_units") as Uint32Array).slice();
    this.ends = new Uint32Array(2 * this.units.length);
    this.sides = new Int32Array(2 * this.units.length).fill(-1);
    this.edgeOf = new Uint32Array(this.corners.length);
    this.findEdges();
    this.followFolds();
    this.parents = record.layers.flips ? this.spanned() : null;
    this.grid = this.bucketed();
  }

  private renumbered(codes: Uint32Array): Uint32Array {
    let next = 0;
    const corners = new Uint32Array(codes.length);
    for (let i = 0; i < codes.length; i++) {
      corners[i] = next - codes[i];
      if (codes[i] === 0) next++;
    }
    return corners;
  }

  /** Edges in the order in which their sides come up; an open hash table from pairs of vertices. */
  private findEdges(): void {
    let bits = 4;
    while (1 << bits < 2 * this.units.length) bits++;
    const table = new Int32Array(1 << bits).fill(-1), mask = (1 << bits) - 1;
    let edges = 0;
    for (let cell = 0; cell < this.count; cell++) {
      const start = this.offsets[cell], stop = this.offsets[cell + 1];
      for (let at = start; at < stop; at++) {
        const a = this.corners[at], b = this.corners[at + 1 < stop ? at + 1 : start];
        const low = Math.min(a, b), high = Math.max(a, b);
        let place: number = (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)) >>> (32 - bits) & mask;
        while (table[place] >= 0 && (this.ends[2 * table[place]] !== low || this.ends[2 * table[place] + 1] !== high))
          place = (place + 1) & mask;
        let edge = table[place] as number;
        if (edge < 0) {
          edge = edges++;
          table[place] = edge;
          this.ends[2 * edge] = low;
          this.ends[2 * edge + 1] = high;
          this.sides[2 * edge] = cell;
        } else this.sides[2 * edge + 1] = cell;
        this.edgeOf[at] = edge;
      }
    }
  }

  /** Units of the edges: 0 is stored for that of the first edge of the same fold, else the unit plus one. */
  private followFolds(): void {
    const { ends, sides, units } = this, count = this.vertices.x.length;
    const at = new Uint32Array(4 * count), degrees = new Uint32Array(count), first = Uint32Array.from(units, (_, edge) => edge);
    for (let side = 0; side < ends.length; side++) if (degrees[ends[side]]++ < 4) at[4 * ends[side] + degrees[ends[side]] - 1] = side >> 1;
    const found = (edge: number) => {
      while (first[edge] !== edge) edge = first[edge] = first[first[edge]];
      return edge;
    };
    const touch = (cell: number, other: number) => cell >= 0 && (sides[2 * other] === cell || sides[2 * other + 1] === cell);
    for (let vertex = 0; vertex < count; vertex++) {
      if (degrees[vertex] !== 4) continue;
      for (let i = 0; i < 3; i++)
        for (let j = i + 1; j < 4; j++) {
          const a = at[4 * vertex + i], b = at[4 * vertex + j];
          if (touch(sides[2 * a], b) || touch(sides[2 * a + 1], b)) continue;
          const one = found(a), two = found(b);
          first[Math.max(one, two)] = Math.min(one, two);
        }
    }
    for (let edge = 0; edge < units.length; edge++) units[edge] = units[edge] ? units[edge] - 1 : units[found(edge)];
  }

  /** The edge through which a search from cell 0 came to each cell. */
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
    if (!this.parents) {
      const counts = layers.map((_, number) => this.found.get(`counts.${number}`)![cell]);
      return { pieces: null, hash: this.found.get("hashes")![cell], counts };
    }
    const pieces = Uint8Array.from(this.found.get("root")!);
    let hash = this.record.layers.root_hash;
    for (let here = cell; this.parents[here] >= 0; ) {
      const edge: number = this.parents[here], unit = this.units[edge] - 1;
      pieces[unit] ^= 1;
      hash ^= mixed(unit);
      here = this.across(edge, here);
    }
    const counts = layers.map(({ start, stop }) => pieces.subarray(start, stop).reduce((sum, piece) => sum + piece, 0));
    return { pieces, hash: hash >>> 0, counts };
  }

  private box(cell: number): [number, number, number, number] {
    let left = Infinity, bottom = Infinity, right = -Infinity, top = -Infinity;
    for (let at = this.offsets[cell]; at < this.offsets[cell + 1]; at++) {
      const x = this.vertices.x[this.corners[at]], y = this.vertices.y[this.corners[at]];
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < bottom) bottom = y;
      if (y > top) top = y;
    }
    return [left, bottom, right, top];
  }

  private bucketed(): Cells["grid"] {
    const side = Math.max(1, Math.min(2048, Math.round(Math.sqrt(this.count))));
    const bucket = (share: number) => Math.max(0, Math.min(side - 1, Math.floor(share * side)));
    const starts = new Uint32Array(side * side + 1);
    const each = (visit: (bucket: number, cell: number) => void) => {
      for (let cell = 0; cell < this.count; cell++) {
        const [left, bottom, right, top] = this.box(cell).map(bucket);
        for (let row = bottom; row <= top; row++) for (let column = left; column <= right; column++) visit(row * side + column, cell);
      }
    };
    each((at) => starts[at + 1]++);
    for (let i = 0; i < side * side; i++) starts[i + 1] += starts[i];
    const cells = new Uint32Array(starts[side * side]), filled = starts.slice();
    each((at, cell) => (cells[filled[at]++] = cell));
    return { side, starts, cells };
  }

  /** How deep a point is inside a cell: the least cross product over its sides, negative outside. */
  private depth(cell: number, x: number, y: number): number {
    const start = this.offsets[cell], stop = this.offsets[cell + 1];
    let least = Infinity;
    for (let at = start; at < stop; at++) {
      const a = this.corners[at], b = this.corners[at + 1 < stop ? at + 1 : start];
      const ax = this.vertices.x[a], ay = this.vertices.y[a];
      const cross = (this.vertices.x[b] - ax) * (y - ay) - (this.vertices.y[b] - ay) * (x - ax);
      if (cross < least) least = cross;
    }
    return least;
  }

  /** The cell of a point in shares of the frame, -1 outside. */
  locate(x: number, y: number): number {
    if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1)) return -1;
    const { side, starts, cells } = this.grid;
    const bucket = Math.min(side - 1, Math.floor(y * side)) * side + Math.min(side - 1, Math.floor(x * side));
    let best = -1, deepest = -1e-15;
    for (let at = starts[bucket]; at < starts[bucket + 1]; at++) {
      const depth = this.depth(cells[at], x, y);
      if (depth > deepest) [best, deepest] = [cells[at], depth];
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

  /** Areas of all cells, stored as the other measures are. */
  areas({ least, most, stored_as_logarithms }: Measure): Uint32Array {
    const stored = new Uint32Array(this.count);
    for (let cell = 0; cell < this.count; cell++) {
      const area = this.area(cell), number = stored_as_logarithms ? Math.log(area) : area;
      stored[cell] = Math.max(0, Math.min(65534, Math.round(((number - least) / (most - least || 1)) * 65534)));
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
