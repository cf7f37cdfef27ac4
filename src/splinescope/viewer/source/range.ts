/* Reads bits that were written by how likely they were: the other half of range_coding.py. */

const PRECISION = 15;
const RATE = 5;
export const MODEL = 128;

export class Range {
  private readonly chances: Uint16Array;
  private range = 0xffffffff;
  private code = 0;
  private at = 1;

  constructor(private readonly bytes: Uint8Array, models: number) {
    this.chances = new Uint16Array(MODEL * models).fill(1 << (PRECISION - 1));
    for (let i = 0; i < 4; i++) this.code = ((this.code << 8) | bytes[this.at++]) >>> 0;
  }

  private refill(): void {
    while (this.range < 0x1000000) {
      this.range = (this.range << 8) >>> 0;
      this.code = ((this.code << 8) | this.bytes[this.at++]) >>> 0;
    }
  }

  bit(place: number): number {
    const chance = this.chances[place], bound = (this.range >>> PRECISION) * chance;
    let bit = 0;
    if (this.code < bound) {
      this.range = bound;
      this.chances[place] = chance + (((1 << PRECISION) - chance) >> RATE);
    } else {
      this.code -= bound;
      this.range -= bound;
      this.chances[place] = chance - (chance >> RATE);
      bit = 1;
    }
    if (this.range < 0x1000000) this.refill();
    return bit;
  }

  /** Bits that are as likely as not, the highest first, after those of `value`. */
  plain(bits: number, value = 0): number {
    while (bits > 0) {
      const taken = Math.min(bits, 12);
      bits -= taken;
      this.range >>>= taken;
      const part = Math.min(Math.floor(this.code / this.range), (1 << taken) - 1);
      this.code -= part * this.range;
      value = value * (1 << taken) + part;
      this.refill();
    }
    return value;
  }

  number(model: number): number {
    const base = MODEL * model;
    let node = 1;
    for (let level = 0; level < 6; level++) node = 2 * node + this.bit(base + node);
    const length = node - 64;
    return length < 2 ? length : this.plain(length - 2, 2 + this.bit(base + 64 + length));
  }

  signed(model: number): number {
    const size = this.number(model);
    return size && this.bit(MODEL * model + MODEL - 1) ? -size : size;
  }
}
