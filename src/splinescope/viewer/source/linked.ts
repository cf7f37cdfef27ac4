/* The window around several pages: what one says is carried to the others, points through the space of inputs. */

import type { News } from "./link";

/** Coordinates t of a view mean the input `origin` + sum of t[i] `basis[i]`; views of one `frame` move together. */
interface View { name: string; text: string; origin: number[]; basis: number[][]; frame: string; size: number }

const dot = (a: number[], b: number[]) => a.reduce((sum, part, i) => sum + part * b[i], 0);

/** Solve a small system by elimination with pivots. */
function solved(matrix: number[][], right: number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]]), n = rows.length;
  for (let k = 0; k < n; k++) {
    const pivot = rows.reduce((best, row, i) => (i >= k && Math.abs(row[k]) > Math.abs(rows[best][k]) ? i : best), k);
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    for (let i = 0; i < n; i++) {
      const factor = i === k ? 0 : rows[i][k] / rows[k][k];
      rows[i] = rows[i].map((part, j) => part - factor * rows[k][j]);
    }
  }
  return rows.map((row, i) => row[n] / row[i]);
}

/** The coordinates in one view of what is nearest to a point of another, and whether it is that point. */
export function carried(from: View, to: View, place: number[]): { place: number[]; near: boolean } | null {
  if (from.origin.length !== to.origin.length) return null;
  const input = from.origin.map((start, i) => place.reduce((sum, t, k) => sum + t * from.basis[k][i], start)), off = input.map((x, i) => x - to.origin[i]);
  const found = solved(to.basis.map((one) => to.basis.map((two) => dot(one, two))), to.basis.map((direction) => dot(direction, off)));
  const rest = off.map((x, i) => found.reduce((sum, t, k) => sum - t * to.basis[k][i], x));
  return { place: found, near: Math.sqrt(dot(rest, rest)) <= 1e-6 * to.size };
}

function begun(): void {
  const { views } = JSON.parse(document.getElementById("record")!.textContent!) as { views: View[] }, grid = document.getElementById("views")!;
  grid.style.gridTemplateColumns = `repeat(${views.length < 4 ? views.length : Math.ceil(Math.sqrt(views.length))}, 1fr)`;
  const frames = views.map(({ name, text }) => {
    const frame = document.createElement("iframe");
    Object.assign(frame, { title: name, srcdoc: text });
    grid.append(frame);
    return frame;
  });
  const ready = new Set<number>();
  window.addEventListener("message", ({ source, data }) => {
    const from = frames.findIndex(({ contentWindow }) => contentWindow === source), told = (data as { splinescope?: { ready?: true; link?: News } } | null)?.splinescope;
    if (from < 0 || !told) return;
    if (told.ready) {
      frames[from].contentWindow!.postMessage({ splinescope: { link: { linked: true } } }, "*");
      if (ready.add(from).size === frames.length) document.documentElement.dataset.ready = String(Math.round(performance.now()));
    }
    if (told.link) frames.forEach((frame, to) => {
      const news = to === from ? null : translated(views[from], views[to], told.link!);
      if (news) frame.contentWindow!.postMessage({ splinescope: { link: news } }, "*");
    });
  });
}

/** What is said of one view in the words of another. */
function translated(from: View, to: View, news: News): News | null {
  if (news.view) return from.frame === to.frame ? news : null;
  const place = news.point ?? news.choose;
  if (!place) return news;
  const there = carried(from, to, place);
  if (news.point) return there ? { point: there.place, near: there.near } : { point: null };
  return there?.near ? { choose: there.place, more: news.more } : null;
}

Object.assign(window, { carried });
begun();
