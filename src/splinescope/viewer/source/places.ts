/* Units of edges and places of vertices: the other half of places.py, where it is told how it works. */

import { release } from "./data";
import type { Mesh } from "./mesh";
import { MODEL, type Range } from "./range";

export const ALONG = 6, ACROSS = 70, FOLLOWS = 86;
const NONE = 0, BENT = 1, STRAIGHT = 2, BETWEEN = 3;

export function opposites({ following, degrees, origins, border, spare }: Mesh): Int32Array {
  const found = spare.fill(-1);
  for (let half = 0; half < following.length; half++) {
    const degree = degrees[origins[half]];
    if (degree === 4) found[half] = following[following[half ^ 1] ^ 1];
    else if (degree === 3 && half >> 1 < border) {
      const other = following[half ^ 1];
      found[half] = other >> 1 >= border ? following[other ^ 1] : other;
    }
  }
  return found;
}

/** The unit of each edge plus one, 0 on the border. */
export function unitsOf(range: Range, across: Int32Array, bits: number): Uint32Array {
  const count = across.length / 2, first = new Int32Array(count), units = new Uint32Array(count);
  const root = (edge: number) => {
    while (first[edge] !== edge) edge = first[edge] = first[first[edge]];
    return edge;
  };
  for (let edge = 0; edge < count; edge++) first[edge] = edge;
  for (let half = 0; half < across.length; half++) {
    if (across[half] < 0) continue;
    const one = root(half >> 1), two = root(across[half] >> 1);
    if (one < two) first[two] = one;
    else first[one] = two;
  }
  for (let edge = 0; edge < count; edge++) {
    const start = root(edge);
    units[edge] = start !== edge && !range.bit(MODEL * FOLLOWS) ? units[start] : range.plain(bits);
  }
  release(first);
  return units;
}

/** Whole numbers from 0 to `most`. */
export function placesOf(range: Range, { origins, following, degrees }: Mesh, across: Int32Array, layers: Int16Array, most: number): { x: Float64Array; y: Float64Array } {
  const count = degrees.length, x = new Float64Array(count), y = new Float64Array(count), leaving = new Int32Array(count);
  for (let half = origins.length - 1; half >= 0; half--) leaving[origins[half]] = half;
  let best = new Float64Array(4), second = new Float64Array(4), line = new Float64Array(4);
  const onLine = (half: number, vertex: number): number => {
    const near = origins[half ^ 1], beside = across[half], layer = layers[half >> 1];
    if (near >= vertex) return NONE;
    if (beside >= 0) {
      const other = origins[beside ^ 1];
      if (other < vertex && layer <= layers[following[half ^ 1] >> 1] && (x[other] !== x[near] || y[other] !== y[near])) {
        line[0] = x[near];
        line[1] = y[near];
        line[2] = x[other] - x[near];
        line[3] = y[other] - y[near];
        return BETWEEN;
      }
    }
    const onward = across[half ^ 1];
    if (onward < 0) return NONE;
    const far = origins[onward ^ 1];
    if (far >= vertex || (x[far] === x[near] && y[far] === y[near])) return NONE;
    line[0] = x[near];
    line[1] = y[near];
    line[2] = x[near] - x[far];
    line[3] = y[near] - y[far];
    return layer <= layers[following[half] >> 1] ? STRAIGHT : BENT;
  };
  const within = (guess: number) => Math.floor(Math.min(Math.max(guess, 0), most) + 0.5);
  for (let vertex = 0; vertex < count; vertex++) {
    let sure = NONE, less = NONE, fold = -1, near = vertex - 1, half = leaving[vertex], far = 0, share = 1;
    do {
      const grade = onLine(half, vertex), spare = line;
      if (origins[half ^ 1] < vertex) near = origins[half ^ 1];
      if (grade > sure) {
        if (fold < 0 || across[half] !== fold) {
          line = second;
          second = best;
          less = sure;
        } else line = best;
        best = spare;
        sure = grade;
        fold = half;
      } else if (grade > less && across[half] !== fold) {
        line = second;
        second = spare;
        less = grade;
      }
      half = following[half ^ 1];
    } while (half !== leaving[vertex]);
    if (sure === NONE) {
      x[vertex] = (near < 0 ? 0 : x[near]) + range.signed(ALONG);
      y[vertex] = (near < 0 ? 0 : y[near]) + range.signed(ACROSS);
      continue;
    }
    if (sure === BETWEEN) share = 0.5;
    if (less !== NONE) {
      const met = meeting(best, second);
      if (met > 0) {
        share = met;
        far = reach(met);
      } else less = NONE;
    }
    const wide = Math.abs(best[2]) >= Math.abs(best[3]) ? 0 : 1, along = wide ? y : x, beside = wide ? x : y, from = best[wide], step = best[2 + wide];
    along[vertex] = within(from + share * step) + range.signed(ALONG + 16 * far + 4 * sure + less);
    share = (along[vertex] - from) / step;
    beside[vertex] = within(best[1 - wide] + share * best[3 - wide]) + range.signed(ACROSS + 4 * reach(share) + sure);
  }
  release(leaving);
  return { x, y };
}

/** How far along the first of two lines they meet, in its direction's lengths; negative where they hardly do. */
function meeting(one: Float64Array, two: Float64Array): number {
  const cross = one[2] * two[3] - one[3] * two[2], size = (Math.abs(one[2]) + Math.abs(one[3])) * (Math.abs(two[2]) + Math.abs(two[3]));
  if (Math.abs(cross) <= 1e-4 * size) return -1;
  const share = ((two[0] - one[0]) * two[3] - (two[1] - one[1]) * two[2]) / cross;
  return share < 64 ? share : -1;
}

function reach(share: number): number {
  const size = Math.abs(share);
  return size < 1 ? 0 : size < 4 ? 1 : size < 16 ? 2 : 3;
}
