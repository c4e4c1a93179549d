// SPDX-License-Identifier: Apache-2.0
// Where prices have been for a week: asked for of the coins in sight, some at a time, and kept for a while.
import { Store } from '../lib/store';
import { ask, Refusal } from './api';

export type Prices = readonly (number | null)[]; // hour by hour, the last of now

interface Answer {
  prices: Readonly<Record<string, Prices>>;
}

interface Kept {
  prices: Prices; // empty: none are known
  askedAt: number; // by this browser's clock, ms
}

const BATCH = 60; // as many as the server takes
const REST_MS = 120; // of scrolling, until what is in sight is asked for
const KEEP_MS = 600000;
const MAX_KEPT = 3000;

/** By the ids of coins, of the currency and moment asked for last. */
export const sparks = new Store<ReadonlyMap<string, Kept>>(new Map());

let of = { currency: '', at: '' };
let inSight: readonly string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let isAsking = false;
let isRefused = false; // this store has none

const lacking = (): string[] => {
  const oldest = Date.now() - KEEP_MS;
  return inSight.filter((id) => (sparks.value.get(id)?.askedAt ?? 0) < oldest).slice(0, BATCH);
};

function keep(ids: readonly string[], { prices }: Answer): void {
  const all = new Map(sparks.value);
  for (const id of ids) {
    all.delete(id); // the last to come is the last to go
    all.set(id, { prices: prices[id] ?? [], askedAt: Date.now() });
  }
  for (const id of all.keys()) {
    if (all.size <= MAX_KEPT) break;
    all.delete(id);
  }
  sparks.set(all);
}

async function look(): Promise<void> {
  const ids = lacking();
  if (isAsking || isRefused || ids.length === 0 || of.currency === '') return;
  const asked = of;
  isAsking = true;
  try {
    const answer = await ask<Answer>('api/sparklines', { vs_currency: asked.currency, at: asked.at, ids: ids.join() });
    if (asked === of) keep(ids, answer);
    isAsking = false;
    await look();
  } catch (error) {
    isAsking = false;
    isRefused = error instanceof Refusal && error.isAbsent; // else with the next rows that come into sight
  }
}

/** These are in sight. */
export function wantSparks(currency: string, at: string, ids: readonly string[]): void {
  if (of.currency !== currency || of.at !== at) {
    of = { currency, at };
    sparks.set(new Map());
  }
  inSight = ids;
  clearTimeout(timer);
  timer = setTimeout(() => void look(), REST_MS);
}

/** How many of the last hours anything is known of, at most all of them. */
export function hoursKnown(lines: Iterable<Kept>): number {
  let hours = 0;
  for (const { prices } of lines) {
    const first = prices.findIndex((price) => price !== null);
    if (first >= 0) hours = Math.max(hours, prices.length - first);
  }
  return hours;
}
