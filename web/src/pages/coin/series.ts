// SPDX-License-Identifier: Apache-2.0
// What the chart draws, of what the server sends: times in seconds, each once, and gaps that stay gaps.
import { duration, isNumber } from '../../lib/format';

/** A coin's line, as /api/series answers: times in ms. */
export interface Series {
  id: string;
  from: number;
  until: number;
  columns: string[]; // of points: t, price, total_volume and others
  points: (number | null)[][];
  gaps: [number, number][]; // when no poll happened that was promised
}

/** How many points a chart asks for; there may be one or two more. */
export const POINTS = 800;

export interface Point {
  time: number; // s
  price: number | null; // null: nothing is known then
  volume: number | null;
}

export interface Candle {
  time: number; // s, when it opens
  open: number;
  high: number;
  low: number;
  close: number;
}

export interface Gap {
  from: number; // s
  to: number;
}

export const RANGES = ['1h', '24h', '7d', '30d', '90d', '1y', 'all'] as const;
export type Range = (typeof RANGES)[number];

const HOUR_MS = 3600000;
const SPANS: Readonly<Record<Range, number>> = { '1h': HOUR_MS, '24h': 24 * HOUR_MS, '7d': 168 * HOUR_MS, '30d': 720 * HOUR_MS, '90d': 2160 * HOUR_MS, '1y': 8760 * HOUR_MS, all: Infinity };

/** How CoinGecko's ohlc is asked for it; it has none of an hour. */
export const CANDLE_DAYS: Readonly<Record<Range, string>> = { '1h': '', '24h': '1', '7d': '7', '30d': '30', '90d': '90', '1y': '365', all: 'max' };

export const readRange = (text = ''): Range | null => RANGES.find((name) => name === text) ?? null;

/** When a range begins, ms; null: when the coin was first seen. */
export const rangeStart = (range: Range, until: number): number | null => (range === 'all' ? null : until - SPANS[range]);

/** How long until a chart of the range looks another way, ms. */
export const rangeStep = (range: Range): number => (range === 'all' ? 24 * HOUR_MS : Math.max(5000, SPANS[range] / POINTS));

/** The first and the last moment of which something is known, ms; null when there is none. */
export function extentOf({ points }: Series): readonly [number, number] | null {
  const [first, last] = [points[0]?.[0], points.at(-1)?.[0]];
  return isNumber(first) && isNumber(last) ? [first, last] : null;
}

/** The range to begin with: an hour while there is no more, else the shortest from a day on that has something. */
export function fittingRange(extent: readonly [number, number] | null, until: number): Range {
  if (!extent || until - extent[0] <= SPANS['1h']) return '1h';
  return RANGES.find((range) => range !== '1h' && until - extent[1] < SPANS[range]) ?? 'all';
}

const MAX_BLANKS = 1500; // in all

/** The middle one of the steps between points. */
export function usualStep(times: readonly number[]): number {
  const steps = times.slice(1).map((time, i) => time - times[i]!).filter((step) => step > 0).sort((a, b) => a - b);
  return steps[Math.floor((steps.length - 1) / 2)] ?? 0;
}

// The chart's axis has a place for each point, not for each second: without points of nothing a gap would be as wide as a step.
function blanks(from: number, to: number, step: number, room: number): number[] {
  const n = Math.min(Math.floor((to - from) / step) - 1, room);
  return n <= 0 ? [] : Array.from({ length: n }, (_, i) => Math.round(from + ((i + 1) * (to - from)) / (n + 1)));
}

export interface Prepared {
  points: Point[];
  gaps: Gap[];
}

