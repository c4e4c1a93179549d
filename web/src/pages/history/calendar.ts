// SPDX-License-Identifier: Apache-2.0
// Coverage by days and hours, of what is known of gaps. All of it is UTC.

export interface Span {
  from: number; // ms
  until: number;
}

export interface Cell extends Span {
  share: number | null; // of the time that was covered; null: outside of what is collected
}

export const DAY_MS = 86400000;
export const HOUR_MS = 3600000;

const overlap = (a: Span, b: Span): number => Math.max(0, Math.min(a.until, b.until) - Math.max(a.from, b.from));

/** Gaps in order, those that touch made one: two jobs may lack the same hour. */
export function joined(gaps: readonly Span[]): Span[] {
  const all: Span[] = [];
  for (const gap of [...gaps].sort((a, b) => a.from - b.from)) {
    const last = all.at(-1);
    if (last && gap.from <= last.until) last.until = Math.max(last.until, gap.until);
    else all.push({ ...gap });
  }
  return all;
}

/** @param gaps joined @param whole what is collected, from the first poll to now */
export function cell(span: Span, gaps: readonly Span[], whole: Span): Cell {
  const within = { from: Math.max(span.from, whole.from), until: Math.min(span.until, whole.until) };
  const length = within.until - within.from;
  if (length <= 0) return { ...span, share: null };
  const missed = gaps.reduce((sum, gap) => sum + overlap(gap, within), 0);
  return { ...span, share: 1 - missed / length };
}

export const cells = (from: number, step: number, n: number, gaps: readonly Span[], whole: Span): Cell[] =>
  Array.from({ length: n }, (_, i) => cell({ from: from + i * step, until: from + (i + 1) * step }, gaps, whole));

export const dayOf = (ms: number): number => Math.floor(ms / DAY_MS) * DAY_MS;

const MONDAY = 4; // 1970-01-01 was a Thursday: days since the Monday before it, and three

/** The Monday of a day's week. */
export const weekOf = (ms: number): number => dayOf(ms) - ((Math.floor(ms / DAY_MS) + MONDAY - 1) % 7) * DAY_MS;

export const MIN_WEEKS = 12;
export const MAX_WEEKS = 53;

/** Weeks of seven days, the last with the day of `whole.until`. */
export function weeks(gaps: readonly Span[], whole: Span): Cell[][] {
  const last = weekOf(whole.until);
  const n = Math.min(MAX_WEEKS, Math.max(MIN_WEEKS, Math.round((last - weekOf(whole.from)) / (7 * DAY_MS)) + 1));
  const all = cells(last - (n - 1) * 7 * DAY_MS, DAY_MS, n * 7, gaps, whole);
  return Array.from({ length: n }, (_, i) => all.slice(i * 7, i * 7 + 7));
}

/** How good a share is, as a class: what is not whole must be seen. */
export function grade(share: number | null): string {
  if (share === null) return 'none';
  if (share > 0.9999) return 'whole';
  return share > 0.99 ? 'most' : share > 0.9 ? 'much' : share > 0.5 ? 'half' : share > 0 ? 'little' : 'lost';
}

/** "99.98 %": never rounded up to a hundred. */
export const shareText = (share: number | null): string => {
  if (share === null) return 'not collected';
  return share >= 1 ? '100%' : `${(Math.floor(share * 10000) / 100).toFixed(2)}%`;
};
