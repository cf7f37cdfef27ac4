/* A pen that draws on a canvas or writes SVG: what is drawn with it looks alike on the page and in both kinds of files. */

export type Pen = Pick<CanvasRenderingContext2D,
  "fillStyle" | "strokeStyle" | "lineWidth" | "font" | "textAlign" | "globalAlpha" | "imageSmoothingEnabled" | "beginPath" | "moveTo" | "lineTo" |
  "closePath" | "arc" | "rect" | "fill" | "stroke" | "fillRect" | "strokeRect" | "fillText" | "strokeText" | "drawImage" | "save" | "restore" |
  "translate" | "rotate" | "setLineDash"> & { clip(): void; measureText(text: string): { width: number } };

const ANCHORS: Partial<Record<CanvasTextAlign, string>> = { center: "middle", right: "end" };
const measure = document.createElement("canvas").getContext("2d")!;
const short = (number: number) => String(Number(number.toFixed(2)));
/** Text as XML may hold it. */
const escaped = (text: string) => text.replace(/[\0-\x1f"&<>\ufffe\uffff]|\p{Cs}/gu, (letter) => (letter < " " || letter > "~" ? " " : `&#${letter.charCodeAt(0)};`));

export class Svg implements Pen {
  fillStyle: string | CanvasGradient | CanvasPattern = "#000000";
  strokeStyle: string | CanvasGradient | CanvasPattern = "#000000";
  lineWidth = 1;
  font = "12px sans-serif";
  textAlign: CanvasTextAlign = "left";
  globalAlpha = 1;
  imageSmoothingEnabled = true;
  private readonly parts: string[] = [];
  private path = "";
  private dash = "";
  private moved = "";
  private halo = "";
  private groups = 0;
  private clips = 0;
  private readonly kept: [Partial<Svg>, string, number][] = [];

  constructor(private readonly width: number, private readonly height: number) {}

  /** All that was drawn, as a file. */
  text(): string {
    const { width, height } = this;
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" stroke-linecap="round" stroke-linejoin="round">${this.parts.join("\n")}</svg>`;
  }

  private put(name: string, rest: string, content = ""): void {
    const move = this.moved && ` transform="${this.moved.trim()}"`;
    this.parts.push(content ? `<${name}${rest}${move}>${content}</${name}>` : `<${name}${rest}${move}/>`);
  }

  private paint(what: "fill" | "stroke", style = what === "fill" ? this.fillStyle : this.strokeStyle): string {
    return ` ${what}="${style}"${this.globalAlpha < 1 ? ` ${what}-opacity="${this.globalAlpha}"` : ""}`;
  }

  beginPath(): void {
    this.path = "";
  }

  moveTo(x: number, y: number): void {
    this.path += `M${short(x)},${short(y)}`;
  }

  lineTo(x: number, y: number): void {
    this.path += `${this.path ? "L" : "M"}${short(x)},${short(y)}`;
  }

  closePath(): void {
    this.path += "Z";
  }

  /** A whole circle. */
  arc(x: number, y: number, radius: number): void {
    this.path += `M${short(x + radius)},${short(y)}A${radius},${radius} 0 1 1 ${short(x - radius)},${short(y)}A${radius},${radius} 0 1 1 ${short(x + radius)},${short(y)}Z`;
  }

  rect(x: number, y: number, width: number, height: number): void {
    this.path += `M${short(x)},${short(y)}h${short(width)}v${short(height)}h${short(-width)}Z`;
  }

  fill(): void {
    if (this.path) this.put("path", ` d="${this.path}"${this.paint("fill")}`);
  }

  stroke(): void {
    if (this.path) this.put("path", ` d="${this.path}" fill="none"${this.paint("stroke")} stroke-width="${short(this.lineWidth)}"${this.dash}`);
  }

  fillRect(x: number, y: number, width: number, height: number): void {
    this.beginPath();
    this.rect(x, y, width, height);
    this.fill();
  }

  strokeRect(x: number, y: number, width: number, height: number): void {
    this.beginPath();
    this.rect(x, y, width, height);
    this.stroke();
  }

  setLineDash(lengths: Iterable<number>): void {
    this.dash = [...lengths].length ? ` stroke-dasharray="${[...lengths].join(" ")}"` : "";
  }

  /** The halo of the text that is filled next. */
  strokeText(): void {
    this.halo = `${this.paint("stroke")} stroke-width="${short(this.lineWidth)}" paint-order="stroke"`;
  }

  fillText(text: string, x: number, y: number): void {
    const [, bold, size, family] = /^(bold )?([\d.]+)px (.*)$/.exec(this.font) ?? ["", "", "12", "sans-serif"], anchor = ANCHORS[this.textAlign];
    const style = ` font-family="${escaped(family)}" font-size="${size}"${bold ? ' font-weight="bold"' : ""}${anchor ? ` text-anchor="${anchor}"` : ""}`;
    this.put("text", ` x="${short(x)}" y="${short(y)}"${style}${this.paint("fill")}${this.halo}`, escaped(text) || " ");
    this.halo = "";
  }

  measureText(text: string): TextMetrics {
    measure.font = this.font;
    return measure.measureText(text);
  }

  drawImage(image: CanvasImageSource, x: number, y: number, width?: number, height?: number): void {
    const { src } = image as HTMLImageElement;
    this.put("image", ` x="${short(x)}" y="${short(y)}" width="${short(width ?? 0)}" height="${short(height ?? 0)}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${escaped(src)}"`);
  }

  clip(): void {
    const name = `clip${this.clips++}`;
    this.parts.push(`<clipPath id="${name}"><path d="${this.path}"/></clipPath><g clip-path="url(#${name})">`);
    this.groups++;
  }

  save(): void {
    const { fillStyle, strokeStyle, lineWidth, font, textAlign, globalAlpha } = this;
    this.kept.push([{ fillStyle, strokeStyle, lineWidth, font, textAlign, globalAlpha }, this.moved, this.groups]);
  }

  restore(): void {
    const [style, moved, groups] = this.kept.pop()!;
    Object.assign(this, style, { moved });
    for (; this.groups > groups; this.groups--) this.parts.push("</g>");
  }

  translate(x: number, y: number): void {
    this.moved += ` translate(${short(x)} ${short(y)})`;
  }

  rotate(angle: number): void {
    this.moved += ` rotate(${short((angle * 180) / Math.PI)})`;
  }
}
