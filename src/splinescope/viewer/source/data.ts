/* What the page was given: a record, and arrays as byte planes in one compressed text. */

export interface Listed { name: string; count: number; width: number; differences: boolean; float?: boolean }
export interface Layer { name: string; start: number; stop: number }
export interface Measure {
  key: string; label: string; stored_as_logarithms: boolean; least: number; most: number;
  low: number; high: number; positive: boolean;
}
export interface Anchor { name: string; place: [number, number]; picture?: string }
export type Color = [number, number, number];

export interface PlanarRecord {
  kind: "planar"; title: string; arrays: Listed[];
  frame: { low: [number, number]; extent: [number, number] };
  counts: { cells: number; edges: number; vertices: number };
  axes: [string, string]; certificate: string; truncated: boolean;
  network: { inputs: number[]; outputs: number };
  layers: { flips: boolean; nodes: Layer[]; root_hash: number };
  palettes: Record<string, Color[]>; pattern_palette: Color[];
  measures: Measure[]; classes: { names: string[]; colors: Color[]; present: number[] } | null;
  anchors: Anchor[]; maps: boolean; color: string;
}

export type Numbers = Uint32Array | Float32Array | Float64Array;

async function unpacked(text: string): Promise<Uint8Array> {
  const coded = atob(text);
  const bytes = new Uint8Array(coded.length);
  for (let i = 0; i < coded.length; i++) bytes[i] = coded.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function joined(bytes: Uint8Array, at: number, { count, width, differences, float }: Listed): Numbers {
  const wide = width > 4;
  const low = new Uint32Array(count), high = wide ? new Uint32Array(count) : low;
  for (let plane = 0; plane < width; plane++) {
    const into = plane < 4 ? low : high, shift = 8 * (plane % 4), start = at + plane * count;
    for (let i = 0; i < count; i++) into[i] |= bytes[start + i] << shift;
  }
  if (!wide) {
    if (float) return new Float32Array(low.buffer);
    const mask = width === 4 ? 0xffffffff : (1 << (8 * width)) - 1;
    if (differences) for (let i = 1; i < count; i++) low[i] = ((low[i] + low[i - 1]) & mask) >>> 0;
    return low;
  }
  const found = new Float64Array(count), modulus = 2 ** (8 * width);
  for (let i = 0; i < count; i++) {
    const number = high[i] * 4294967296 + low[i];
    found[i] = differences && i ? (number + found[i - 1]) % modulus : number;
  }
  return found;
}

/** All arrays by name. */
export async function arrays(text: string, listing: Listed[]): Promise<Map<string, Numbers>> {
  const bytes = await unpacked(text), found = new Map<string, Numbers>();
  let at = 0;
  for (const listed of listing) {
    found.set(listed.name, joined(bytes, at, listed));
    at += listed.count * listed.width;
  }
  return found;
}

/** 32 pseudo-random bits of a number, as the Python side has them. */
export function mixed(unit: number): number {
  let bits = (unit + 1) | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
