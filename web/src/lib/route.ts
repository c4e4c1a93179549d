// SPDX-License-Identifier: Apache-2.0
// What is shown is said by the address alone: #/coin/bitcoin?vs_currency=eur&at=2026-11-23T14:30:00Z. Whoever has
// the address sees the same, and Back goes back.
import { Store } from './store';

export const PAGES = ['market', 'coin', 'pipeline', 'history', 'quality'] as const;
export type Page = (typeof PAGES)[number];
export type Query = Readonly<Record<string, string>>;

export interface Route {
  page: Page;
  id: string; // of the coin; else empty
  query: Query;
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s);
  const [name = '', id = ''] = path.split('/', 2);
  const page = PAGES.find((candidate) => candidate === name) ?? 'market';
  const query = Object.fromEntries(new URLSearchParams(search));
  return page === 'coin' && id === '' ? { page: 'market', id: '', query } : { page, id: page === 'coin' ? decode(id) : '', query };
}

export function formatRoute({ page, id, query }: Route): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== '');
  const search = new URLSearchParams(pairs).toString().replaceAll('%3A', ':').replaceAll('%2C', ',');
  return `#/${page}${id ? `/${encodeURIComponent(id)}` : ''}${search ? `?${search}` : ''}`;
}

/** What stays when another page is opened. */
const COMMON = ['vs_currency', 'at'];

export function link(page: Page, id = '', query: Query = {}): string {
  const kept = Object.fromEntries(COMMON.flatMap((name) => {
    const value = route.value.query[name];
    return value ? [[name, value]] : [];
  }));
  return formatRoute({ page, id, query: { ...kept, ...query } });
}

const here = (): string => (typeof location === 'undefined' ? '' : location.hash);

export const route = new Store<Route>(parseRoute(here()));

export function go(hash: string): void {
  if (location.hash !== hash) location.hash = hash;
}

/** Change parts of the query; an empty value takes its name away. A change of how, not of what, makes no step of Back. */
export function setQuery(part: Query, isStep = false): void {
  const next = formatRoute({ ...route.value, query: { ...route.value.query, ...part } });
  if (isStep) return go(next);
  history.replaceState(null, '', next);
  route.set(parseRoute(next));
}

export function followAddress(): void {
  addEventListener('hashchange', () => route.set(parseRoute(location.hash)));
}
