// SPDX-License-Identifier: Apache-2.0
// Numbers and times as people read them. What is not known is a dash, never a 0.

export const NOTHING = '–';

const whole = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', minimumFractionDigits: 2, maximumFractionDigits: 2 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const SIGNS: Readonly<Record<string, string>> = { usd: '$', eur: '€', gbp: '£', jpy: '¥', btc: '₿', eth: 'Ξ' };

export type Maybe = number | null | undefined;

export const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

export const count = (value: Maybe): string => (isNumber(value) ? whole.format(value) : NOTHING);

export const rough = (value: Maybe): string => (isNumber(value) ? short.format(value) : NOTHING);

/** "3 polls", "1 poll". */
export const many = (n: number, word: string): string => `${whole.format(n)} ${word}${n === 1 ? '' : 's'}`;

export const unit = (currency: string): string => SIGNS[currency] ?? `${currency.toUpperCase()} `;

// 0.00000000123 is 0.0₈123: the small figure counts the zeros.
function tiny(value: number): string {
  const [digits = '', exponent = '0'] = value.toExponential(3).split('e-');
  const zeros = String(Number(exponent) - 1).replace(/\d/g, (digit) => '₀₁₂₃₄₅₆₇₈₉'[Number(digit)] ?? '');
  return `0.0${zeros}${digits.replace('.', '').replace(/0+$/, '')}`;
}

export function plain(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-4) return (value < 0 ? '-' : '') + tiny(size);
  if (size >= 1e9) return compact.format(value);
  const digits = size >= 1 || size === 0
    ? { minimumFractionDigits: 2, maximumFractionDigits: 2 }
    : { maximumSignificantDigits: size < 0.01 ? 4 : 5, minimumSignificantDigits: 2 };
  return value.toLocaleString('en', digits);
}

export const price = (value: Maybe, currency: string): string => (isNumber(value) ? unit(currency) + plain(value) : NOTHING);

export const amount = (value: Maybe, currency = ''): string =>
  (isNumber(value) ? (currency && unit(currency)) + compact.format(value) : NOTHING);

export function percent(value: Maybe): string {
  if (!isNumber(value)) return NOTHING;
  const size = Math.abs(value);
  return `${size < 1000 ? size.toFixed(size < 100 ? 2 : 1) : compact.format(size)}%`;
}

/** What a percentage is to the eye: "up", "down" or "". */
export const direction = (value: Maybe): 'up' | 'down' | '' => (!isNumber(value) || value === 0 ? '' : value > 0 ? 'up' : 'down');

export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

/** As exact as two units are: "1 h 5 min", "2 d 3 h". */
export function span(ms: number): string {
  const steps: [number, string][] = [[86400000, 'd'], [3600000, 'h'], [60000, 'min'], [1000, 's']];
  const parts: string[] = [];
  let left = Math.max(0, ms);
  for (const [size, name] of steps) {
    const n = Math.floor(left / size);
    if (n > 0) parts.push(`${n} ${name}`);
    else if (parts.length > 0) break;
    left -= n * size;
    if (parts.length === 2) break;
  }
  return parts.join(' ') || '0 s';
}

export function bytes(value: Maybe): string {
  if (!isNumber(value)) return NOTHING;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let step = 0;
  let size = value;
  while (size >= 999.5 && step < units.length - 1) {
    size /= 1000;
    step += 1;
  }
  return `${size.toFixed(step > 0 && size < 99.95 ? 1 : 0)} ${units[step]}`;
}

export function perSecond(value: number, word = ''): string {
  const shown = value === 0 ? '0' : value < 0.095 ? value.toFixed(2) : value < 9.95 ? value.toFixed(1) : short.format(value);
  return `${shown}${word}/s`;
}

export const millis = (value: Maybe): string =>
  (!isNumber(value) ? NOTHING : value < 10000 ? `${whole.format(Math.round(value))} ms` : `${(value / 1000).toFixed(1)} s`);

// ---- times: UTC, as on the tape ----

const pad = (value: number): string => String(value).padStart(2, '0');

/** Milliseconds since 1970 of a time as the server writes it; NaN when there is none. */
export const parseTime = (text: string | null | undefined): number => (text ? Date.parse(text) : NaN);

export function clockTime(ms: number): string {
  const date = new Date(ms);
  return `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
}

export const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

export const moment = (ms: number): string => (Number.isFinite(ms) ? `${day(ms)} ${clockTime(ms)} UTC` : NOTHING);

/** As in addresses and queries: RFC 3339, whole seconds; empty when there is no time. */
export const timestamp = (ms: number): string => (Number.isFinite(ms) ? `${day(ms)}T${clockTime(ms)}Z` : '');
