/* Which cells share which edges: the other half of connectivity.py, where it is told how it works. */

import { release } from "./data";
import { MODEL, type Range } from "./range";

const COUNT = 0, BORDER_DEGREE = 1, DEGREE = 2, WALK = 3, GAP = 4, STEPS = 5, RING = 10;

/** Half-edges in pairs: where each starts, what follows it along the ring of the face to its left (-1 outside); and room. */
export interface Mesh {
  border: number; origins: Int32Array; following: Int32Array; faces: Int32Array; gates: Int32Array; degrees: Uint8Array; spare: Int32Array;
}

export function meshOf(range: Range, counts: { cells: number; edges: number; vertices: number }): Mesh {
  const halves = 2 * counts.edges, after = new Int32Array(halves).fill(-1), before = new Int32Array(halves), free = new Uint8Array(halves);
  const front = new Uint8Array(halves), origins = new Int32Array(halves), faces = new Int32Array(halves).fill(-1);
  const gates = new Int32Array(counts.cells), degrees = new Uint8Array(counts.vertices), waiting = new Int32Array(counts.edges);
  const border = range.number(COUNT);
  let edges = 0, found = 0, face = 0, top = 0;
  for (; edges < border; edges++) {
    const next = edges + 1 < border ? edges + 1 : 0;
    degrees[edges] = 2 + range.number(BORDER_DEGREE);
    origins[2 * edges] = edges;
    origins[2 * edges + 1] = next;
    after[2 * edges] = 2 * next;
    after[2 * next + 1] = 2 * edges + 1;
    before[2 * edges + 1] = 2 * next + 1;
    front[2 * edges + 1] = 1;
    waiting[top++] = 2 * edges + 1;
  }
  found = border;
  for (let edge = 0; edge < border; edge++) free[2 * edge + 1] = degrees[origins[2 * edge + 1]] - 2;
  let first = 0, last = 0, length = 0;
  const taken = () => {
    front[last] = 0;
    length++;
    while (free[after[last]] === 0 && after[last] !== first) {
      last = after[last];
      front[last] = 0;
      length++;
    }
  };
  const filled = (gate: number) => {
    let half = gate;
    do {
      faces[half] = face;
      half = after[half];
    } while (half !== gate);
    gates[face++] = gate;
  };
  while (top) {
    const gate = waiting[--top];
    if (!front[gate]) continue;
    first = last = gate;
    length = 0;
    taken();
    if (after[last] === first && free[first] === 0) {
      filled(gate);
      continue;
    }
    while (free[first] === 0) {
      first = before[first];
      front[first] = 0;
      length++;
    }
    const behind = before[first];
    let anchor = after[last], joint = true;
    for (;;) {
      const half = 2 * edges++, back = half + 1;
      const place = MODEL * STEPS + 2 * (4 * Math.min(length, RING) + (free[first] > 1 ? 2 : 0) + (free[anchor] > 1 ? 1 : 0));
      origins[half] = origins[anchor];
      front[back] = 1;
      waiting[top++] = back;
      length++;
      if (joint) free[anchor]--;
      after[last] = half;
      after[back] = anchor;
      before[anchor] = back;
      last = half;
      if (!range.bit(place)) {
        origins[back] = found;
        degrees[found] = 2 + range.number(DEGREE);
        free[back] = degrees[found++] - 2;
        anchor = back;
        joint = false;
        continue;
      }
      if (!range.bit(place + 1)) {
        origins[back] = origins[first];
        free[back] = free[first] - 1;
        after[behind] = back;
        before[back] = behind;
        after[half] = first;
        break;
      }
      const walk = range.number(WALK), gap = range.number(GAP);
      let wanted = walk & 1 ? behind : anchor;
      for (let step = walk >> 1; step > 0; step--) wanted = walk & 1 ? before[wanted] : after[wanted];
      origins[back] = origins[wanted];
      free[back] = free[wanted] - 1 - gap;
      after[before[wanted]] = back;
      before[back] = before[wanted];
      joint = true;
      if (gap) {
        free[wanted] = gap;
        anchor = wanted;
        continue;
      }
      after[half] = last = wanted;
      taken();
      anchor = after[last];
    }
    filled(gate);
  }
  release(free, front, waiting);
  return { border, origins, following: after, faces, gates, degrees, spare: before };
}
