// SPDX-License-Identifier: Apache-2.0
// Of 17,000 rows only those in sight are drawn; the rest is empty space of their height.
import { useEffect, useState } from 'preact/hooks';
import type { RefObject } from 'preact';

export interface Rows {
  first: number;
  end: number; // behind the last
}

const AROUND = 8; // rows drawn above and below what is in sight

/** The rows between two heights, measured from the top of the first. */
export function rowsBetween(from: number, to: number, rowHeight: number, n: number): Rows {
  const first = Math.max(0, Math.floor(from / rowHeight) - AROUND);
  const end = Math.min(n, Math.ceil(to / rowHeight) + AROUND);
  return { first: Math.min(first, Math.max(0, n - 1)), end: Math.max(end, 0) };
}

export function useRowsInSight(body: RefObject<HTMLElement | null>, rowHeight: number, n: number): Rows {
  const [sight, setSight] = useState({ from: 0, to: innerHeight });
  useEffect(() => {
    let frame = 0;
    const look = (): void => {
      frame = 0;
      if (!body.current) return;
      // by whole rows: most steps of scrolling draw nothing anew
      const from = Math.floor(-body.current.getBoundingClientRect().top / rowHeight) * rowHeight;
      setSight((now) => (now.from === from ? now : { from, to: from + rowHeight + innerHeight }));
    };
    const soon = (): void => {
      frame ||= requestAnimationFrame(look);
    };
    look();
    addEventListener('scroll', soon, { passive: true });
    addEventListener('resize', soon, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener('scroll', soon);
      removeEventListener('resize', soon);
    };
  }, [body, rowHeight, n]);
  return rowsBetween(sight.from, sight.to, rowHeight, n);
}

/** Does the window match a media query? */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const look = (): void => setMatches(list.matches);
    look();
    list.addEventListener('change', look);
    return () => list.removeEventListener('change', look);
  }, [query]);
  return matches;
}
