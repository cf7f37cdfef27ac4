/* Pointers, wheel and keys of a stage: one listener for pages of every kind. */

import { haloed, inks } from "./dom";

type Place = [number, number];

export interface Gestures {
  /** The pointer rests at a place; null where it has left. */
  point(place: Place | null): void;
  click(place: Place, more: boolean): void;
  drag(dx: number, dy: number, other: boolean): void;
  zoom(factor: number, place?: Place): void;
  /** Where Enter and the space bar click: at a cross that keys show. */
  cursor(): Place;
  /** Whether keys are used, so that the cross is shown. */
  keyed(on: boolean): void;
  /** Whether the key meant something. */
  key(key: string): boolean;
  resize(): void;
}

export function listen(stage: HTMLElement, on: Gestures): void {
  const fingers = new Map<number, Place>(), place = (event: MouseEvent): Place => [event.clientX, event.clientY];
  const hear = <K extends keyof HTMLElementEventMap>(kind: K, act: (event: HTMLElementEventMap[K]) => void) => stage.addEventListener(kind, act, { passive: false });
  let travelled = 0;
  window.addEventListener("resize", () => on.resize());
  hear("wheel", (event) => {
    event.preventDefault();
    on.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), place(event));
  });
  hear("contextmenu", (event) => event.preventDefault());
  hear("pointerdown", (event) => {
    fingers.set(event.pointerId, place(event));
    stage.setPointerCapture(event.pointerId);
    travelled = 0;
  });
  hear("pointermove", (event) => {
    const before = fingers.get(event.pointerId), here = place(event);
    if (!before) {
      on.keyed(false);
      return on.point(here);
    }
    const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    travelled += Math.hypot(here[0] - before[0], here[1] - before[1]);
    if (others.length) {
      const [other] = others, apart = (at: Place) => Math.hypot(at[0] - other[0], at[1] - other[1]);
      on.zoom(apart(here) / Math.max(apart(before), 1), other);
    } else on.drag(here[0] - before[0], here[1] - before[1], event.shiftKey || (event.buttons & 2) > 0);
    fingers.set(event.pointerId, here);
  });
  const up = (event: PointerEvent) => {
    if (fingers.delete(event.pointerId) && event.type === "pointerup" && travelled < 4) on.click(place(event), event.shiftKey || event.ctrlKey || event.metaKey);
  };
  hear("pointerup", up);
  hear("pointercancel", up);
  hear("pointerleave", ({ pointerType }) => {
    if (pointerType !== "touch") on.point(null); // a finger that was lifted still points
  });
  hear("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const choose = event.key === "Enter" || event.key === " ";
    if (choose || arrow(event.key) || /^[-+=0]$/.test(event.key)) on.keyed(true);
    if (choose) on.click(on.cursor(), event.shiftKey);
    else if (!on.key(event.key)) return;
    event.preventDefault();
  });
  stage.focus({ preventScroll: true });
}

/** A cross where keys choose. */
export function crossed(context: CanvasRenderingContext2D, [x, y]: Place): void {
  const { ink, paper } = inks();
  Object.assign(context, { font: "36px sans-serif", textAlign: "center", textBaseline: "middle", fillStyle: ink, strokeStyle: paper });
  haloed(context, "+", x, y);
  Object.assign(context, { textAlign: "left", textBaseline: "alphabetic" });
}

/** Moves of the arrow keys, in pixels; null for other keys. */
export function arrow(key: string): Place | null {
  const step = 60, moves: Record<string, Place> = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  return moves[key] ?? null;
}