/** Points in order, each second once, the gaps between them filled with points of nothing. */
export function prepare(series: Series): Prepared {
  const [t, price, volume] = ['t', 'price', 'total_volume'].map((name) => series.columns.indexOf(name)) as [number, number, number];
  const byTime = new Map<number, Point>();
  for (const row of series.points) {
    const ms = row[t];
    if (!isNumber(ms)) continue;
    const time = Math.floor(ms / 1000);
    byTime.set(time, { time, price: row[price] ?? null, volume: row[volume] ?? null });
  }
  const known = [...byTime.values()].sort((a, b) => a.time - b.time);
  const step = Math.max((series.until - series.from) / 1000 / POINTS, usualStep(known.map((point) => point.time)));
  const gaps = series.gaps.map(([from, to]) => ({ from: Math.floor(from / 1000), to: Math.ceil(to / 1000) })).filter((gap) => gap.to - gap.from >= step);
  const points: Point[] = [];
  let room = MAX_BLANKS;
  for (const point of known) {
    const before = points.at(-1);
    const isApart = before && step > 0 && (point.time - before.time > 2.5 * step || gaps.some((gap) => gap.from < point.time && gap.to > before.time));
    if (isApart) {
      const between = blanks(before.time, point.time, step, room);
      room -= between.length;
      // at least one, or the line would go on
      const times = between.length > 0 || point.time - before.time < 2 ? between : [before.time + 1];
      points.push(...times.map((time) => ({ time, price: null, volume: null })));
    }
    points.push(point);
  }
  return { points, gaps: gapsOf(points) };
}

/** Where nothing is known between two points that are. */
export function gapsOf(points: readonly Point[]): Gap[] {
  const gaps: Gap[] = [];
  let last: Point | undefined;
  let isOpen = false;
  for (const point of points) {
    if (point.price === null) isOpen = last !== undefined;
    else {
      if (isOpen && last) gaps.push({ from: last.time, to: point.time });
      last = point;
      isOpen = false;
    }
  }
  return gaps;
}

/** CoinGecko's candles carry the time they close at. */
export function readCandles(rows: readonly number[][]): Candle[] {
  const byTime = new Map<number, Candle>();
  for (const [t, open, high, low, close] of rows) {
    if (![t, open, high, low, close].every(isNumber)) continue;
    const time = Math.floor(t! / 1000);
    byTime.set(time, { time, open: open!, high: high!, low: low!, close: close! });
  }
  return [...byTime.values()].sort((a, b) => a.time - b.time);
}

/** The volume at each candle: of the last point before it closes. */
export function volumesAt(candles: readonly Candle[], points: readonly Point[]): (number | null)[] {
  const step = usualStep(candles.map((candle) => candle.time));
  let i = 0;
  return candles.map(({ time }) => {
    while (i + 1 < points.length && points[i + 1]!.time <= time) i += 1;
    const point = points[i];
    return point && point.time <= time && time - point.time <= step ? point.volume : null;
  });
}

/** Candles, and times of nothing in gaps between them. */
export function spread(candles: readonly Candle[]): (Candle | { time: number })[] {
  const step = usualStep(candles.map((candle) => candle.time));
  let room = MAX_BLANKS;
  return candles.flatMap((candle, i) => {
    const before = candles[i - 1];
    if (!before || step === 0 || candle.time - before.time < 1.9 * step) return [candle];
    const between = blanks(before.time, candle.time, step, room);
    room -= between.length;
    return [...between.map((time) => ({ time })), candle];
  });
}

/** How long that is what the chart shows: of a young collector, not yet the whole range. */
export function spanWords(points: readonly Point[], range: Range): string {
  const known = points.filter((point) => isNumber(point.price));
  if (range === 'all' || known.length === 0) return 'in all';
  const ms = (known.at(-1)!.time - known[0]!.time) * 1000;
  return `in ${ms < SPANS[range] * 0.9 ? duration(ms) : range}`;
}

/** From the first to the last price there is, percent. */
export function changeOver(points: readonly Point[]): number | null {
  const known = points.filter((point) => isNumber(point.price));
  const [first, last] = [known[0]?.price, known.at(-1)?.price];
  return isNumber(first) && isNumber(last) && first !== 0 ? (last / first - 1) * 100 : null;
}
