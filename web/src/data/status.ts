// SPDX-License-Identifier: Apache-2.0
// The state of the collector, asked for again and again while somebody looks.
import { Store } from '../lib/store';
import { parseTime } from '../lib/format';
import { ask } from './api';
import type { Job, Status } from './types';

const REFRESH_MS = 5000;

export const status = new Store<Status | null>(null);

let told = { server: 0, here: 0, speed: 1 }; // what the time was there and here, and how fast it goes there

/** What the time is to the server's answers. */
export const now = (): number => (told.here === 0 ? Date.now() : told.server + (Date.now() - told.here) * told.speed);

/** What happened between two looks at the status, for rates. */
export interface Sample {
  at: number; // ms
  heads: Readonly<Record<string, number>>; // of jobs: records on the tape
  rows: Readonly<Record<string, number>>; // of sinks: stored or found unchanged
}

const WINDOW_MS = 60000;
const STEP_MS = 2000; // events may come more often
export const samples = new Store<readonly Sample[]>([]);

function sample(next: Status): Sample {
  return {
    at: parseTime(next.now),
    heads: Object.fromEntries(next.jobs.map((job) => [job.name, job.head])),
    rows: Object.fromEntries(next.sinks.map((sink) => [sink.url, sink.rows + sink.unchanged])),
  };
}

export function takeStatus(next: Status): void {
  told = { server: parseTime(next.at ?? next.now), here: Date.now(), speed: next.at ? next.speed : 1 };
  const isAnother = status.value !== null && status.value.started !== next.started;
  const taken = sample(next);
  const kept = isAnother ? [] : samples.value.filter(({ at }) => at > taken.at - WINDOW_MS);
  if (taken.at - (kept.at(-1)?.at ?? 0) >= STEP_MS) samples.set([...kept, taken]);
  status.set(next);
}

export const refreshStatus = async (): Promise<void> => takeStatus(await ask<Status>('api/status'));

/** Jobs that somebody polls. */
export const polled = (value: Status | null): Job[] => value?.jobs.filter((job) => !job.idle) ?? [];

/** Currencies that rows come in, the first the one to show. */
export function currencies(value: Status | null): string[] {
  const found = (value?.jobs ?? []).map((job) => job.vs_currency).filter((name) => name !== '');
  return [...new Set(found)].sort((a, b) => Number(b === 'usd') - Number(a === 'usd'));
}

export function watchStatus(): void {
  const look = (): void => {
    if (!document.hidden) refreshStatus().catch(() => undefined); // isReachable tells
  };
  setInterval(look, REFRESH_MS);
  document.addEventListener('visibilitychange', look);
  look();
}
