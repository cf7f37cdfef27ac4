/* Reads the data of a page beside its thread, so that nothing stands still meanwhile and what was only needed for it goes. */

import { arrays, lettered, type Numbers, type PageRecord } from "./data";
import type { Plane } from "./plane";

type Found = Map<string, Numbers>;
/** Cells of a plane that were coded among the arrays; null for pages of other kinds. */
export type Decode = (record: PageRecord, found: Found) => Plane | null;
interface Asked { number: number; bytes: Uint8Array; record: PageRecord }
interface Answer { number: number; found: Found; plane: Plane | null; error?: string }

/** Letters of data up to which a second thread takes longer to start than the reading. */
const SMALL = 200_000;

/** Planes of arrays that were read. */
export const planes = new WeakMap<Found, Plane>();

async function read(bytes: Uint8Array, record: PageRecord, decode: Decode): Promise<{ found: Found; plane: Plane | null }> {
  const found = await arrays(bytes, record.arrays);
  return { found, plane: decode(record, found) };
}

/** What the script does where it is no page's, but a reader's. */
export function serve(decode: Decode): void {
  const post = (answer: Partial<Answer>, buffers: Transferable[]) => (self as unknown as Worker).postMessage(answer, buffers);
  self.onmessage = ({ data: { number, bytes, record } }: MessageEvent<Asked>) => {
    read(bytes, record, decode).then(({ found, plane }) => {
      const held = plane ? Object.values(plane).flatMap((part) => (ArrayBuffer.isView(part) ? [part] : [part.x, part.y])) : [];
      post({ number, found, plane }, [...new Set([...found.values(), ...held].map(({ buffer }) => buffer as ArrayBuffer))]);
    }, (error: Error) => post({ number, error: error.message }, []));
  };
}

export class Reader {
  private worker: Worker | null = null;
  private readonly waiting = new Map<number, { text: string; record: PageRecord; done(found: Found): void; failed(error: Error): void }>();
  private asked = 0;
  private refused = false;

  constructor(private readonly script: string, private readonly decode: Decode) {}

  async read(text: string, record: PageRecord): Promise<Found> {
    const number = this.asked++;
    return new Promise((done, failed) => {
      this.waiting.set(number, { text, record, done, failed });
      if (text.length < SMALL || !this.beside()) return this.here(number);
      const bytes = lettered(text);
      this.worker!.postMessage({ number, bytes, record } satisfies Asked, [bytes.buffer]);
    });
  }

  /** A second thread, if there may be one. */
  private beside(): Worker | null {
    if (this.worker || this.refused) return this.worker;
    try {
      this.worker = new Worker(URL.createObjectURL(new Blob([this.script], { type: "text/javascript" })));
      this.worker.onmessage = ({ data }: MessageEvent<Answer>) => this.heard(data);
      this.worker.onerror = () => this.alone();
    } catch {
      this.refused = true;
    }
    return this.worker;
  }

  private heard({ number, found, plane, error }: Answer): void {
    const { done, failed } = this.waiting.get(number)!;
    this.waiting.delete(number);
    if (plane) planes.set(found, plane);
    if (error) failed(new Error(error));
    else done(found);
  }

  /** Some frames around a page allow no second thread: it is read in this one. */
  private alone(): void {
    this.close();
    this.refused = true;
    for (const number of this.waiting.keys()) this.here(number);
  }

  private here(number: number): void {
    const { text, record } = this.waiting.get(number)!;
    read(lettered(text), record, this.decode).then((answer) => this.heard({ number, ...answer }), (error: Error) => this.waiting.get(number)!.failed(error));
  }

  close(): void {
    this.worker?.terminate();
    this.worker = null;
  }
}
