/* What the page was given: a record, and arrays as byte planes in one compressed text. */

export interface Listed { name: string; count: number; width: number; differences: boolean; float?: boolean; double?: boolean }
export interface Layer { name: string; start: number; stop: number }
/**
 * Numbers in `levels` steps from `least` to `most`, or their logarithms, whose lowest step is zero where there are `zeros`; colours
 * are from `low` to `high`.
 */
export interface Measure {
  key: string; label: string; stored_as_logarithms: boolean; least: number; most: number; levels: number;
  exact: boolean; zeros: boolean; missing: boolean; logarithmic: boolean; low: number; high: number; positive: boolean;
}
export interface Anchor { name: string; place: [number, number]; picture?: string }
export type Color = [number, number, number];
/** Names of all classes; those that are seen, ascending, and the colour of each. */
export interface Classes { names: string[]; colors: Color[]; present: number[] }
export interface Layers { flips: boolean; nodes: Layer[]; root_hash: number }
export interface WeightStage { inputs: number; outputs: number; slopes: number[][] | null; intercepts: number[][] | null }

/** What pages of every kind have. */
export interface PageRecord {
  kind: "planar" | "segment" | "space"; title: string; arrays: Listed[]; facts: string;
  axes: string[]; layers: Layers; palettes: Record<string, Color[]>; pattern_palette: Color[];
  measures: Measure[]; classes: Classes | null; color: string; frames?: Frame[];
}
export interface Frame { name: string; record: Partial<PageRecord> }

export interface PlanarRecord extends PageRecord {
  kind: "planar"; frame: { low: [number, number]; extent: [number, number] };
  counts: { cells: number; edges: number; vertices: number };
  network: { inputs: number[]; outputs: number };
  coding: { bits: number; levels: number; measures: string[]; coded: boolean; unit_bits: number };
  anchors: Anchor[]; maps: "stored" | "weights" | null; weights: WeightStage[] | null;
  units: number[][];
}

/** `units` of planes and solids: what makes slopes by coordinates those by Euclidean units. `extra`: names of further numbers of cells, drawn as panels; the outputs that are stored are `labels`. */
export interface SegmentRecord extends PageRecord {
  kind: "segment"; counts: { cells: number; flips: number };
  labels: { name: string; class: number | null; color: Color | null }[]; margin: string | null; covered: [number, number]; panels: string[];
}

/** Cells of space, or polygons of a surface (`solid` says which), and a surface within the cells. */
export interface SpaceRecord extends PageRecord {
  kind: "space"; frame: { low: number[]; extent: number[] }; solid: boolean; item: string;
  counts: { items: number; vertices: number }; surface: string | null;
  maps: boolean; outputs: number; units?: number[][];
}

export type Numbers = Uint8Array | Uint16Array | Uint32Array | Float32Array | Float64Array;

/** Give back the memory of arrays at once, where the browser can, rather than when it next looks for what is unused. */
export function release(...arrays: ArrayBufferView[]): void {
  for (const { buffer } of arrays) (buffer as ArrayBuffer & { transfer?(size: number): ArrayBuffer }).transfer?.(0);
}

/** Bytes of text with 13 bits in two letters: those of ASCII from "!" on without "&", "<" and "\\". */
export function lettered(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * 13) / 16));
  const digit = (at: number) => {
    const code = text.charCodeAt(at);
    return code - 33 - (code > 38 ? 1 : 0) - (code > 60 ? 1 : 0) - (code > 92 ? 1 : 0);
  };
  for (let at = 0, bits = 0, held = 0, into = 0; at < text.length; at += 2) {
    held = ((held << 13) | (91 * digit(at) + digit(at + 1))) & 0x1fffff;
    for (bits += 13; bits >= 8; ) bytes[into++] = held >>> (bits -= 8);
  }
  return bytes;
}

/** Bytes that were compressed, behind how many there are, uncompressed and compressed. */
async function unpacked(bytes: Uint8Array): Promise<Uint8Array> {
  const sizes = new DataView(bytes.buffer), found = new Uint8Array(sizes.getUint32(0));
  const reader = new Blob([bytes.subarray(8, 8 + sizes.getUint32(4)) as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  for (let at = 0; ; ) {
    const { value } = await reader.read();
    if (!value) {
      release(bytes);
      return found;
    }
    found.set(value, at);
    at += value.length;
  }
}

function joined(bytes: Uint8Array, at: number, { count, width, differences, float, double }: Listed): Numbers {
  if (width === 1 && !differences) return bytes.slice(at, at + count);
  if (width === 2 && !differences) return Uint16Array.from({ length: count }, (_, i) => bytes[at + i] | (bytes[at + count + i] << 8));
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
  if (double) return doubles(low, high);
  const found = new Float64Array(count), modulus = 2 ** (8 * width);
  for (let i = 0; i < count; i++) {
    const number = high[i] * 4294967296 + low[i];
    found[i] = differences && i ? (number + found[i - 1]) % modulus : number;
  }
  return found;
}

/** Numbers of which the upper five bytes were stored. */
function doubles(low: Uint32Array, high: Uint32Array): Float64Array {
  const found = new Float64Array(low.length), words = new Uint32Array(found.buffer);
  for (let i = 0; i < low.length; i++) {
    words[2 * i] = low[i] << 24;
    words[2 * i + 1] = (low[i] >>> 8) | (high[i] << 24);
  }
  return found;
}

/** All arrays by name. */
export async function arrays(packed: Uint8Array, listing: Listed[]): Promise<Map<string, Numbers>> {
  const bytes = await unpacked(packed), found = new Map<string, Numbers>();
  let at = 0;
  for (const listed of listing) {
    found.set(listed.name, joined(bytes, at, listed));
    at += listed.count * listed.width;
  }
  release(bytes);
  return found;
}

/** 32 pseudo-random bits of a number, as the Python side has them. */
export function mixed(unit: number): number {
  let bits = (unit + 1) | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
