// SPDX-License-Identifier: Apache-2.0
// What states are called, and how bad they are.
import type { Sample } from '../../data/status';
import type { Job, Sink } from '../../data/types';
import type { Tone } from '../../ui/parts';

export const OUTCOMES: Readonly<Record<string, readonly [Tone, string]>> = {
  ok: ['good', 'ok'],
  partial: ['warn', 'partial'],
  failed: ['bad', 'failed'],
  aborted: ['warn', 'aborted'],
};

export const outcome = (name: string): readonly [Tone, string] => OUTCOMES[name] ?? ['', name || 'first poll to come'];

export const SINK_STATES: Readonly<Record<Sink['state'], readonly [Tone, string]>> = {
  starting: ['', 'starting'],
  working: ['good', 'working'],
  waiting: ['warn', 'waits to try again'],
  stopped: ['bad', 'stopped'],
};

/** Growth per second between the first and the last look. */
function rate(samples: readonly Sample[], value: (sample: Sample) => number | undefined): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.at <= first.at) return 0;
  return Math.max(0, (((value(last) ?? 0) - (value(first) ?? value(last) ?? 0)) * 1000) / (last.at - first.at));
}

export const recordsPerSecond = (samples: readonly Sample[], job: string): number => rate(samples, (sample) => sample.heads[job]);

export const rowsPerSecond = (samples: readonly Sample[], url: string): number => rate(samples, (sample) => sample.rows[url]);

/** How far apart its polls are now. */
export const interval = (job: Pick<Job, 'every_ms' | 'interval_ms'>): number => (job.interval_ms > 0 ? job.interval_ms : job.every_ms);

export const callsPerMinute = (job: Pick<Job, 'every_ms' | 'interval_ms'>): number => (interval(job) > 0 ? 60000 / interval(job) : 0);

/** "sqlite:./market/market.db" is a sqlite: its kind, and where it is. */
export function sinkName(url: string): [string, string] {
  const colon = url.indexOf(':');
  return colon < 0 ? [url, ''] : [url.slice(0, colon), url.slice(colon + 1)];
}
