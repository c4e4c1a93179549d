// SPDX-License-Identifier: Apache-2.0
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { flash, type Coin } from '../../data/coin';
import { hoursKnown, sparks, wantSparks, type Prices } from '../../data/sparks';
import { stars, toggleStar } from '../../data/stars';
import { amount, count, duration, moment, NOTHING, price } from '../../lib/format';
import { useKeys } from '../../lib/keys';
import { go, link } from '../../lib/route';
import { useStore } from '../../lib/store';
import { Icon } from '../../ui/icons';
import { Badge, Change } from '../../ui/parts';
import { Spark } from '../../ui/spark';
import { OLD_MS, type Sort, type SortKey } from './choose';
import { useMedia, useRowsInSight } from './window';

const ROW_HEIGHT = 52;
const ROW_HEIGHT_NARROW = 60;
const NARROW = '(max-width: 720px)';

interface Column {
  name: string; // its class
  sort?: SortKey;
  head: ComponentChildren;
}

const columnsOf = (has: { hour: boolean; week: boolean; trend: string }): Column[] => [
  { name: 'star', head: <span class="unseen">Watch</span> },
  { name: 'rank', sort: 'rank', head: <><span aria-hidden="true">#</span><span class="unseen">Rank</span></> },
  { name: 'coin', sort: 'name', head: 'Coin' },
  { name: 'price', sort: 'price', head: 'Price' },
  ...(has.hour ? [{ name: 'hour', sort: 'change1h' as const, head: '1h' }] : []),
  { name: 'day', sort: 'change24h', head: '24h' },
  ...(has.week ? [{ name: 'week', sort: 'change7d' as const, head: '7d' }] : []),
  { name: 'cap', sort: 'cap', head: 'Market cap' },
  { name: 'volume', sort: 'volume', head: 'Volume 24h' },
  { name: 'trend', head: has.trend },
  { name: 'age', sort: 'updated', head: 'Updated' },
];

function Age({ coin, now }: { coin: Coin; now: number }) {
  if (coin.updatedAt === null) return <>{NOTHING}</>;
  const age = now - coin.updatedAt;
  const tone = age > OLD_MS ? 'old' : age > OLD_MS / 5 ? 'ageing' : 'fresh';
  return <span class={`updated ${tone}`}>{duration(age)}</span>;
}

const ageTitle = (coin: Coin): string => [
  coin.updatedAt !== null && `CoinGecko's own time: ${moment(coin.updatedAt)}`,
  coin.fetchedAt !== null && `Known here since ${moment(coin.fetchedAt)}`,
].filter(Boolean).join('\n');

const CELLS: Record<string, (coin: Coin, currency: string, now: number, isStarred: boolean, week: Prices | null) => ComponentChildren> = {
  star: (coin, _currency, _now, isStarred) => (
    <button type="button" class="watch" aria-pressed={isStarred} aria-label={`Watch ${coin.name}`} onClick={() => toggleStar(coin.id)}>
      <Icon name="star" size={16} isFull={isStarred} />
    </button>
  ),
  rank: (coin) => coin.rank ?? NOTHING,
  coin: (coin) => (
    <a class="name" href={link('coin', coin.id)} title={coin.id}>
      <Badge id={coin.id} symbol={coin.symbol} name={coin.name} />
      <span class="names"><b>{coin.name || coin.id}</b><i>{coin.symbol}</i></span>
    </a>
  ),
  price: (coin, currency) => (
    <>
      <span key={`${coin.id} ${coin.moves}`} class={flash(coin)} title={coin.price === null ? '' : String(coin.price)}>
        {price(coin.price, currency)}
      </span>
      <span class="narrow"><Change value={coin.change24h} /></span>
    </>
  ),
  hour: (coin) => <Change value={coin.change1h} />,
  day: (coin) => <Change value={coin.change24h} />,
  week: (coin) => <Change value={coin.change7d} />,
  cap: (coin, currency) => <span title={count(coin.cap)}>{amount(coin.cap, currency)}</span>,
  volume: (coin, currency) => <span title={count(coin.volume)}>{amount(coin.volume, currency)}</span>,
  trend: (coin, _currency, _now, _isStarred, week) => <Spark values={week ?? coin.trail} />,
  age: (coin, _currency, now) => <Age coin={coin} now={now} />,
};

function Head({ columns, sort, onSort }: { columns: Column[]; sort: Sort; onSort: (key: SortKey) => void }) {
  return (
    <thead>
      <tr aria-rowindex={1}>
        {columns.map((column) => {
          const key = column.sort;
          const isSorted = key !== undefined && key === sort.key;
          return (
            <th key={column.name} scope="col" class={column.name} {...(isSorted ? { 'aria-sort': sort.isDown ? 'descending' : 'ascending' } as const : {})}>
              {key ? <button type="button" onClick={() => onSort(key)}>{column.head}</button> : column.head}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

// Arrows walk through the rows; what is walked to comes into sight and gets the focus.
function useWalk(coins: readonly Coin[], rowHeight: number, body: { current: HTMLElement | null }) {
  const [walked, setWalked] = useState(-1);
  const target = useRef(-1); // not there yet; an effect may be one of an earlier picture, which knows an earlier `walked`

  const walk = (to: number): void => {
    const i = Math.max(0, Math.min(coins.length - 1, to));
    if (!body.current || coins.length === 0) return;
    const top = body.current.getBoundingClientRect().top + scrollY + i * rowHeight;
    const [above, below] = [120, 140]; // what lies over the page at its edges
    if (top < scrollY + above) scrollTo({ top: top - above });
    else if (top + rowHeight > scrollY + innerHeight - below) scrollTo({ top: top + rowHeight - innerHeight + below });
    target.current = i;
    setWalked(i);
  };
  useEffect(() => {
    if (target.current < 0) return;
    const row = body.current?.querySelector<HTMLElement>(`tr[data-i="${target.current}"] a`);
    if (!row) return; // drawn with the next frame
    row.focus({ preventScroll: true });
    target.current = -1;
  });
  const current = (): number => {
    const focused = document.activeElement?.closest<HTMLElement>('tr[data-i]')?.dataset.i;
    return focused === undefined ? walked : Number(focused);
  };
  const page = (): number => Math.max(1, Math.floor(innerHeight / rowHeight) - 5);
  useKeys([
    { keys: ['ArrowDown', 'j'], help: 'Next coin', act: () => walk(current() + 1) },
    { keys: ['ArrowUp', 'k'], help: 'Previous coin', act: () => walk(current() - 1) },
    { keys: ['PageDown'], help: '', act: () => walk(current() + page()) },
    { keys: ['PageUp'], help: '', act: () => walk(current() - page()) },
    { keys: ['Home'], help: 'First coin', act: () => walk(0) },
    { keys: ['End'], help: 'Last coin', act: () => walk(coins.length - 1) },
    { keys: ['s'], help: 'Watch the coin, or no more', act: () => {
      const coin = coins[current()];
      if (coin) toggleStar(coin.id);
    } },
  ]);
}

const MIN_HOURS = 4; // fewer make no line: that of this session says more

/** Of each coin in sight its week, or what there is of it, and what that is called. */
function useTrends(coins: readonly Coin[], currency: string, at: string): [(coin: Coin) => Prices | null, string] {
  const known = useStore(sparks);
  const ids = coins.map((coin) => coin.id).join();
  useEffect(() => wantSparks(currency, at, ids === '' ? [] : ids.split(',')), [currency, at, ids]);
  const hours = useMemo(() => hoursKnown(known.values()), [known]);
  if (hours < MIN_HOURS) return [() => null, at ? 'Before' : 'This session'];
  const name = hours > 160 ? 'Last 7 days' : hours > 48 ? `Last ${Math.round(hours / 24)} days` : `Last ${hours} h`;
  return [(coin) => {
    const prices = known.get(coin.id)?.prices.slice(-hours);
    return prices ? [...prices, coin.price] : [];
  }, name];
}

export function Table({ coins, currency, at, now, sort, onSort, children }: {
  coins: readonly Coin[];
  currency: string;
  now: number;
  at: string; // the moment they are of; empty: now
  sort: Sort;
  onSort: (key: SortKey) => void;
  children?: ComponentChildren; // in place of rows
}) {
  const starred = useStore(stars);
  const body = useRef<HTMLTableSectionElement>(null);
  const rowHeight = useMedia(NARROW) ? ROW_HEIGHT_NARROW : ROW_HEIGHT;
  const { first, end } = useRowsInSight(body, rowHeight, coins.length);
  const [weekOf, trend] = useTrends(coins.slice(first, end), currency, at);
  const columns = useMemo(() => columnsOf({
    hour: coins.some((coin) => coin.change1h !== null),
    week: coins.some((coin) => coin.change7d !== null),
    trend,
  }), [coins, trend]);
  useWalk(coins, rowHeight, body);

  const open = (event: MouseEvent, coin: Coin): void => {
    if (!(event.target as HTMLElement).closest('a, button') && getSelection()?.isCollapsed !== false) go(link('coin', coin.id));
  };
  return (
    <div class="sheet market-sheet">
      <table class="market" aria-rowcount={coins.length + 1}>
        <caption class="unseen">Coins and their latest rows; the headings sort</caption>
        <Head columns={columns} sort={sort} onSort={onSort} />
        <tbody ref={body}>
          {first > 0 && <tr class="space" aria-hidden="true"><td style={{ height: `${first * rowHeight}px` }} /></tr>}
          {coins.slice(first, end).map((coin, i) => (
            // by place, not by coin: a row that moved would lose the focus
            <tr key={first + i} data-i={first + i} aria-rowindex={first + i + 2} onClick={(event) => open(event, coin)}>
              {columns.map(({ name }) => (
                <td key={name} class={name} title={name === 'age' ? ageTitle(coin) : undefined}>
                  {CELLS[name]!(coin, currency, now, starred.has(coin.id), weekOf(coin))}
                </td>
              ))}
            </tr>
          ))}
          {end < coins.length && (
            <tr class="space" aria-hidden="true"><td style={{ height: `${(coins.length - end) * rowHeight}px` }} /></tr>
          )}
        </tbody>
      </table>
      {children}
    </div>
  );
}

/** Holds the rows' place until they are there. */
export function Bones({ n = 14 }: { n?: number }) {
  return (
    <div class="bones" aria-hidden="true">
      {Array.from({ length: n }, (_, i) => <div key={i} class="bone-row"><span class="bone short" /><span class="bone" /><span class="bone" /><span class="bone" /></div>)}
    </div>
  );
}
