/* What part of the plane is seen: a centre in shares of the frame, and pixels for each share. */

import type { Points } from "./plane";

export class View {
  x = 0.5;
  y = 0.5;
  /** CSS pixels for one share along the first axis. */
  scale = 1;
  width = 1;
  height = 1;

  /** `aspect` is the frame's height divided by its width. */
  constructor(readonly aspect: number) {}

  get scaleY(): number {
    return this.scale * this.aspect;
  }

  fit(): void {
    this.x = this.y = 0.5;
    this.scale = Math.min(this.width * 0.9, (this.height * 0.9) / this.aspect);
  }

  toScreen(x: number, y: number): [number, number] {
    return [this.width / 2 + (x - this.x) * this.scale, this.height / 2 - (y - this.y) * this.scaleY];
  }

  /** The same of one of many points. */
  place({ x, y }: Points, at: number): [number, number] {
    return this.toScreen(x[at], y[at]);
  }

  toShares(px: number, py: number): [number, number] {
    return [this.x + (px - this.width / 2) / this.scale, this.y - (py - this.height / 2) / this.scaleY];
  }

  move(dx: number, dy: number): void {
    this.x -= dx / this.scale;
    this.y += dy / this.scaleY;
  }

  /** Zoom about a place of the screen, at most to where 48 bits end. */
  zoom(factor: number, px = this.width / 2, py = this.height / 2): void {
    const [x, y] = this.toShares(px, py);
    const least = Math.min(this.width, this.height / this.aspect) / 4;
    this.scale = Math.max(least, Math.min(this.scale * factor, 2 ** 44));
    const [newX, newY] = this.toShares(px, py);
    this.x += x - newX;
    this.y += y - newY;
  }

  copy(): View {
    return Object.assign(new View(this.aspect), { x: this.x, y: this.y, scale: this.scale, width: this.width, height: this.height });
  }
}
