// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { forecast } from '../src/pages/pipeline/budget';
import type { Poll } from '../src/data/types';
import { makeTimeline, summarize, timeStep } from '../src/pages/pipeline/timeline';
import { callsPerMinute, interval, recordsPerSecond, sinkName } from '../src/pages/pipeline/words';

const T0 = Date.UTC(2026, 10, 23);

const poll = (second: number, tookMs: number, outcome = 'ok'): Poll => ({
  slot: new Date(T0 + second * 1000).toISOString(),
  started: new Date(T0 + second * 1000).toISOString(),
  finished: new Date(T0 + second * 1000 + tookMs).toISOString(),
  outcome,
} as Poll);

export function bars_stand_where_their_time_is_and_stay_inside(): void {
  const polls = [poll(60, 10), poll(50, 30000, 'failed'), poll(0, 1)];
  const { bars, latencies } = makeTimeline(polls, 10000, 700, 150);
  assert.deepEqual(bars.map((bar) => bar.poll.slot), [...polls].reverse().map((each) => each.slot));
  assert.deepEqual(bars.map((bar) => Math.round(bar.x)), [0, 500, 600]);
  for (const bar of bars) assert.ok(bar.y >= 0 && bar.x + bar.width <= 700 && bar.height >= 3);
  assert.ok(bars[1]!.height > bars[2]!.height && bars[2]!.height > bars[0]!.height);
  assert.deepEqual(latencies.map((tick) => tick.label), ['10 ms', '100 ms', '1 s', '10 s']);
}

export function no_polls_and_one_poll_are_drawn_too(): void {
  assert.deepEqual(makeTimeline([], 1000, 700, 150).bars, []);
  assert.equal(makeTimeline([poll(0, 5)], 0, 700, 150).bars.length, 1);
  assert.equal(makeTimeline([poll(0, 5)], 1000, 0, 150).bars.length, 0);
}

export function ticks_have_round_times(): void {
  assert.equal(timeStep(60000, 6), 10000);
  assert.equal(timeStep(86400000, 8), 10800000);
  assert.equal(timeStep(86400000 * 3650, 2), 31536000000);
}

export function a_summary_counts_what_was_ok(): void {
  const sum = summarize([poll(0, 10), poll(1, 20), poll(2, 30), poll(3, 4000, 'failed')])!;
  assert.deepEqual(sum, { share: 0.75, median: 30, slowest: 4000 });
  assert.equal(summarize([]), null);
}

export function rates_are_over_the_time_looked_at(): void {
  const samples = [0, 10].map((s) => ({ at: s * 1000, heads: { top: s * 2 }, rows: {} }));
  assert.equal(recordsPerSecond(samples, 'top'), 2);
  assert.equal(recordsPerSecond(samples, 'new'), 0);
  assert.equal(recordsPerSecond(samples.slice(1), 'top'), 0);
}

export function an_adaptive_job_is_as_fast_as_it_is_now(): void {
  assert.equal(interval({ every_ms: 30000, interval_ms: 120000 }), 120000);
  assert.equal(callsPerMinute({ every_ms: 30000, interval_ms: 120000 }), 0.5);
  assert.equal(callsPerMinute({ every_ms: 30000, interval_ms: 0 }), 2);
  assert.equal(callsPerMinute({ every_ms: 0, interval_ms: 0 }), 0);
}

export function a_sink_is_called_by_its_kind(): void {
  assert.deepEqual(sinkName('sqlite:./data/market.db'), ['sqlite', './data/market.db']);
  assert.deepEqual(sinkName('null:'), ['null', '']);
}

export function a_budget_lasts_is_stretched_or_is_spent(): void {
  const [now, until] = [Date.UTC(2026, 10, 20), '2026-12-01T00:00:00Z'];
  const of = (own: number, wanted: number) => forecast({ calls: 10000, from: null, until, own, others: 1000, wanted, runs_out: '2026-11-25T12:00:00Z' }, now);
  assert.deepEqual(of(5000, 4000).slice(0, 2), ['good', 'lasts']);
  assert.match(of(5000, 4001)[2], /4,001 calls, but 4,000 are left, which would be spent 2026-11-25 12:00:00 UTC/);
  assert.deepEqual(of(9500, 1).slice(0, 2), ['bad', 'spent']);
  assert.match(of(9500, 1)[2], /^Nothing is polled for 11 d/);
}
