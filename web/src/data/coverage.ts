// SPDX-License-Identifier: Apache-2.0
// Polls by days, as /api/coverage counts them, and how far back the store goes.
import { parseTime, timestamp } from '../lib/format';
import { useLoaded, type Loaded } from '../lib/load';
import { now as serverNow } from './status';
import type { Status } from './types';

export interface Day {
  day: string;
  ok: number;
  partial: number;
  failed: number;
  aborted: number;
  promised: number; // slots that a poll said would come
  missed: number; // of them
  gaps: number;
  gap_ms: number;
}

export interface Coverage {
  job: string;
  days: Day[];
}

const DAY_MS = 86400000;
const MAX_DAYS = 399;

export const pollsOf = (day: Day): number => day.ok + day.partial + day.failed + day.aborted;

/** When the first poll was, as near as days and the beginning of the tape tell; NaN when there is none. */
export function firstPoll(days: readonly Day[], value: Status | null): number {
  const first = parseTime(days.find((day) => pollsOf(day) > 0)?.day);
  const known = [parseTime(value?.disk.oldest), parseTime(value?.started)].filter((ms) => ms >= first && ms < first + DAY_MS);
  return known.length > 0 ? Math.min(...known) : first;
}

/** @param again counts what makes it worth asking anew */
export function useCoverage(job: string, again: number): Loaded<Coverage> {
  const today = Math.floor(serverNow() / DAY_MS) * DAY_MS;
  return useLoaded<Coverage>(job && 'api/coverage', { job, from: timestamp(today - MAX_DAYS * DAY_MS) }, again);
}
