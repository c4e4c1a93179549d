// SPDX-License-Identifier: Apache-2.0
// What keeps the page in step with the collector: its events; and its status, asked for, where there are none.
import { Store } from '../lib/store';
import { route } from '../lib/route';
import { readCoins } from './coin';
import { askDetails, loadMarket, market, takeCoins, takeDetails } from './market';
import { breathe, readParts } from './sheet';
import { currencies, refreshStatus, status, takeStatus } from './status';
import type { Changes, Status } from './types';

/** The currency of the address, else the first there is. */
export const chosenCurrency = (): string => route.value.query.vs_currency ?? currencies(status.value)[0] ?? '';

export const chosenMoment = (): string => route.value.query.at ?? '';

/** Counts the polls that a sink has taken, for who shows polls. */
export const pollsSeen = new Store(0);

/** Do events come? */
export const isLive = new Store(false);

const REFUSED_MS = 30000; // until events are asked for again
const SETTLE_MS = 1500; // what is asked for before events are open may miss what they tell

// When sinks stored their newest rows: another time, newer rows to ask for.
const mark = (): string => (status.value?.sinks ?? []).map((sink) => sink.newest_row).join();

// Other pages do not show the market: its rows can wait.
const isShown = (): boolean => route.value.page === 'market' || route.value.page === 'coin';

let isOutdated = true; // of what came while no page showed it

/** Of a coin's page: does somebody look for others? */
let isSearching = false;

export function searchAll(): void {
  isSearching = true;
  followChoice();
}

// A coin's page needs its own row, and those that it is compared with.
function shownIds(): string[] {
  const { page, id, query } = route.value;
  return page === 'coin' ? [id, ...(query.with ?? '').split(',').filter(Boolean)] : [];
}

const chosenIds = (): string => (isSearching ? '' : shownIds().join());

function reload(): void {
  const wanted = { currency: chosenCurrency(), at: chosenMoment(), ids: chosenIds() };
  isOutdated = !isShown() || wanted.currency === '';
  if (!isOutdated) void loadMarket(wanted);
}

let marked = '';
let isSettled = false;

function settle(): void {
  isSettled = true;
  reload();
}

// Without events: rows are newer when a sink says so.
function followStatus(): void {
  const isNewer = isSettled && mark() !== marked;
  marked = mark();
  if (isNewer && !isLive.value) {
    pollsSeen.set(pollsSeen.value + 1);
    if (chosenMoment() === '') return reload();
  }
  followChoice();
}

// Load what the address asks for, unless it is there.
function followChoice(): void {
  const { currency, at, ids } = market.value;
  const isThere = !isOutdated && currency === chosenCurrency() && at === chosenMoment() && (ids === '' || ids === chosenIds());
  if (!isThere && isSettled) reload();
  followDetails();
}

let detailsOf = ''; // what was asked for last

// Of all coins only the table's columns are there.
function followDetails(): void {
  const { currency, at, ids, byId } = market.value;
  const lacking = ids === '' ? shownIds().flatMap((id) => byId.get(id) ?? []).filter((coin) => !coin.isFull) : [];
  const what = `${currency} ${at} ${lacking.map((coin) => `${coin.id} ${coin.fetchedAt ?? ''}`).join()}`;
  if (lacking.length === 0 || what === detailsOf) return;
  detailsOf = what;
  const of = { currency, at, ids };
  askDetails(of, lacking.map((coin) => coin.id)).then((coins) => takeDetails(of, coins), () => {
    detailsOf = '';
  });
}

const LARGE = 100000; // characters: what whoever moves the mouse would notice

async function takeChanges(text: string): Promise<void> {
  if (text.length > LARGE) await breathe(); // to receive it was enough for a turn
  const { vs_currency, gone, ...sheet } = JSON.parse(text) as Changes;
  const isWanted = (): boolean => vs_currency === chosenCurrency() && chosenMoment() === '';
  if (!isWanted()) return;
  if (!isShown()) isOutdated = true;
  if (isOutdated) return;
  const coins = await readParts(sheet, readCoins);
  // a coin that this poll lacks may be in another job's
  if (isWanted() && (!takeCoins(vs_currency, coins) || gone.length > 0)) reload();
}

let taken: Promise<void> = Promise.resolve(); // one after the other, as they came

function listen(): void {
  const events = new EventSource('api/events');
  const on = (name: string, take: (text: string) => void): void =>
    events.addEventListener(name, (event) => take((event as MessageEvent<string>).data));

  events.onopen = () => {
    isLive.set(true);
    settle();
  };
  events.onerror = () => {
    isLive.set(false);
    if (!isSettled) settle();
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, REFUSED_MS); // too many listen, or nothing here tells
  };
  on('poll', () => pollsSeen.set(pollsSeen.value + 1));
  on('market', (text) => {
    taken = taken.catch(() => undefined).then(() => takeChanges(text));
  });
  on('status', (text) => takeStatus(JSON.parse(text) as Status));
  on('reset', () => {
    refreshStatus().catch(() => undefined);
    reload();
  });
}

export function watchLive(): void {
  status.subscribe(followStatus);
  route.subscribe(followChoice);
  market.subscribe(followDetails);
  listen();
  setTimeout(() => isSettled || settle(), SETTLE_MS);
}
