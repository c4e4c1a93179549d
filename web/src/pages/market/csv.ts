// SPDX-License-Identifier: Apache-2.0
// The rows as shown, as a file for spreadsheets (RFC 4180).
import type { Coin } from '../../data/coin';
import { timestamp } from '../../lib/format';

const COLUMNS: readonly (readonly [string, (coin: Coin) => string | number | null])[] = [
  ['market_cap_rank', (coin) => coin.rank],
  ['id', (coin) => coin.id],
  ['symbol', (coin) => coin.symbol],
  ['name', (coin) => coin.name],
  ['current_price', (coin) => coin.price],
  ['price_change_percentage_24h', (coin) => coin.change24h],
  ['market_cap', (coin) => coin.cap],
  ['total_volume', (coin) => coin.volume],
  ['high_24h', (coin) => coin.high],
  ['low_24h', (coin) => coin.low],
  ['circulating_supply', (coin) => coin.circulating],
  ['last_updated', (coin) => (coin.updatedAt === null ? null : timestamp(coin.updatedAt))],
  ['fetched_at', (coin) => (coin.fetchedAt === null ? null : timestamp(coin.fetchedAt))],
];

// A spreadsheet would run a text that begins like a formula: coins are named by strangers.
function cell(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function makeCsv(coins: readonly Coin[], currency: string): string {
  const head = [...COLUMNS.map(([name]) => name), 'vs_currency'];
  const lines = coins.map((coin) => [...COLUMNS.map(([, value]) => cell(value(coin))), currency].join(','));
  return [head.join(','), ...lines, ''].join('\r\n');
}

export function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
