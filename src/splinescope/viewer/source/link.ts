/* A page beside others in one window: where one is pointed at, what is chosen and how it is coloured, all follow. */

export interface Look { color: string; palette: string; logarithmic: boolean }
export interface Seen { x: number; y: number; scale: number }
/** One thing that has changed; places are coordinates of a domain, `near` says whether the point itself lies in it. */
export interface News { point?: number[] | null; near?: boolean; choose?: number[] | null; more?: boolean; look?: Look; view?: Seen; linked?: true }
export interface Follows {
  pointed(place: number[] | null, near: boolean): void; chosen(place: number[] | null, more: boolean): void; looked(look: Look): void; viewed?(view: Seen): void;
}

export class Link {
  private on = false;

  constructor(page: Follows) {
    window.addEventListener("message", ({ data }) => {
      const news = (data as { splinescope?: { link?: News } } | null)?.splinescope?.link;
      if (!news) return;
      if (news.linked) {
        this.on = true;
        document.documentElement.classList.add("linked");
        window.dispatchEvent(new Event("resize"));
      }
      if (news.point !== undefined) page.pointed(news.point, !!news.near);
      if (news.choose !== undefined) page.chosen(news.choose, !!news.more);
      if (news.look) page.looked(news.look);
      if (news.view) page.viewed?.(news.view);
    });
  }

  tell(news: News): void {
    if (this.on) window.parent.postMessage({ splinescope: { link: news } }, "*");
  }
}

/** A point that is pointed at in another page: a disk, or a ring where it only lies nearest. */
export function spot(context: CanvasRenderingContext2D, x: number, y: number, near: boolean, { mark, paper }: { mark: string; paper: string }): void {
  context.beginPath();
  context.arc(x, y, near ? 5 : 7, 0, 2 * Math.PI);
  context.lineWidth = near ? 2 : 3;
  context.fillStyle = mark;
  context.strokeStyle = near ? paper : mark;
  if (near) context.fill();
  context.stroke();
}
