/* The class at a place: where the decision boundary cuts a cell, that of the piece in which the place lies. */

import type { Numbers } from "./data";
import { depth, type Points } from "./plane";

export class ClassAreas {
  private starts: Map<number, number[]> | null = null;

  /** Pieces from `offsets` on, with the cell that each is of; other cells have the class of their own in `whole`. */
  constructor(readonly offsets: Uint32Array, readonly points: Points, readonly classes: Numbers, private readonly owners: Numbers, private readonly whole: Numbers) {}

  private piecesOf(cell: number): number[] {
    if (!this.starts) {
      this.starts = new Map();
      for (let piece = 0; piece < this.owners.length; piece++) this.starts.set(this.owners[piece], [...(this.starts.get(this.owners[piece]) ?? []), piece]);
    }
    return this.starts.get(cell) ?? [];
  }

  /** All classes of a cell, that of its interior point first. */
  of(cell: number): number[] {
    return [...new Set([this.whole[cell], ...this.piecesOf(cell).map((piece) => this.classes[piece])])];
  }

  /** The class at a place in shares within a cell. */
  at(cell: number, x: number, y: number): number {
    let best = this.whole[cell], deepest = -Infinity;
    for (const piece of this.piecesOf(cell)) {
      const inside = depth(this.points, null, this.offsets[piece], this.offsets[piece + 1], x, y);
      if (inside > deepest) [best, deepest] = [this.classes[piece], inside];
    }
    return best;
  }
}
