/* Cells and lines drawn with WebGL2. Positions are pairs of float32, so that 48 bits of them are seen at any zoom. */

import type { Points } from "./plane";
import type { View } from "./view";

const ROW = 4096;
/** Cells, edges or corners that are drawn or left out together. */
const CHUNK = 4096;

const POSITION = `#version 300 es
precision highp float; precision highp int; precision highp sampler2D;
uniform sampler2D positions; uniform vec4 centre; uniform vec2 scale;
ivec2 place(uint i) { return ivec2(int(i) % ${ROW}, int(i) / ${ROW}); }
vec2 at(uint i) { vec4 p = texelFetch(positions, place(i), 0); return ((p.xz - centre.xz) + (p.yw - centre.yw)) * scale; }
`;

const FILL = [
  `${POSITION}
uniform sampler2D colors; layout(location = 0) in uint vertex; layout(location = 1) in uint cell; flat out vec4 color;
void main() { color = texelFetch(colors, place(cell), 0); gl_Position = vec4(at(vertex), 0.0, 1.0); }`,
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
export interface Fill { positions: Positions; array: WebGLVertexArrayObject; chunks: Chunk[]; colors: WebGLTexture; cells: number }
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
export function drawnWith(canvas: HTMLCanvasElement, antialias: boolean): WebGL2RenderingContext {
  const gl = canvas.getContext("webgl2", { antialias, alpha: true, premultipliedAlpha: true, preserveDrawingBuffer: true });
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
    const gl = drawnWith(canvas, antialias);
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

  private texture(count: number, format: number, layout: number, type: number, data: ArrayBufferView | null): WebGLTexture {
    const gl = this.gl, texture = gl.createTexture()!;
    this.held.push(() => gl.deleteTexture(texture));
    gl.bindTexture(gl.TEXTURE_2D, texture);
    for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
    gl.texImage2D(gl.TEXTURE_2D, 0, format, ROW, Math.max(1, Math.ceil(count / ROW)), 0, layout, type, data);
    return texture;
  }

  positions(points: Points): Positions {
    const count = points.x.length, rows = Math.max(1, Math.ceil(count / ROW)), data = new Float32Array(4 * ROW * rows);
    for (let i = 0; i < count; i++) {
      data[4 * i] = points.x[i];
      data[4 * i + 1] = points.x[i] - data[4 * i];
      data[4 * i + 2] = points.y[i];
      data[4 * i + 3] = points.y[i] - data[4 * i + 2];
    }
    const gl = this.gl;
    return { texture: this.texture(count, gl.RGBA32F, gl.RGBA, gl.FLOAT, data), points };
  }

  private chunks(points: Points, corners: Uint32Array, stride: number): Chunk[] {
    const chunks: Chunk[] = [];
    for (let first = 0; first < corners.length; first += CHUNK * stride) {
      const stop = Math.min(corners.length, first + CHUNK * stride);
      const box: Chunk["box"] = [Infinity, Infinity, -Infinity, -Infinity];
      for (let at = first; at < stop; at++) {
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

  private attributes(...columns: Uint32Array[]): WebGLVertexArrayObject {
    const gl = this.gl, array = gl.createVertexArray()!;
    this.held.push(() => gl.deleteVertexArray(array));
    gl.bindVertexArray(array);
    columns.forEach((column, location) => {
      const buffer = gl.createBuffer()!;
      this.held.push(() => gl.deleteBuffer(buffer));
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, column, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(location);
      gl.vertexAttribIPointer(location, 1, gl.UNSIGNED_INT, 0, 0);
    });
    return array;
  }

  /** Convex polygons as fans of triangles; `cells` says which colour each has. */
  fill(positions: Positions, offsets: Uint32Array, corners: Uint32Array | null): Fill {
    const count = offsets.length - 1;
    let triangles = 0;
    for (let cell = 0; cell < count; cell++) triangles += Math.max(0, offsets[cell + 1] - offsets[cell] - 2);
    const vertices = new Uint32Array(3 * triangles), cells = new Uint32Array(3 * triangles);
    const corner = (at: number) => (corners ? corners[at] : at);
    let at = 0;
    for (let cell = 0; cell < count; cell++)
      for (let next = offsets[cell] + 1; next < offsets[cell + 1] - 1; next++) {
        vertices[at] = corner(offsets[cell]);
        vertices[at + 1] = corner(next);
        vertices[at + 2] = corner(next + 1);
        cells[at] = cells[at + 1] = cells[at + 2] = cell;
        at += 3;
      }
    const array = this.attributes(vertices, cells), gl = this.gl;
    const colors = this.texture(count, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, null);
    return { positions, array, chunks: this.chunks(positions.points, vertices, 3), colors, cells: count };
  }

  recolor(fill: Fill, pixels: Uint32Array): void {
    const gl = this.gl, rows = Math.max(1, Math.ceil(fill.cells / ROW)), padded = new Uint32Array(ROW * rows);
    padded.set(pixels);
    gl.bindTexture(gl.TEXTURE_2D, fill.colors);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, ROW, rows, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(padded.buffer));
  }

  lines(positions: Positions, ends: Uint32Array): Lines {
    const gl = this.gl, rows = Math.max(1, Math.ceil(ends.length / 2 / ROW)), padded = new Uint32Array(2 * ROW * rows);
    padded.set(ends);
    return { positions, edges: this.texture(ends.length / 2, gl.RG32UI, gl.RG_INTEGER, gl.UNSIGNED_INT, padded), chunks: this.chunks(positions.points, ends, 2) };
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
    for (const { first, count } of this.seen(fill.chunks, view, 0)) gl.drawArrays(gl.TRIANGLES, 3 * first, 3 * count);
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
