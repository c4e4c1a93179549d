// SPDX-License-Identifier: Apache-2.0
// The rules of src/transform/quality.h, in a sentence each.

export const RULES: Readonly<Record<string, string>> = {
  price_jump: 'The price more than doubled, or fell to less than half, since the row before.',
  rank_jump: 'The rank moved by more than 50 places and by more than half of the better rank since the row before.',
  supply_jump: 'The circulating or total supply changed by more than a quarter since the row before.',
  cap_mismatch: 'The market cap is not price times circulating supply, by a quarter or more.',
  cap_implausible: 'A coin without a rank above every ranked one, or twice the cap of the best-ranked coin.',
  negative: 'A price, cap, volume or supply below zero.',
  high_below_low: 'The highest price of 24 hours is below the lowest.',
  price_off_day: 'The price is more than 10 % outside of the highest and lowest of 24 hours.',
  price_off_record: 'The price is more than 2 % outside of the highest and lowest ever.',
  supply_order: 'More coins circulate than exist, or exist than ever will, by 5 %.',
  stale: 'CoinGecko had not touched the row for more than a day when it came.',
};

/** How many there are of each, the most frequent first. */
export function countBy<T>(list: readonly T[], key: (each: T) => string): [string, number][] {
  const counts = new Map<string, number>();
  for (const each of list) counts.set(key(each), (counts.get(key(each)) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** Those of one key together, by their first. */
export function grouped<T>(list: readonly T[], key: (each: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const each of list) {
    const name = key(each);
    const group = groups.get(name);
    if (group) group.push(each);
    else groups.set(name, [each]);
  }
  return [...groups.values()];
}
