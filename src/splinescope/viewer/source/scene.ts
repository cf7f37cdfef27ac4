/* Cells and lines drawn with WebGL2. Positions are pairs of float32, so that 48 bits of them are seen at any zoom. */

import { release } from "./data";
import type { Points } from "./plane";
import type { View } from "./view";

const ROW = 4096;
/** Cells, edges or corners that are drawn or left out together. */
const CHUNK = 4096;
/** Rows of a texture that are handed over at once, so that no second copy of all is held. */
const ROWS = 16;

const POSITION = `#version 300 es
precision highp float; precision highp int; precision highp sampler2D;
uniform sampler2D positions; uniform vec4 centre; uniform vec2 scale;
ivec2 place(uint i) { return ivec2(int(i) % ${ROW}, int(i) / ${ROW}); }
vec2 at(uint i) { vec4 p = texelFetch(positions, place(i), 0); return ((p.xz - centre.xz) + (p.yw - centre.yw)) * scale; }
`;

const FILL = [
  `${POSITION}
uniform sampler2D colors; flat out vec4 color;
void main() { color = texelFetch(colors, place(uint(gl_VertexID)), 0); gl_Position = vec4(at(uint(gl_VertexID)), 0.0, 1.0); }`,
  `#version 300 es
precision highp float; flat in vec4 color; out vec4 pixel;
void main() { pixel = color; }`,
];

const LINE = [
  `${POSITION}
precision highp usampler2D;
uniform usampler2D edges; uniform uint first; uniform vec2 size; uniform float width; out float across;
void main() {
  uvec2 ends = texelFetch(edges, place(first + uint(gl_VertexID >> 2)), 0).xy;
  vec2 a = at(ends.x), b = at(ends.y), step = (b - a) * size;
  float length = length(step);
  vec2 along = length > 0.0 ? step / length : vec2(1.0, 0.0), normal = vec2(-along.y, along.x);
  float side = (gl_VertexID & 1) == 0 ? -1.0 : 1.0, half_width = 0.5 * width + 1.0;
  across = side * half_width;
  vec2 end = (gl_VertexID & 2) == 0 ? a - along / size * 0.5 * width : b + along / size * 0.5 * width;
  gl_Position = vec4(end + normal * side * half_width / size, 0.0, 1.0);
}`,
  `#version 300 es
precision highp float; uniform vec4 color; uniform float width; in float across; out vec4 pixel;
void main() {
  float cover = clamp(0.5 * width + 0.5 - abs(across), 0.0, 1.0) * min(1.0, width);
  pixel = color * cover;
}`,
];

interface Chunk { first: number; count: number; box: [number, number, number, number] }
interface Positions { texture: WebGLTexture; points: Points }
/** Each cell's colour is that of its apex: a vertex that is no other cell's apex, and the last one of all its triangles. */
export interface Fill { positions: Positions; array: WebGLVertexArrayObject; chunks: Chunk[]; colors: WebGLTexture; apexes: Uint32Array; pixels: Uint32Array }
export interface Lines { positions: Positions; edges: WebGLTexture; chunks: Chunk[] }

/** A program of a vertex and a fragment shader. */
export function programOf(gl: WebGL2RenderingContext, sources: string[]): WebGLProgram {
  const program = gl.createProgram()!;
  sources.forEach((source, stage) => {
    const shader = gl.createShader(stage === 0 ? gl.VERTEX_SHADER : gl.FRAGMENT_SHADER)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "shader");
  });
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "program");
  return program;
}

/** What a canvas is drawn with; throws in words where a browser has none. */
export function drawnWith(canvas: HTMLCanvasElement, antialias: boolean, depth: boolean): WebGL2RenderingContext {
  const gl = canvas.getContext("webgl2", { antialias, depth, alpha: true, premultipliedAlpha: true, preserveDrawingBuffer: true });
  if (!gl) throw new Error("This browser has no WebGL2, which the picture is drawn with.");
  return gl;
}

export class Scene {
  readonly gl: WebGL2RenderingContext;
  private readonly fillProgram: WebGLProgram;
  private readonly lineProgram: WebGLProgram;
  /** Two triangles for each of the lines of a chunk. Instances would be simpler, and are drawn one by one in software. */
  private readonly quads: WebGLVertexArrayObject;
  private readonly held: (() => void)[] = [];

