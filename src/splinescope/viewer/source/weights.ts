/* The affine map of a cell from the network's weights and its pattern, for networks that are a chain of layers. */

import type { Numbers, WeightStage } from "./data";

export interface AffineMap { A: number[][]; c: number[] }

/** `pieces`: those of all units in the order of the layers. Each stage is a matrix and what its outputs then become. */
export function mapOfPattern(stages: WeightStage[], found: Map<string, Numbers>, pieces: Uint8Array): AffineMap {
  let columns: Float64Array[] = [], at = 0;
  stages.forEach(({ inputs, outputs, slopes, intercepts }, stage) => {
    const weights = found.get(`weights.${stage}`)!, offsets = found.get(`offsets.${stage}`)!;
    const moved = (stage ? columns : unit(inputs)).map((column, j, all) => {
      const into = new Float64Array(outputs);
      for (let row = 0; row < outputs; row++) {
        let sum = j === all.length - 1 ? offsets[row] : 0;
        for (let i = 0, from = row * inputs; i < inputs; i++) sum += weights[from + i] * column[i];
        into[row] = sum;
      }
      return into;
    });
    if (slopes && intercepts)
      for (let row = 0; row < outputs; row++) {
        const piece = pieces[at++], slope = of(slopes[piece], row), intercept = of(intercepts[piece], row);
        moved.forEach((column, j) => (column[row] = column[row] * slope + (j === moved.length - 1 ? intercept : 0)));
      }
    columns = moved;
  });
  const c = columns.pop()!;
  return { A: Array.from(c, (_, row) => columns.map((column) => column[row])), c: Array.from(c) };
}

/** Units along each coordinate, and the origin last. */
function unit(count: number): Float64Array[] {
  return Array.from({ length: count + 1 }, (_, j) => Float64Array.from({ length: count }, (_, i) => Number(i === j)));
}

const of = (table: number[], unit: number) => (table.length > 1 ? table[unit] : table[0]);
