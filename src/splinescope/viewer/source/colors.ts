/* Colours of cells: by pattern, by class, or by a number through a table. */

import type { Classes, Color, Measure, Numbers, PageRecord } from "./data";
import { known } from "./numbers";

/** What has no number. */
export const MISSING: Color = [217, 217, 217];

export function packed([red, green, blue]: Color): number {
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

/** A number of a cell, as it was stored in 16 bits; NaN where there is none. */
export function valueOf({ least, most, levels, stored_as_logarithms, exact, zeros }: Measure, stored: number): number {
  if (stored === 65535) return NaN;
  if (exact) return least + Math.round((stored / 65534) * levels);
  if (zeros && !stored) return 0;
  const share = stored / 65534, number = least * (1 - share) + most * share;
  return stored_as_logarithms ? Math.exp(number) : number;
}

/** The same with as many digits as are known. */
export function toldOf(measure: Measure, stored: number): string {
  const { least, most, levels, stored_as_logarithms, exact } = measure, value = valueOf(measure, stored), step = most / levels / 2 - least / levels / 2;
  if (exact && Number.isFinite(value)) return String(value);
  return known(value, value === 0 && stored_as_logarithms ? 0 : stored_as_logarithms ? value * step : step);
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
    const share = (along(valueOf(measure, stored)) / 2 - low / 2) / (high / 2 - low / 2 || 1);
    table[stored] = colors[Math.max(0, Math.min(255, Math.round(share * 255))) || 0];
  }
  table[65535] = packed(MISSING);
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

/** Classes are filled with three quarters of their colour, so that lines stay visible. */
const paled = (color: Color) => color.map((part) => Math.round(255 - 0.75 * (255 - part))) as Color;

/** Fills of classes by their numbers. */
export function classFills({ present, colors }: Classes): Color[] {
  const table: Color[] = [];
  present.forEach((label, rank) => (table[label] = paled(colors[rank])));
  return table;
}

/** Colours of items by a choice: a measure, classes, nothing, or patterns. */
export function pixelsOf(record: PageRecord, found: Map<string, Numbers>, choices: { color: string; palette: string; logarithmic: boolean }, count: number): Uint32Array {
  const { color, palette, logarithmic } = choices, measure = record.measures.find(({ key }) => key === color);
  if (measure) return looked(tableOf(measure, record.palettes[palette], logarithmic), found.get(`measure.${measure.key}`)!);
  if (color === "class") return looked(classFills(record.classes!).map(packed), found.get("classes")!);
  if (color === "none") return new Uint32Array(count);
  return looked(record.pattern_palette.map(packed), found.get("pattern")!);
}
