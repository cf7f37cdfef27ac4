/* Where a scene in space is looked at from: a turn about its middle, a distance, and a shift. */

export type Vector = [number, number, number];

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const minus = (a: ArrayLike<number>, b: ArrayLike<number>): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const cross = (a: ArrayLike<number>, b: ArrayLike<number>): Vector => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

const LENS = 3;

export class Camera {
  yaw = 0.75;
  pitch = 0.45;
  distance = 3.6;
  shift: Vector = [0, 0, 0];
  width = 1;
  height = 1;

  /** Directions to the right, up, and towards the eye. */
  get frame(): [Vector, Vector, Vector] {
    const { yaw, pitch } = this, [s, c, u, v] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
    return [[c, s, 0], [-s * u, c * u, v], [s * v, -c * v, u]];
  }

  get eye(): Vector {
    const towards = this.frame[2];
    return [0, 1, 2].map((i) => this.shift[i] + towards[i] * this.distance) as Vector;
  }

  /** Pixels of a length of one at the distance of the middle. */
  private get focal(): number {
    return (LENS * Math.min(this.width, this.height)) / 2;
  }

  project(point: ArrayLike<number>): [number, number, number] {
    const [right, up, towards] = this.frame, from = minus(point, this.eye), depth = -dot(from, towards);
    return [this.width / 2 + (dot(from, right) / depth) * this.focal, this.height / 2 - (dot(from, up) / depth) * this.focal, depth];
  }

  /** Direction of what is seen at a place of the screen. */
  ray(px: number, py: number): Vector {
    const [right, up, towards] = this.frame, x = (px - this.width / 2) / this.focal, y = (this.height / 2 - py) / this.focal;
    return [0, 1, 2].map((i) => right[i] * x + up[i] * y - towards[i]) as Vector;
  }

  turn(dx: number, dy: number): void {
    this.yaw -= dx * 0.008;
    this.pitch = Math.max(-1.55, Math.min(1.55, this.pitch + dy * 0.008));
  }

  move(dx: number, dy: number): void {
    const [right, up] = this.frame, step = this.distance / this.focal;
    this.shift = [0, 1, 2].map((i) => this.shift[i] - (right[i] * dx - up[i] * dy) * step) as Vector;
  }

  zoom(factor: number): void {
    this.distance = Math.max(0.05, Math.min(20, this.distance / factor));
  }

  reset(): void {
    Object.assign(this, { yaw: 0.75, pitch: 0.45, distance: 3.6, shift: [0, 0, 0] });
  }

  /** Columns of the matrix for WebGL. */
  get matrix(): Float32Array {
    const [right, up, towards] = this.frame, eye = this.eye, x = (2 * this.focal) / this.width, y = (2 * this.focal) / this.height;
    const near = Math.max(0.01, this.distance - 2.5), far = this.distance + 4, a = (far + near) / (far - near), b = (2 * far * near) / (far - near);
    const rows = [[...right.map((r) => r * x), -dot(right, eye) * x], [...up.map((u) => u * y), -dot(up, eye) * y],
      [...towards.map((t) => -t * a), dot(towards, eye) * a - b], [...towards.map((t) => -t), dot(towards, eye)]];
    return Float32Array.from({ length: 16 }, (_, i) => rows[i % 4][i >> 2]);
  }
}
