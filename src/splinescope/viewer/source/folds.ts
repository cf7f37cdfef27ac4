/* Lines to draw: a fold runs straight on where it crosses one of the same or a later layer, so most edges join up. */

import type { Cells } from "./cells";
import { release } from "./data";

/** Pairs of vertices: the border's edges one by one, and the straight runs of each layer's folds. */
export interface Folds { border: Uint32Array; layers: Uint32Array[] }

export function foldsOf(cells: Cells): Folds {
  const { units, ends } = cells, count = cells.record.layers.nodes.length, layerOf = new Uint16Array((cells.record.layers.nodes.at(-1)?.stop ?? 0) + 1);
  cells.record.layers.nodes.forEach(({ start, stop }, layer) => layerOf.fill(layer, start + 1, stop + 1));
  layerOf[0] = count;
  const onward = joints(cells, layerOf), seen = new Uint8Array(units.length), lists = Array.from({ length: count + 1 }, () => new Uint32Array(64)), filled = new Uint32Array(count + 1);
  /** The side of a run's last edge at which it ends, from one of its edges out through a side. */
  const last = (side: number) => {
    while (onward[side] >= 0 && !seen[onward[side] >> 1]) {
      seen[onward[side] >> 1] = 1;
      side = onward[side] ^ 1;
    }
    return side;
  };
  for (let edge = 0; edge < units.length; edge++) {
    if (seen[edge]) continue;
    seen[edge] = 1;
    const layer = layerOf[units[edge]], at = filled[layer];
    if (at === lists[layer].length) {
      const longer = new Uint32Array(2 * at);
      longer.set(lists[layer]);
      release(lists[layer]);
      lists[layer] = longer;
    }
    lists[layer][at] = ends[last(2 * edge)];
    lists[layer][at + 1] = ends[last(2 * edge + 1)];
    filled[layer] += 2;
  }
  const found = lists.map((list, layer) => list.slice(0, filled[layer]));
  release(onward, seen, ...lists);
  return { border: found.pop()!, layers: found };
}

/** For each side of each edge, that of the edge with which it runs straight on there, -1 for none. */
function joints({ units, ends, vertices, record }: Cells, layerOf: Uint16Array): Int32Array {
  const onward = new Int32Array(ends.length).fill(-1), { x, y } = vertices, at = new Int32Array(4 * x.length), degrees = new Uint8Array(x.length);
  const near = 16 / 2 ** record.coding.bits;
  for (let side = 0; side < ends.length; side++) if (degrees[ends[side]]++ < 4) at[4 * ends[side] + degrees[ends[side]] - 1] = side;
  const join = (one: number, two: number, vertex: number) => {
    const a = ends[one ^ 1], b = ends[two ^ 1], dx = x[b] - x[a], dy = y[b] - y[a];
    if (Math.abs(dx * (y[vertex] - y[a]) - dy * (x[vertex] - x[a])) > near * (Math.abs(dx) + Math.abs(dy))) return;
    onward[one] = two;
    onward[two] = one;
  };
  for (let vertex = 0; vertex < x.length; vertex++) {
    if (degrees[vertex] !== 4) continue;
    const first = at[4 * vertex], unit = units[first >> 1];
    let partner = 1;
    while (partner < 4 && units[at[4 * vertex + partner] >> 1] !== unit) partner++;
    if (partner === 4) continue;
    const one = at[4 * vertex + (partner === 1 ? 2 : 1)], two = at[4 * vertex + (partner === 3 ? 2 : 3)], other = units[one >> 1];
    if (other !== units[two >> 1] || other === unit) continue;
    if (layerOf[unit] <= layerOf[other]) join(first, at[4 * vertex + partner], vertex);
    if (layerOf[other] <= layerOf[unit]) join(one, two, vertex);
  }
  release(at, degrees);
  return onward;
}
