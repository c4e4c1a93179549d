// SPDX-License-Identifier: Apache-2.0
// A coin's row, made of the columns that the server sends: its own names, in any order.
import { isNumber } from '../lib/format';
import type { Sheet, Value } from './types';

export interface Coin {
  id: string;
  symbol: string;
  name: string;
  key: string; // what search looks into, lower case
  rank: number | null;
  price: number | null;
  change1h: number | null;
  change24h: number | null;
  change7d: number | null;
  change30d: number | null;
  cap: number | null;
  volume: number | null;
  high: number | null;
  low: number | null;
  circulating: number | null;
  max: number | null;
  diluted: number | null;
  ath: number | null;
  athAt: number | null;
  updatedAt: number | null; // CoinGecko's own time, ms
  fetchedAt: number | null; // when it was known here, ms
  isFull: boolean; // else only what the table of all coins shows was asked for
  trail: readonly number[]; // prices seen since the page was opened, the newest last
  moved: '' | 'up' | 'down'; // by the last change of the price that was seen
  moves: number; // how many there were
  movedAt: number; // by this browser's clock, ms
}

const TRAIL = 60;

const text = (value: Value | undefined): string => (value === null || value === undefined ? '' : String(value));

const number = (value: Value | undefined): number | null => (isNumber(value) ? value : null);

function time(value: Value | undefined): number | null {
  const ms = typeof value === 'string' ? Date.parse(value) : isNumber(value) ? value : NaN;
  return Number.isFinite(ms) ? ms : null;
}

/** One shape for all, field by field: 17,000 of them are made at once. */
export function readCoins({ columns, rows }: Sheet): Coin[] {
  const places = new Map(columns.map((name, i) => [name, i]));
  const place = (name: string): number => places.get(name) ?? -1;
  const [id, symbol, name, rank, price] = [place('id'), place('symbol'), place('name'), place('market_cap_rank'), place('current_price')];
  const [change1h, change24h, change7d, change30d] = ['1h_in_currency', '24h', '7d_in_currency', '30d_in_currency'].map((span) =>
    place(`price_change_percentage_${span}`)) as [number, number, number, number];
  const [cap, volume, high, low] = [place('market_cap'), place('total_volume'), place('high_24h'), place('low_24h')];
  const [circulating, max, diluted] = [place('circulating_supply'), place('max_supply'), place('fully_diluted_valuation')];
  const [ath, athAt, updatedAt, fetchedAt] = [place('ath'), place('ath_date'), place('last_updated'), place('fetched_at')];

  return rows.map((row): Coin => ({
    id: text(row[id]),
    symbol: text(row[symbol]),
    name: text(row[name]),
    key: `${text(row[name])}\n${text(row[symbol])}\n${text(row[id])}`.toLowerCase(),
    rank: number(row[rank]),
    price: number(row[price]),
    change1h: number(row[change1h]),
    change24h: number(row[change24h]),
    change7d: number(row[change7d]),
    change30d: number(row[change30d]),
    cap: number(row[cap]),
    volume: number(row[volume]),
    high: number(row[high]),
    low: number(row[low]),
    circulating: number(row[circulating]),
    max: number(row[max]),
    diluted: number(row[diluted]),
    ath: number(row[ath]),
    athAt: time(row[athAt]),
    updatedAt: time(row[updatedAt]),
    fetchedAt: time(row[fetchedAt]),
    isFull: high >= 0,
    trail: NO_TRAIL,
    moved: '',
    moves: 0,
    movedAt: 0,
  }));
}

const NO_TRAIL: readonly number[] = [];

// Until they are asked for again, those of before do.
function keepDetails(next: Coin, before: Coin): void {
  next.change30d = before.change30d;
  next.high = before.high;
  next.low = before.low;
  next.circulating = before.circulating;
  next.max = before.max;
  next.diluted = before.diluted;
  next.ath = before.ath;
  next.athAt = before.athAt;
}

/** The coin as it is now (which is changed), with what has been seen of it before. */
export function follow(next: Coin, before: Coin | undefined): Coin {
  if (!before) return next;
  if (!next.isFull) keepDetails(next, before);
  const isMoved = isNumber(next.price) && isNumber(before.price) && next.price !== before.price;
  if (!isMoved) {
    next.trail = before.trail;
    next.moved = before.moved;
    next.moves = before.moves;
    next.movedAt = before.movedAt;
    return next;
  }
  const trail = before.trail.length > 0 ? before.trail : [before.price!];
  next.trail = [...trail, next.price!].slice(-TRAIL);
  next.moved = next.price! > before.price! ? 'up' : 'down';
  next.moves = before.moves + 1;
  next.movedAt = Date.now();
  return next;
}

const FRESH_MS = 2000;

/** What marks a price that has just changed: the class, and empty when it is long ago. */
export const flash = (coin: Coin): string => (coin.moves > 0 && Date.now() - coin.movedAt < FRESH_MS ? `moved ${coin.moved}` : '');
