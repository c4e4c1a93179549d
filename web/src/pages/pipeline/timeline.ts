// SPDX-License-Identifier: Apache-2.0
// Polls as bars: when, how long, how they ended. Heights are logarithms: 5 ms and 30 s have a place.
import type { Poll } from '../../data/types';

export interface Bar {
  poll: Poll;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Tick {
  at: number; // px
  label: string;
}

export interface Timeline {
  bars: Bar[]; // the oldest first
  times: Tick[];
  latencies: Tick[];
}

export const latency = (poll: Poll): number => Math.max(0, Date.parse(poll.finished) - Date.parse(poll.started));

const LOW_MS = 1;
const STEPS: readonly (readonly [number, string])[] = [[1, '1 ms'], [10, '10 ms'], [100, '100 ms'], [1000, '1 s'], [10000, '10 s'], [100000, '100 s']];

/** Steps of the clock that leave room for their labels. */
export function timeStep(spanMs: number, n: number): number {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000];
  return (steps.find((step) => spanMs / (step * 1000) <= n) ?? 31536000) * 1000;
}

function timeTicks(from: number, to: number, width: number): Tick[] {
  const step = timeStep(to - from, Math.max(2, width / 110));
  const ticks: Tick[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const text = new Date(at).toISOString();
    const label = step >= 86400000 ? text.slice(5, 10) : step >= 60000 ? text.slice(11, 16) : text.slice(11, 19);
    const x = ((at - from) / (to - from)) * width;
    if (x > 20 && x < width - 20) ticks.push({ at: x, label }); // else its label would be cut
  }
  return ticks;
}

/** @param polls the newest first, as the API sends them */
export function makeTimeline(polls: readonly Poll[], everyMs: number, width: number, height: number): Timeline {
  const [newest, oldest] = [polls[0], polls.at(-1)];
  if (!newest || !oldest || width <= 0) return { bars: [], times: [], latencies: [] };
  const from = Date.parse(oldest.slot);
  const to = Math.max(Date.parse(newest.slot) + Math.max(everyMs, 1000), from + 1000);
  const high = Math.max(1000, ...polls.map(latency));
  const scale = (ms: number): number => (Math.log10(Math.max(ms, LOW_MS) / LOW_MS) / Math.log10((high * 1.3) / LOW_MS)) * height;
  const slot = (width * Math.max(everyMs, 1)) / (to - from);
  const barWidth = Math.max(2, Math.min(14, slot - Math.min(2, slot / 4)));
  const bars = polls.map((poll) => {
    const tall = Math.max(3, scale(latency(poll)));
    return { poll, x: Math.min(width - barWidth, ((Date.parse(poll.slot) - from) / (to - from)) * width), y: height - tall, width: barWidth, height: tall };
  }).reverse();
  return {
    bars,
    times: timeTicks(from, to, width),
    latencies: STEPS.filter(([ms]) => ms >= 10 && ms <= high * 1.3).map(([ms, label]) => ({ at: height - scale(ms), label })),
  };
}

export interface Summary {
  share: number; // of ok polls
  median: number; // ms
  slowest: number; // ms, of 99 in 100 polls none was slower
}

export function summarize(polls: readonly Poll[]): Summary | null {
  if (polls.length === 0) return null;
  const times = polls.map(latency).sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))]!;
  return { share: polls.filter((poll) => poll.outcome === 'ok').length / polls.length, median: at(0.5), slowest: at(0.99) };
}
