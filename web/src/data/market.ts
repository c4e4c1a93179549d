// SPDX-License-Identifier: Apache-2.0
// The coins in one currency, all or some: as they are now and live, or as they were known at a moment.
import { Store } from '../lib/store';
import { ask, isAbort, Refusal } from './api';
import { follow, readCoins, type Coin } from './coin';
import { readSheets } from './sheet';

export interface Market {
  currency: string; // what `coins` are in
  at: string; // the moment asked for; empty: now
  ids: string; // only these, comma-separated; empty: all
  coins: readonly Coin[];
  byId: ReadonlyMap<string, Coin>;
  isLoaded: boolean; // these are the rows of `currency` and `at`, be it none
  isWhole: boolean; // all of them; else the first by market cap, and the others are on their way
  error: string; // why there are none, or no newer ones
}

const EMPTY: Market = { currency: '', at: '', ids: '', coins: [], byId: new Map(), isLoaded: false, isWhole: false, error: '' };

export const market = new Store<Market>(EMPTY);

type Wanted = Pick<Market, 'currency' | 'at' | 'ids'>;

const index = (coins: readonly Coin[]): Map<string, Coin> => new Map(coins.map((coin) => [coin.id, coin]));

// Of all coins what the table shows; of some, what there is.
const OF_ALL = ['id', 'symbol', 'name', 'market_cap_rank', 'current_price', 'price_change_percentage_1h_in_currency', 'price_change_percentage_24h',
  'price_change_percentage_7d_in_currency', 'market_cap', 'total_volume', 'last_updated', 'fetched_at'];
const OF_SOME = [...OF_ALL, 'price_change_percentage_30d_in_currency', 'high_24h', 'low_24h', 'circulating_supply', 'max_supply', 'fully_diluted_valuation', 'ath', 'ath_date'];

const FIRST = 50; // coins that are asked for before all others
const BUSY_MS = 3000; // until all are asked for again of a store that was too busy

let asking: AbortController | null = null;
let meanwhile: Coin[] = []; // told while rows were asked for

function askRows({ currency, at, ids }: Wanted, options: RequestInit = {}, limit?: number, columns = ids === '' ? OF_ALL : OF_SOME): Promise<Coin[]> {
  const params = { vs_currency: currency, at, ids, limit, columns: columns.join() };
  return ask<Coin[]>('api/market', params, options, (response) => readSheets(response, readCoins));
}

function show(wanted: Wanted, rows: readonly Coin[], isWhole: boolean): void {
  const isFollowed = wanted.at === '' && market.value.at === '' && wanted.currency === market.value.currency;
  const before: ReadonlyMap<string, Coin> = isFollowed ? market.value.byId : new Map();
  const coins = rows.map((coin) => follow(coin, before.get(coin.id)));
  market.set(withCoins({ ...wanted, coins, byId: index(coins), isLoaded: true, isWhole, error: '' }, meanwhile));
}

// True: there are no others. Of the past each answer costs as much as all of it.
async function loadFirst(wanted: Wanted, signal: AbortSignal): Promise<boolean> {
  const { value } = market;
  const isThere = value.coins.length > 0 && value.currency === wanted.currency && value.at === wanted.at && value.ids === '';
  if (wanted.ids !== '' || wanted.at !== '' || isThere) return false;
  const rows = await askRows(wanted, { signal }, FIRST);
  show(wanted, rows, rows.length < FIRST);
  return rows.length < FIRST;
}

/** Ask for all rows. What was asked before and has not come is not waited for. */
export async function loadMarket(wanted: Wanted): Promise<void> {
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  meanwhile = [];
  if (wanted.currency !== market.value.currency) market.set({ ...EMPTY, ...wanted });
  try {
    if (!await loadFirst(wanted, mine.signal)) show(wanted, await askRows(wanted, { signal: mine.signal }), true);
  } catch (error) {
    if (mine.signal.aborted || isAbort(error)) return;
    takeRefusal(wanted, error instanceof Refusal ? error : null);
    const lacksSome = (): boolean => market.value.coins.length > 0 && !market.value.isWhole && market.value.currency === wanted.currency && market.value.at === wanted.at;
    if (error instanceof Refusal && error.status === 503 && lacksSome()) setTimeout(() => asking !== null || !lacksSome() || void loadMarket(wanted), BUSY_MS);
  }
  if (asking === mine) asking = null;
}

/** All that is known of some coins; without ids, of all. */
export const askDetails = (of: Wanted, ids: readonly string[] = []): Promise<Coin[]> => askRows({ ...of, ids: ids.join() }, {}, undefined, OF_SOME);

/** Some coins of the market are known better now. */
export function takeDetails(of: Wanted, coins: readonly Coin[]): void {
  const { value } = market;
  if (value.currency === of.currency && value.at === of.at) market.set(withCoins(value, coins));
}

function takeRefusal(wanted: Wanted, refusal: Refusal | null): void {
  const isNone = refusal?.status === 503 || (refusal?.status === 404 && wanted.at === ''); // nothing yet
  const error = isNone ? '' : refusal?.message ?? '';
  if (wanted.at !== market.value.at || wanted.ids !== market.value.ids) market.set({ ...EMPTY, ...wanted, isLoaded: refusal !== null, error });
  else market.patch({ isLoaded: market.value.isLoaded || refusal !== null, error });
}

function withCoins(value: Market, coins: readonly Coin[]): Market {
  if (coins.length === 0) return value;
  const byId = new Map(value.byId);
  for (const coin of coins) {
    const before = byId.get(coin.id);
    if (value.ids !== '' && !before) continue;
    const isNewer = (coin.fetchedAt ?? 0) >= (before?.fetchedAt ?? 0); // an answer and events may cross
    if (isNewer) byId.set(coin.id, follow(coin, before));
  }
  return { ...value, byId, coins: [...byId.values()] };
}

/** Some coins of the present have changed. False: there are none that they could change, and none are on their way. */
export function takeCoins(currency: string, coins: readonly Coin[]): boolean {
  const { value } = market;
  if (value.at !== '' || value.currency !== currency) return true; // of no interest
  if (asking) meanwhile = meanwhile.concat(coins);
  else if (value.coins.length > 0) market.set(withCoins(value, coins));
  return asking !== null || value.coins.length > 0;
}
