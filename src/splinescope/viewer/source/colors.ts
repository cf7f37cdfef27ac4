/* Colours of cells: by pattern, by class, or by a number through a table. */

import type { Color, Measure, Numbers, PageRecord } from "./data";

export function packed([red, green, blue]: Color): number {
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

/** A number of a cell, as it was stored in 16 bits; NaN where there is none. */
export function valueOf(measure: Measure, stored: number): number {
  if (stored === 65535) return NaN;
  const number = measure.least + (stored / 65534) * (measure.most - measure.least);
  return measure.stored_as_logarithms ? Math.exp(number) : number;
}

export function blended(palette: Color[], share: number): Color {
  const place = Math.max(0, Math.min(1, share)) * (palette.length - 1), below = Math.min(palette.length - 2, Math.floor(place));
  const part = place - below;
  return [0, 1, 2].map((i) => Math.round(palette[below][i] * (1 - part) + palette[below + 1][i] * part)) as Color;
}

/** Colours of all 65,536 stored numbers, so that a change of the scale costs one look into a table for each cell. */
export function tableOf(measure: Measure, palette: Color[], logarithmic: boolean): Uint32Array {
  const table = new Uint32Array(65536), colors = Array.from({ length: 256 }, (_, i) => packed(blended(palette, i / 255)));
  const along = logarithmic ? Math.log : (x: number) => x;
  const low = along(measure.low), high = along(measure.high);
  for (let stored = 0; stored < 65535; stored++) {
    const share = (along(valueOf(measure, stored)) - low) / (high - low || 1);
    table[stored] = colors[Math.max(0, Math.min(255, Math.round(share * 255))) || 0];
  }
  table[65535] = packed([217, 217, 217]);
  return table;
}

export function looked(table: Uint32Array | number[], numbers: Numbers): Uint32Array {
  const pixels = new Uint32Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) pixels[i] = table[numbers[i]];
  return pixels;
}

/** Colours of lines by layer, from the first, dark, to the last, lighter. */
export function lineColor(layer: number, layers: number, dark: boolean): number[] {
  const share = layers > 1 ? layer / (layers - 1) : 0, shade = 0.12 + 0.38 * share;
  return dark ? [1 - shade, 1 - shade, 1 - shade] : [shade, shade, shade];
}

export function told(number: number): string {
  if (!Number.isFinite(number)) return String(number);
  const size = Math.abs(number);
  return number === 0 ? "0" : size >= 1e5 || size < 1e-3 ? number.toExponential(3) : String(Number(number.toPrecision(5)));
}

/** Classes are filled with three quarters of their colour, so that lines stay visible. */
export function paled(color: number): number {
  const part = (shift: number) => Math.round(255 - 0.75 * (255 - ((color >>> shift) & 255)));
  return (0xff000000 | (part(16) << 16) | (part(8) << 8) | part(0)) >>> 0;
}

/** Round numbers along an axis, and how they are written. */
export function ticks(low: number, high: number, wanted: number): { value: number; text: string }[] {
  const rough = (high - low) / Math.max(1, wanted), power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10), found = [];
  const digits = Math.max(0, Math.min(20, -Math.floor(Math.log10(step) + 1e-9)));
  const written = (value: number) => (Math.abs(value) >= 1e5 ? told(value) : value.toFixed(digits));
  for (let number = Math.ceil(low / step); number * step <= high && found.length < 50; number++) found.push({ value: number * step, text: written(number * step) });
  return found;
}

/** Colours of items by a choice: a measure, classes, nothing, or patterns. */
export function pixelsOf(record: PageRecord, found: Map<string, Numbers>, choices: { color: string; palette: string; logarithmic: boolean }, count: number): Uint32Array {
  const { color, palette, logarithmic } = choices, measure = record.measures.find(({ key }) => key === color);
  if (measure) return looked(tableOf(measure, record.palettes[palette], logarithmic), found.get(`measure.${measure.key}`)!);
  if (color === "class") return looked(record.classes!.colors.map(packed).map(paled), found.get("classes")!);
  if (color === "none") return new Uint32Array(count);
  return looked(record.pattern_palette.map(packed), found.get("pattern")!);
}
