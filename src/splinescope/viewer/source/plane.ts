/* The cells of a plane, from few bytes or from plain arrays: rings, edges, neighbours, places. */

import { release, type Layer, type Numbers, type PlanarRecord } from "./data";
import { meshOf, type Mesh } from "./mesh";
import { FOLLOWS, opposites, placesOf, unitsOf } from "./places";
import { Range } from "./range";

const VALUES = FOLLOWS + 1, HILBERT_BITS = 10;

/** Positions as shares of the frame, in float64, which holds their 48 bits. */
export interface Points { x: Float64Array; y: Float64Array }

/**
 * Corners of each cell from `offsets` on, and the edge from each corner to the next; the two vertices of each edge, its
 * two cells (-1 outside), and its unit plus one (0 on the border).
 */
export interface Plane {
  offsets: Uint32Array; corners: Uint32Array; edgeOf: Uint32Array; ends: Uint32Array; sides: Int32Array; units: Uint32Array; vertices: Points;
}

/** How deep a point is inside a convex polygon: the least cross product over its sides, negative outside. */
export function depth({ x: xs, y: ys }: Points, corners: Uint32Array | null, start: number, stop: number, x: number, y: number): number {
  let least = Infinity;
  for (let at = start; at < stop; at++) {
    const next = at + 1 < stop ? at + 1 : start, a = corners ? corners[at] : at, b = corners ? corners[next] : next;
    const cross = (xs[b] - xs[a]) * (y - ys[a]) - (ys[b] - ys[a]) * (x - xs[a]);
    if (cross < least) least = cross;
  }
  return least;
}

export function offsetsOf(sizes: ArrayLike<number>): Uint32Array {
  const offsets = new Uint32Array(sizes.length + 1);
  for (let i = 0; i < sizes.length; i++) offsets[i + 1] = offsets[i] + sizes[i];
  return offsets;
}

/** Positions that were stored as whole numbers. */
export function points(found: Map<string, Numbers>, name: string, bits: number): Points {
  const scaled = (letter: string) => Float64Array.from(found.get(`${name}.${letter}`)!, (share) => share / (2 ** bits - 1));
  return { x: scaled("x"), y: scaled("y") };
}

/** Place of a point of a grid along a Hilbert curve, as the Python side has it. */
export function hilbert(x: number, y: number, bits: number): number {
  const most = (1 << bits) - 1;
  let place = 0;
  for (let side = 1 << (bits - 1); side > 0; side >>= 1) {
    const right = (x & side) > 0, upper = (y & side) > 0;
    place += side * side * ((right ? 3 : 0) ^ (upper ? 1 : 0));
    if (upper) continue;
    if (right) [x, y] = [most - x, most - y];
    [x, y] = [y, x];
  }
  return place;
}

export function planeOf(record: PlanarRecord, found: Map<string, Numbers>): Plane {
  return record.coding.coded ? codedPlane(record, found) : plainPlane(record, found);
}

/** What was coded; measures are put into `found`, and the bytes are taken out of it. */
function codedPlane(record: PlanarRecord, found: Map<string, Numbers>): Plane {
  const { counts, coding, layers } = record, { bits, levels, measures } = coding, most = 2 ** bits - 1;
  const range = new Range(found.get("plane") as Uint8Array, VALUES + 4 * measures.length);
  found.delete("plane");
  const mesh = meshOf(range, counts), across = opposites(mesh), units = unitsOf(range, across, coding.unit_bits);
  const stops = layers.nodes.map(({ stop }: Layer) => stop), layerOf = new Int16Array((stops.at(-1) ?? 0) + 1).fill(-1);
  for (let unit = 1, layer = 0; unit < layerOf.length; unit++) {
    while (unit > stops[layer]) layer++;
    layerOf[unit] = layer;
  }
  const layersOf = Int16Array.from(units, (unit) => layerOf[unit]), places = placesOf(range, mesh, across, layersOf, most);
  const values = measures.map((_, number) => valuesOf(range, mesh, VALUES + 4 * number));
  const tiles = 2 ** Math.max(0, bits - HILBERT_BITS), tile = (share: number) => Math.floor(share / tiles);
  const order = sorted(Uint32Array.from(mesh.gates, (gate) => hilbert(tile(places.x[mesh.origins[gate]]), tile(places.y[mesh.origins[gate]]), HILBERT_BITS)), 4 ** HILBERT_BITS);
  measures.forEach((key, number) => {
    const stored = new Uint16Array(counts.cells);
    for (let cell = 0; cell < counts.cells; cell++) {
      const value = values[number][order[cell]];
      stored[cell] = value > levels ? 65535 : Math.round((value / levels) * 65534);
    }
    found.set(`measure.${key}`, stored);
  });
  const plane = paged(mesh, order, units, places, most);
  release(...Object.values(mesh).filter(ArrayBuffer.isView), places.x, places.y, units, layersOf, order, ...values);
  return plane;
}

/** A whole number of each face: the mean of those of its neighbours that are known, and what was told beside it. */
function valuesOf(range: Range, { gates, following, faces }: Mesh, model: number): Uint16Array {
  const values = new Uint16Array(gates.length);
  for (let face = 0; face < gates.length; face++) {
    let half = gates[face], known = 0, total = 0;
    do {
      const other = faces[half ^ 1];
      if (other >= 0 && other < face) {
        known++;
        total += values[other];
      }
      half = following[half];
    } while (half !== gates[face]);
    values[face] = (known ? Math.floor((2 * total + known) / (2 * known)) : 0) + range.signed(model + Math.min(known, 3));
  }
  return values;
}

