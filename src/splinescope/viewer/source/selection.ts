/* Cells that were clicked; a notebook around the page is told of them, and may choose them itself. */

export class Selection {
  /** Positions in the page, in the order of the clicks; the last one is told when nothing is pointed at. */
  readonly cells = new Set<number>();

  constructor(private readonly numbered: (cell: number) => number) {}

  get last(): number {
    return [...this.cells].pop() ?? -1;
  }

  /** A click: on a chosen cell it is forgotten, else it is chosen, beside the others if `more`. */
  click(cell: number, more: boolean): void {
    const known = this.cells.has(cell);
    if (more && known) this.cells.delete(cell);
    else {
      if (!more) this.cells.clear();
      if (!known && cell >= 0) this.cells.add(cell);
    }
    this.announce();
  }

  choose(cells: number[]): void {
    this.cells.clear();
    for (const cell of cells) if (cell >= 0) this.cells.add(cell);
  }

  clear(): void {
    this.cells.clear();
    this.announce();
  }

  announce(): void {
    if (window.parent !== window) window.parent.postMessage({ splinescope: { selected: [...this.cells].map(this.numbered).filter((number) => number >= 0) } }, "*");
  }
}

/** What a page does when it is told from outside which cells are chosen, by their numbers in Python. */
export function heard(choose: (numbers: number[]) => void): void {
  window.addEventListener("message", (event) => {
    const told = (event.data as { splinescope?: { select?: unknown } } | null)?.splinescope?.select;
    if (Array.isArray(told)) choose(told.filter(Number.isInteger));
  });
}
