// SPDX-License-Identifier: Apache-2.0
// What the server says, by its own names.

export interface PollMark {
  slot: string;
  ended: string;
  outcome: string;
}

export interface Job {
  name: string;
  vs_currency: string;
  what: string;
  every_ms: number;
  interval_ms: number; // adaptive: to the next poll that is promised; 0: not known, or not so
  idle: boolean;
  polling: boolean;
  last_slot: string | null;
  last_ended: string | null;
  last_ok: string | null;
  last_outcome: string;
  last_error: string;
  last_cause: string;
  last_latency_ms: number;
  last_bytes: number;
  last_attempts: number;
  failed_in_row: number;
  next_due: string | null;
  head: number;
  missed_slots: number;
  share: number | null; // of its slots that the budget lets it poll, 0 to 1; null: not known
  drift: string;
  drift_since: string | null;
  flagged: string;
  polls: PollMark[];
}

export interface Sink {
  url: string;
  state: 'starting' | 'working' | 'waiting' | 'stopped';
  state_since: string | null;
  lag: number;
  behind_since: string | null;
  polls: number;
  rows: number;
  unchanged: number;
  refused: number;
  newest_row: string | null;
  last_load: string | null;
  last_load_ms: number;
  last_error: string;
  warning: string;
}

export interface Status {
  version: string;
  pid: number;
  simulated: boolean;
  stopping: boolean;
  reader: boolean; // it serves a store that others write
  at: string | null; // the moment that it serves; null: now
  speed: number; // how many times as fast as time that moves
  ready: boolean;
  reasons: string[];
  warnings: string[];
  data_dir: string;
  started: string;
  now: string;
  key: { checked: string | null; good: boolean; trouble: string; plan: string; calls_per_minute: number; credits: number; credits_left: number };
  disk: {
    checked: string | null;
    tape_bytes: number;
    free_bytes: number;
    total_bytes: number;
    day_bytes: number;
    oldest: string | null;
    keep_ms: number;
    last_error: string;
  };
  budget: Budget;
  jobs: Job[];
  sinks: Sink[];
}

/** Calls of the billing period. */
export interface Budget {
  calls: number; // 0: no bound
  from: string | null;
  until: string | null; // null: not known
  own: number; // spent
  others: number; // spent by others with the same key
  wanted: number; // by all slots from now to its end
  runs_out: string | null; // when it would be spent if no slot was left out; null: it lasts
}

/** A poll as a store keeps it. */
export interface Poll {
  job: string;
  slot: string;
  outcome: string;
  loaded: string | null;
  started: string;
  finished: string;
  attempts: number;
  http_status: number | null;
  pages: number;
  pages_missing: number;
  rows_in: number;
  rows_new: number;
  rows_unchanged: number;
  rows_absent: number;
  rows_quarantined: number;
  bytes: number;
  credits: number | null;
  transform_version: number;
  stream: string;
  first_offset: number;
  last_offset: number;
  drift: string | null;
  error: string | null;
}

export type Value = string | number | boolean | null;

/** Rows by columns, as /api/market and its events send them. */
export interface Sheet {
  columns: string[];
  rows: Value[][];
}

/** What a poll changed, as events tell it. */
export interface Changes extends Sheet {
  vs_currency: string;
  gone: string[];
}

/** Polls that were promised and did not happen. */
export interface Gap {
  job: string;
  from_slot: string;
  until_slot: string;
}

/** A record of the tape: its header, and what was answered. */
export interface RawRecord {
  job: string;
  stream: string;
  offset: number;
  fetched_at?: string;
  latency_us?: number;
  target?: string;
  status?: number;
  body_len?: number;
  body: string | null; // null: it is no text
}