/** The order of keys below `most`; of equal ones, as they are. */
function sorted(keys: Uint32Array, most: number): Uint32Array {
  const starts = new Uint32Array(most + 1), order = new Uint32Array(keys.length);
  for (const key of keys) starts[key + 1]++;
  for (let key = 0; key < most; key++) starts[key + 1] += starts[key];
  keys.forEach((key, i) => (order[starts[key]++] = i));
  return order;
}

/** Cells along the order; vertices and edges are numbered as they come up, so that neighbours are drawn together. */
function paged(mesh: Mesh, order: Uint32Array, units: Uint32Array, places: Points, most: number): Plane {
  const { gates, following, origins, faces } = mesh, count = origins.length / 2, rank = new Uint32Array(order.length);
  const offsets = new Uint32Array(order.length + 1), corners = new Uint32Array(origins.length - mesh.border), edgeOf = new Uint32Array(corners.length);
  const vertexAt = new Int32Array(places.x.length).fill(-1), edgeAt = new Int32Array(count).fill(-1);
  const x = new Float64Array(places.x.length), y = new Float64Array(places.x.length);
  const plane = { offsets, corners, edgeOf, ends: new Uint32Array(2 * count), sides: new Int32Array(2 * count).fill(-1), units: new Uint32Array(count), vertices: { x, y } };
  let at = 0, vertices = 0, edges = 0;
  order.forEach((face, cell) => (rank[face] = cell));
  for (let cell = 0; cell < order.length; cell++) {
    let half = gates[order[cell]];
    do {
      const vertex = origins[half], edge = half >> 1;
      if (vertexAt[vertex] < 0) {
        vertexAt[vertex] = vertices;
        x[vertices] = places.x[vertex] / most;
        y[vertices++] = places.y[vertex] / most;
      }
      if (edgeAt[edge] < 0) {
        edgeAt[edge] = edges;
        plane.units[edges] = units[edge];
        plane.sides[2 * edges] = cell;
        if (faces[half ^ 1] >= 0) plane.sides[2 * edges + 1] = rank[faces[half ^ 1]];
        edges++;
      }
      corners[at] = vertexAt[vertex];
      edgeOf[at++] = edgeAt[edge];
      half = following[half];
    } while (half !== gates[order[cell]]);
    offsets[cell + 1] = at;
  }
  for (let edge = 0; edge < count; edge++) for (const end of [0, 1]) plane.ends[2 * edgeAt[edge] + end] = vertexAt[origins[2 * edge + end]];
  release(vertexAt, edgeAt, rank);
  return plane;
}

/** What was stored as it is. */
function plainPlane(record: PlanarRecord, found: Map<string, Numbers>): Plane {
  const offsets = offsetsOf(found.get("sizes")!), corners = Uint32Array.from(found.get("corners")!), units = found.get("edge_units") as Uint32Array;
  let next = 0;
  for (let i = 0; i < corners.length; i++) corners[i] = corners[i] === 0 ? next++ : next - corners[i];
  const plane = {
    offsets, corners, edgeOf: new Uint32Array(corners.length), ends: new Uint32Array(2 * units.length),
    sides: new Int32Array(2 * units.length).fill(-1), units, vertices: points(found, "vertices", record.coding.bits),
  };
  findEdges(plane);
  return plane;
}

/** Edges in the order in which their sides come up; an open hash table from pairs of vertices. */
function findEdges({ offsets, corners, edgeOf, ends, sides, units }: Plane): void {
  let bits = 4;
  while (1 << bits < 2 * units.length) bits++;
  const table = new Int32Array(1 << bits).fill(-1), mask = (1 << bits) - 1;
  let edges = 0;
  for (let cell = 0; cell + 1 < offsets.length; cell++) {
    const start = offsets[cell], stop = offsets[cell + 1];
    for (let at = start; at < stop; at++) {
      const a = corners[at], b = corners[at + 1 < stop ? at + 1 : start], low = Math.min(a, b), high = Math.max(a, b);
      let place: number = (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)) >>> (32 - bits) & mask;
      while (table[place] >= 0 && (ends[2 * table[place]] !== low || ends[2 * table[place] + 1] !== high)) place = (place + 1) & mask;
      let edge = table[place] as number;
      if (edge < 0) {
        edge = edges++;
        table[place] = edge;
        ends[2 * edge] = low;
        ends[2 * edge + 1] = high;
        sides[2 * edge] = cell;
      } else sides[2 * edge + 1] = cell;
      edgeOf[at] = edge;
    }
  }
}

/** Pieces of the cells that the decision boundary cuts, and the boundary; their corners are mostly those of cells. */
export interface Pieces { offsets: Uint32Array; points: Points; boundary: Points }

const LONGEST = 1000;

export function piecesOf({ coding }: PlanarRecord, found: Map<string, Numbers>, plane: Plane): Pieces {
  const offsets = offsetsOf(found.get("pieces.sizes")!), owners = found.get("pieces.cells")!, fresh = points(found, "pieces", coding.bits);
  let known = 0;
  const placed = (codes: Numbers, ringOf: (at: number) => number): Points => {
    const x = new Float64Array(codes.length), y = new Float64Array(codes.length);
    for (let at = 0; at < codes.length; at++) {
      const code = codes[at], ring = code > 0 && code <= LONGEST, from = ring ? plane.vertices : fresh;
      const place = ring ? plane.corners[ringOf(at) + code - 1] : code ? known - (code - LONGEST) : known++;
      x[at] = from.x[place];
      y[at] = from.y[place];
    }
    return { x, y };
  };
  let piece = 0;
  const pieces = placed(found.get("pieces.codes")!, (at) => {
    while (at >= offsets[piece + 1]) piece++;
    return plane.offsets[owners[piece]];
  });
  return { offsets, points: pieces, boundary: placed(found.get("boundary.codes")!, () => 0) };
}
