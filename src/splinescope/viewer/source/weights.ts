/* The affine map of a cell from the network's weights and its pattern, for networks that are a chain of layers. */

import type { Numbers, WeightStage } from "./data";

export interface AffineMap { A: number[][]; c: number[]; at(point: number[]): number[] }

/** The map with slopes A that has the values `start` at a corner `low` near its cell, so that outputs keep their digits far from zero. */
export function mapFrom(A: number[][], start: ArrayLike<number>, low: number[]): AffineMap {
  const at = (point: number[]) => A.map((row, k) => row.reduce((sum, slope, i) => sum + slope * (point[i] - low[i]), start[k]));
  return { A, c: at(low.map(() => 0)), at };
}

/** `pieces`: those of all units in the order of the layers. Each stage is a matrix and what its outputs then become. */
export function mapOfPattern(stages: WeightStage[], found: Map<string, Numbers>, pieces: Uint8Array, low: number[]): AffineMap {
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
  return mapFrom(Array.from(c, (_, row) => columns.map((column) => column[row])), c, low);
}

/** Units along each coordinate, and the origin last. */
function unit(count: number): Float64Array[] {
  return Array.from({ length: count + 1 }, (_, j) => Float64Array.from({ length: count }, (_, i) => Number(i === j)));
}

const of = (table: number[], unit: number) => (table.length > 1 ? table[unit] : table[0]);

/** Largest singular value of the slopes A U, by rotations of their Gram matrix until it is diagonal. */
export function spectral(A: number[][], units: number[][]): number {
  const n = units.length, rows = A.map((row) => units.map((_, j) => row.reduce((sum, slope, i) => sum + slope * units[i][j], 0)));
  const most = Math.max(1e-300, ...rows.flat().map(Math.abs)), gram = units.map((_, i) => units.map((_, j) => rows.reduce((sum, row) => sum + (row[i] / most) * (row[j] / most), 0)));
  for (let sweep = 0; sweep < 12; sweep++)
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) {
      if (!gram[p][q]) continue;
      const half = (gram[q][q] - gram[p][p]) / (2 * gram[p][q]), t = Math.sign(half || 1) / (Math.abs(half) + Math.hypot(1, half)), c = 1 / Math.hypot(1, t), s = t * c;
      for (const row of gram) [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]];
      [gram[p], gram[q]] = [gram[p].map((part, k) => c * part - s * gram[q][k]), gram[q].map((part, k) => s * gram[p][k] + c * part)];
    }
  return most * Math.sqrt(Math.max(0, ...gram.map((row, i) => row[i])));
}