  /** Lines are smooth by themselves; `antialias` smooths cells without lines, and triples the work. */
  constructor(readonly canvas: HTMLCanvasElement, antialias: boolean) {
    const gl = drawnWith(canvas, antialias, false);
    this.gl = gl;
    this.fillProgram = programOf(gl, FILL);
    this.lineProgram = programOf(gl, LINE);
    this.quads = gl.createVertexArray()!;
    gl.bindVertexArray(this.quads);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, Uint16Array.from({ length: 6 * CHUNK }, (_, i) => 4 * Math.floor(i / 6) + [0, 1, 2, 2, 1, 3][i % 6]), gl.STATIC_DRAW);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  /** Give back what was drawn until now. */
  forget(): void {
    for (const free of this.held.splice(0)) free();
  }

  private texture(count: number, format: number, layout: number, type: number, data: Float32Array | Uint32Array | null): WebGLTexture {
    const gl = this.gl, texture = gl.createTexture()!;
    this.held.push(() => gl.deleteTexture(texture));
    gl.bindTexture(gl.TEXTURE_2D, texture);
    for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
    const rows = Math.max(1, Math.ceil(count / ROW));
    gl.texStorage2D(gl.TEXTURE_2D, 1, format, ROW, rows);
    const wide = data ? data.length / rows : 0;
    if (data) for (let row = 0; row < rows; row += ROWS) gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, row, ROW, Math.min(ROWS, rows - row), layout, type, data, row * wide);
    return texture;
  }

  /** Positions, and behind them those of some vertices once more. */
  private positions(points: Points, again: ArrayLike<number> = []): Positions {
    const count = points.x.length + again.length, rows = Math.max(1, Math.ceil(count / ROW)), data = new Float32Array(4 * ROW * rows);
    for (let i = 0; i < count; i++) {
      const from = i < points.x.length ? i : again[i - points.x.length], x = points.x[from], y = points.y[from];
      data[4 * i] = x;
      data[4 * i + 1] = x - data[4 * i];
      data[4 * i + 2] = y;
      data[4 * i + 3] = y - data[4 * i + 2];
    }
    const gl = this.gl;
    const texture = this.texture(count, gl.RGBA32F, gl.RGBA, gl.FLOAT, data);
    release(data);
    return { texture, points };
  }

  private chunks(points: Points, corners: Uint32Array, stride: number): Chunk[] {
    const chunks: Chunk[] = [];
    for (let first = 0; first < corners.length; first += CHUNK * stride) {
      const stop = Math.min(corners.length, first + CHUNK * stride);
      const box: Chunk["box"] = [Infinity, Infinity, -Infinity, -Infinity];
      for (let at = first; at < stop; at++) {
        if (corners[at] >= points.x.length) continue;
        const x = points.x[corners[at]], y = points.y[corners[at]];
        box[0] = Math.min(box[0], x);
        box[1] = Math.min(box[1], y);
        box[2] = Math.max(box[2], x);
        box[3] = Math.max(box[3], y);
      }
      chunks.push({ first: first / stride, count: (stop - first) / stride, box });
    }
    return chunks;
  }

  /** Convex polygons as fans of triangles about their apexes. */
  fill(points: Points, offsets: Uint32Array, corners: Uint32Array | null): Fill {
    const cells = offsets.length - 1, count = points.x.length, gl = this.gl, corner = (at: number) => (corners ? corners[at] : at);
    const apexes = new Uint32Array(cells), taken = new Uint8Array(count), again: number[] = [];
    let triangles = 0, at = 0;
    for (let cell = 0; cell < cells; cell++) triangles += Math.max(0, offsets[cell + 1] - offsets[cell] - 2);
    const indices = new Uint32Array(3 * triangles);
    for (let cell = 0; cell < cells; cell++) {
      const start = offsets[cell], size = offsets[cell + 1] - start;
      if (!size) continue;
      let turn = 0;
      while (turn < size && taken[corner(start + turn)]) turn++;
      if (turn === size) {
        turn = 0;
        again.push(corner(start));
        apexes[cell] = count + again.length - 1;
      } else taken[(apexes[cell] = corner(start + turn))] = 1;
      for (let next = turn + 1; next < turn + size - 1; next++) {
        indices[at] = corner(start + (next < size ? next : next - size));
        indices[at + 1] = corner(start + (next + 1 < size ? next + 1 : next + 1 - size));
        indices[at + 2] = apexes[cell];
        at += 3;
      }
    }
    const positions = this.positions(points, again), array = gl.createVertexArray()!, buffer = gl.createBuffer()!, some = ROWS * ROW;
    this.held.push(() => gl.deleteVertexArray(array), () => gl.deleteBuffer(buffer));
    gl.bindVertexArray(array);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, indices.byteLength, gl.STATIC_DRAW);
    for (let from = 0; from < indices.length; from += some) gl.bufferSubData(gl.ELEMENT_ARRAY_BUFFER, 4 * from, indices, from, Math.min(some, indices.length - from));
    const vertices = count + again.length, pixels = new Uint32Array(ROW * Math.max(1, Math.ceil(vertices / ROW)));
    const colors = this.texture(vertices, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, null);
    const chunks = this.chunks(points, indices, 3);
    release(indices);
    return { positions, array, chunks, colors, apexes, pixels };
  }

  recolor({ apexes, pixels, colors }: Fill, wanted: Uint32Array): void {
    const gl = this.gl, bytes = new Uint8Array(pixels.buffer);
    for (let cell = 0; cell < apexes.length; cell++) pixels[apexes[cell]] = wanted[cell];
    gl.bindTexture(gl.TEXTURE_2D, colors);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, ROW, pixels.length / ROW, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
  }

  /** Lines between points: those of a fill, or others. */
  lines(points: Positions | Points, ends: Uint32Array): Lines {
    const gl = this.gl, positions = "texture" in points ? points : this.positions(points), rows = Math.max(1, Math.ceil(ends.length / 2 / ROW)), padded = new Uint32Array(2 * ROW * rows);
    padded.set(ends);
    const edges = this.texture(ends.length / 2, gl.RG32UI, gl.RG_INTEGER, gl.UNSIGNED_INT, padded), chunks = this.chunks(positions.points, ends, 2);
    release(padded);
    return { positions, edges, chunks };
  }

  clear(width: number, height: number, ratio: number, background: number[]): void {
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    this.gl.viewport(0, 0, w, h);
    this.gl.clearColor(background[0], background[1], background[2], 1);
    this.gl.clear(this.gl.COLOR_BUFFER_BIT);
  }

  private place(program: WebGLProgram, positions: Positions, view: View): void {
    const gl = this.gl, at = (name: string) => gl.getUniformLocation(program, name);
    gl.useProgram(program);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, positions.texture);
    gl.uniform1i(at("positions"), 0);
    const [x, y] = [Math.fround(view.x), Math.fround(view.y)];
    gl.uniform4f(at("centre"), x, view.x - x, y, view.y - y);
    gl.uniform2f(at("scale"), (2 * view.scale) / view.width, (2 * view.scaleY) / view.height);
  }

  private *seen(chunks: Chunk[], view: View, margin: number): Generator<Chunk> {
    const [left, top] = view.toShares(-margin, -margin), [right, bottom] = view.toShares(view.width + margin, view.height + margin);
    for (const chunk of chunks)
      if (chunk.box[0] <= right && chunk.box[2] >= left && chunk.box[1] <= top && chunk.box[3] >= bottom) yield chunk;
  }

  drawFill(fill: Fill, view: View): void {
    const gl = this.gl;
    this.place(this.fillProgram, fill.positions, view);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, fill.colors);
    gl.uniform1i(gl.getUniformLocation(this.fillProgram, "colors"), 1);
    gl.bindVertexArray(fill.array);
    for (const { first, count } of this.seen(fill.chunks, view, 0)) gl.drawElements(gl.TRIANGLES, 3 * count, gl.UNSIGNED_INT, 12 * first);
  }

  /** Widths are in device pixels; below one they make lines fainter. */
  drawLines(lines: Lines, view: View, width: number, color: number[]): void {
    const gl = this.gl, at = (name: string) => gl.getUniformLocation(this.lineProgram, name);
    this.place(this.lineProgram, lines.positions, view);
    gl.uniform2f(at("size"), this.canvas.width / 2, this.canvas.height / 2);
    gl.uniform1f(at("width"), width);
    gl.uniform4f(at("color"), color[0], color[1], color[2], 1);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, lines.edges);
    gl.uniform1i(at("edges"), 1);
    gl.bindVertexArray(this.quads);
    for (const { first, count } of this.seen(lines.chunks, view, width)) {
      gl.uniform1ui(at("first"), first);
      gl.drawElements(gl.TRIANGLES, 6 * count, gl.UNSIGNED_SHORT, 0);
    }
  }
}
