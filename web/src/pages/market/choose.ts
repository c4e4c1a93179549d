// SPDX-License-Identifier: Apache-2.0
// Which coins are shown, in which order: what the address says, applied to all rows.
import type { Coin } from '../../data/coin';
import { isNumber } from '../../lib/format';
import type { Query } from '../../lib/route';

export const SORTS = {
  rank: (coin: Coin) => coin.rank,
  name: (coin: Coin) => coin.key,
  price: (coin: Coin) => coin.price,
  change1h: (coin: Coin) => coin.change1h,
  change24h: (coin: Coin) => coin.change24h,
  change7d: (coin: Coin) => coin.change7d,
  cap: (coin: Coin) => coin.cap,
  volume: (coin: Coin) => coin.volume,
  updated: (coin: Coin) => coin.updatedAt,
} as const;

export type SortKey = keyof typeof SORTS;

export interface Sort {
  key: SortKey;
  isDown: boolean;
}

const isSortKey = (text: string): text is SortKey => Object.hasOwn(SORTS, text);

export function readSort(text = ''): Sort {
  const isDown = text.startsWith('-');
  const key = isDown ? text.slice(1) : text;
  return isSortKey(key) ? { key, isDown } : { key: 'rank', isDown: false };
}

export const writeSort = ({ key, isDown }: Sort): string => (key === 'rank' && !isDown ? '' : (isDown ? '-' : '') + key);

/** What a click on a heading means: names and ranks begin with the first, numbers with the largest. */
export const nextSort = (sort: Sort, key: SortKey): Sort =>
  ({ key, isDown: sort.key === key ? !sort.isDown : key !== 'name' && key !== 'rank' });

/** Sorted anew; what is not known comes last, either way. */
export function sortCoins(coins: readonly Coin[], { key, isDown }: Sort): Coin[] {
  const value = SORTS[key];
  const sign = isDown ? -1 : 1;
  return [...coins].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return a < b ? -sign : a > b ? sign : 0;
  });
}

export const ONLY = ['', 'up', 'down', 'starred', 'stale'] as const;
export type Only = (typeof ONLY)[number];

export interface Filter {
  words: string; // in the name, symbol or id
  only: Only;
  minCap: number;
  minVolume: number;
  minChange: number; // of 24 hours, percent; either way
}

/** A row that CoinGecko has not touched for so long is old. */
export const OLD_MS = 15 * 60000;

/** "1.5b" is 1,500,000,000; NaN when it is no number. */
export function readAmount(text: string): number {
  const match = /^\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([kmbt]?)\s*$/i.exec(text.replaceAll(',', ''));
  if (!match) return NaN;
  const scale = { '': 1, k: 1e3, m: 1e6, b: 1e9, t: 1e12 }[match[2]!.toLowerCase()] ?? 1;
  return Number(match[1]) * scale;
}

const minimum = (text = ''): number => {
  const value = readAmount(text);
  return Number.isFinite(value) ? value : 0;
};

export function readFilter(query: Query): Filter {
  return {
    words: query.q ?? '',
    only: ONLY.find((name) => name === query.only) ?? '',
    minCap: minimum(query.cap),
    minVolume: minimum(query.volume),
    minChange: minimum(query.change),
  };
}

export const isFiltered = (filter: Filter): boolean =>
  filter.words.trim() !== '' || filter.only !== '' || filter.minCap > 0 || filter.minVolume > 0 || filter.minChange > 0;

export function filterCoins(coins: readonly Coin[], filter: Filter, starred: ReadonlySet<string>, now: number): readonly Coin[] {
  if (!isFiltered(filter)) return coins;
  const words = filter.words.trim().toLowerCase();
  const isLarge = (value: number | null, min: number): boolean => min === 0 || (isNumber(value) && value >= min);
  const isWanted = {
    '': () => true,
    up: (coin: Coin) => (coin.change24h ?? 0) > 0,
    down: (coin: Coin) => (coin.change24h ?? 0) < 0,
    starred: (coin: Coin) => starred.has(coin.id),
    stale: (coin: Coin) => coin.updatedAt !== null && now - coin.updatedAt > OLD_MS,
  }[filter.only];
  return coins.filter((coin) => coin.key.includes(words) && isWanted(coin) && isLarge(coin.cap, filter.minCap)
    && isLarge(coin.volume, filter.minVolume) && isLarge(coin.change24h === null ? null : Math.abs(coin.change24h), filter.minChange));
}
