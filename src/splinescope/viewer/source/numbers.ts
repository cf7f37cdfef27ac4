/* How numbers are written: with the digits that are known, and positions with those that pixels tell apart. */

export function told(number: number, figures = 5): string {
  if (!Number.isFinite(number)) return String(number);
  const size = Math.abs(number);
  return number === 0 ? "0" : size >= 10 ** figures || size < 1e-3 ? number.toExponential(Math.min(3, figures - 1)) : String(Number(number.toPrecision(figures)));
}

/** A number that may be off by so much: the last digit is right to one, and few digits say that they are few. */
export function known(number: number, error: number): string {
  if (!(error > 0) || !Number.isFinite(number)) return told(number);
  const figures = Math.min(5, Math.floor(Math.log10(Math.abs(number))) - Math.ceil(Math.log10(2 * error) - 1e-9) + 1);
  if (figures < 1) return `0 ± ${told(Math.abs(number) + error, 1)}`;
  return `${figures < 3 ? "≈ " : ""}${told(number, figures)}`;
}

/** A position, where neighbours that are told apart are `step` apart. */
export function placed(value: number, step: number): string {
  if (!(Math.abs(value) >= step / 2)) return "0";
  const digits = Math.ceil(-Math.log10(step) - 1e-9), power = Math.floor(Math.log10(Math.abs(value))), figures = Math.max(1, Math.min(17, power + digits + 1));
  if (power < -4 || power > 14) return value.toExponential(figures - 1);
  return digits > 0 ? value.toFixed(Math.min(digits, 16 - power)) : String(Number(value.toPrecision(figures)));
}

export interface Ticks { marks: { value: number; text: string }[]; less: string }

/** Round numbers along an axis; far from zero less a common number, which `less` names to stand behind the axis. */
export function ticks(low: number, high: number, wanted: number): Ticks {
  const rough = (high - low) / Math.max(1, wanted), power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10), span = 10 ** Math.ceil(Math.log10(high - low));
  const base = Math.max(Math.abs(low), Math.abs(high)) > 1e4 * step ? Math.round((low / 2 + high / 2) / span) * span : 0;
  const digits = -Math.floor(Math.log10(step) + 1e-9), marks: Ticks["marks"] = [];
  const written = (value: number) => {
    if (digits <= 4 && step < 1e5) return value.toFixed(Math.max(0, digits));
    return value ? value.toExponential(Math.max(0, Math.floor(Math.log10(Math.abs(value)) + 1e-9) + digits)) : "0";
  };
  for (let number = Math.ceil((low - base) / step); base + number * step <= high && marks.length < 50; number++) marks.push({ value: base + number * step, text: written(number * step) });
  return { marks, less: base ? `${base > 0 ? " − " : " + "}${Number(placed(Math.abs(base), span))}` : "" };
}
