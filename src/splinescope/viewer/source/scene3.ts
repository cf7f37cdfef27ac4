/* Triangles and lines in space with WebGL2; a second drawing holds the number of what is seen at each pixel. */

import type { Camera } from "./camera";
import { drawnWith, programOf } from "./scene";
import type { Triangles } from "./solid";

const ROW = 4096;

const MESH = [
  `#version 300 es
precision highp float; precision highp int; precision highp sampler2D;
uniform mat4 camera; uniform sampler2D colors; uniform bool picking;
layout(location = 0) in vec3 position; layout(location = 1) in uint item; layout(location = 2) in uint pick;
out vec3 place; flat out vec4 color; flat out uint number;
void main() {
  place = position; number = pick;
  color = texelFetch(colors, ivec2(int(item) % ${ROW}, int(item) / ${ROW}), 0);
  gl_Position = camera * vec4(position, 1.0);
}`,
  `#version 300 es
precision highp float; precision highp int;
uniform vec4 clip; uniform bool picking; uniform vec3 light; uniform vec3 paper; uniform float shade;
in vec3 place; flat in vec4 color; flat in uint number; out vec4 pixel;
void main() {
  if (dot(clip.xyz, place) > clip.w) discard;
  if (picking) { pixel = vec4(uvec4(number, number >> 8, number >> 16, number >> 24) & 255u) / 255.0; return; }
  float face = abs(dot(normalize(cross(dFdx(place), dFdy(place))), light));
  vec3 base = mix(paper, color.rgb, color.a);
  pixel = vec4(base * (1.0 - shade * (1.0 - face)), 1.0);
}`,
];

const LINE = [
  `#version 300 es
precision highp float; uniform mat4 camera; layout(location = 0) in vec3 position; out vec3 place;
void main() { place = position; gl_Position = camera * vec4(position, 1.0); gl_Position.z -= 0.0006 * gl_Position.w; }`,
  `#version 300 es
precision highp float; uniform vec4 clip; uniform vec4 color; in vec3 place; out vec4 pixel;
void main() { if (dot(clip.xyz, place) > clip.w + 1e-5) discard; pixel = vec4(color.rgb * color.a, color.a); }`,
];

export interface Mesh { array: WebGLVertexArrayObject; count: number; free(): void }
export type Clip = [number, number, number, number];
export const WHOLE: Clip = [0, 0, 0, 1];

export class Scene3 {
  readonly gl: WebGL2RenderingContext;
  private readonly mesh: WebGLProgram;
  private readonly line: WebGLProgram;
  private readonly colors: WebGLTexture;
  private picks: Uint32Array | null = null;

  constructor(readonly canvas: HTMLCanvasElement) {
    const gl = (this.gl = drawnWith(canvas, true, true));
    this.mesh = programOf(gl, MESH);
    this.line = programOf(gl, LINE);
    this.colors = gl.createTexture()!;
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.depthFunc(gl.LEQUAL);
  }

  recolor(pixels: Uint32Array): void {
    const gl = this.gl, rows = Math.max(1, Math.ceil(pixels.length / ROW)), padded = new Uint32Array(ROW * rows);
    padded.set(pixels);
    gl.bindTexture(gl.TEXTURE_2D, this.colors);
    for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, ROW, rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(padded.buffer));
  }

  private array(columns: (Float32Array | Uint32Array)[], count: number): Mesh {
    const gl = this.gl, array = gl.createVertexArray()!;
    gl.bindVertexArray(array);
    const buffers = columns.map((column, location) => {
      const buffer = gl.createBuffer()!;
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, column, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(location);
      if (location) gl.vertexAttribIPointer(location, 1, gl.UNSIGNED_INT, 0, 0);
      else gl.vertexAttribPointer(location, 3, gl.FLOAT, false, 0, 0);
      return buffer;
    });
    return { array, count, free: () => [gl.deleteVertexArray(array), buffers.forEach((buffer) => gl.deleteBuffer(buffer))] };
  }

  triangles({ positions, items, picks }: Triangles): Mesh {
    return this.array([positions, items, picks], items.length);
  }

  lines(ends: Float32Array): Mesh {
    return this.array([ends], ends.length / 3);
  }

  begin(camera: Camera, ratio: number, paper: number[]): void {
    const { gl, canvas } = this, [w, h] = [Math.round(camera.width * ratio), Math.round(camera.height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    gl.viewport(0, 0, w, h);
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.BLEND);
    gl.clearColor(paper[0], paper[1], paper[2], 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    this.picks = null;
  }

  draw(mesh: Mesh, camera: Camera, clip: Clip, paper: number[], shade = 0.35, picking = false): void {
    const gl = this.gl, at = (name: string) => gl.getUniformLocation(this.mesh, name), towards = camera.frame[2];
    gl.useProgram(this.mesh);
    gl.bindTexture(gl.TEXTURE_2D, this.colors);
    gl.uniformMatrix4fv(at("camera"), false, camera.matrix);
    gl.uniform4f(at("clip"), ...clip);
    gl.uniform3f(at("light"), towards[0], towards[1], towards[2]);
    gl.uniform3f(at("paper"), paper[0], paper[1], paper[2]);
    gl.uniform1f(at("shade"), shade);
    gl.uniform1i(at("picking"), Number(picking));
    gl.bindVertexArray(mesh.array);
    gl.drawArrays(gl.TRIANGLES, 0, mesh.count);
  }

  drawLines(mesh: Mesh, camera: Camera, clip: Clip, color: number[], alpha: number): void {
    const gl = this.gl, at = (name: string) => gl.getUniformLocation(this.line, name);
    gl.useProgram(this.line);
    gl.uniformMatrix4fv(at("camera"), false, camera.matrix);
    gl.uniform4f(at("clip"), ...clip);
    gl.uniform4f(at("color"), color[0], color[1], color[2], alpha);
    gl.bindVertexArray(mesh.array);
    gl.drawArrays(gl.LINES, 0, mesh.count);
  }

  /** The number of what is seen at a place, 0 for nothing; drawn once after each change of the view. */
  picked(px: number, py: number, camera: Camera, paint: () => void): number {
    const width = Math.round(camera.width), height = Math.round(camera.height);
    this.picks ??= this.numbered(width, height, paint);
    const x = Math.floor(px), y = height - 1 - Math.floor(py);
    return x < 0 || y < 0 || x >= width || y >= height ? 0 : this.picks[y * width + x];
  }

  private numbered(width: number, height: number, paint: () => void): Uint32Array {
    const gl = this.gl, frame = gl.createFramebuffer(), texture = gl.createRenderbuffer(), depth = gl.createRenderbuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    for (const [buffer, format, place] of [[texture, gl.RGBA8, gl.COLOR_ATTACHMENT0], [depth, gl.DEPTH_COMPONENT24, gl.DEPTH_ATTACHMENT]] as const) {
      gl.bindRenderbuffer(gl.RENDERBUFFER, buffer);
      gl.renderbufferStorage(gl.RENDERBUFFER, format, width, height);
      gl.framebufferRenderbuffer(gl.FRAMEBUFFER, place, gl.RENDERBUFFER, buffer);
    }
    gl.viewport(0, 0, width, height);
    gl.disable(gl.BLEND);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    paint();
    const bytes = new Uint8Array(4 * width * height);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.deleteFramebuffer(frame);
    gl.deleteRenderbuffer(texture);
    gl.deleteRenderbuffer(depth);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.enable(gl.BLEND);
    return new Uint32Array(bytes.buffer);
  }
}
