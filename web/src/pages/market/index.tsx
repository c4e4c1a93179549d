// SPDX-License-Identifier: Apache-2.0
// All coins: search, filter, sort, watch, take away as CSV.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { isReachable, Refusal } from '../../data/api';
import { chosenCurrency } from '../../data/live';
import { askDetails, market, type Market } from '../../data/market';
import type { Coin } from '../../data/coin';
import { currencies, polled, status } from '../../data/status';
import { stars } from '../../data/stars';
import { useNow } from '../../lib/clock';
import { count, duration, many, timestamp } from '../../lib/format';
import { useKeys } from '../../lib/keys';
import { route, setQuery, type Query } from '../../lib/route';
import { useStore } from '../../lib/store';
import { Icon } from '../../ui/icons';
import { Choice, Currency, Empty } from '../../ui/parts';
import { filterCoins, isFiltered, nextSort, readFilter, readSort, sortCoins, writeSort, type Filter } from './choose';
import { makeCsv, save } from './csv';
import { MarketMap } from './map';
import { Overview } from './overview';
import { Bones, Table } from './table';

const NO_FILTER: Query = { q: '', only: '', cap: '', volume: '', change: '' };

function Amount({ name, label, hint, query }: { name: string; label: string; hint: string; query: Query }) {
  return (
    <label class="field">
      <span>{label}</span>
      <input type="text" inputMode="text" autoComplete="off" placeholder={hint} value={query[name] ?? ''}
        onInput={(event) => setQuery({ [name]: event.currentTarget.value.trim() })} />
    </label>
  );
}

function Tools({ coins, value, filter, currency }: { coins: number; value: Market; filter: Filter; currency: string }) {
  const total = value.coins.length;
  const { query } = useStore(route);
  const known = currencies(useStore(status));
  const search = useRef<HTMLInputElement>(null);
  const hasMore = filter.minCap > 0 || filter.minVolume > 0 || filter.minChange > 0;
  const [isOpen, setIsOpen] = useState(hasMore);
  useKeys([
    { keys: ['/'], help: 'Search', act: () => search.current?.select() },
    { keys: ['m'], help: 'Table or map', act: () => setQuery({ view: query.view === 'map' ? '' : 'map' }) },
  ]);

  return (
    <div class="tools">
      <label class="field search">
        <span class="unseen">Search by name, symbol or id</span>
        <Icon name="search" size={16} />
        <input ref={search} type="search" placeholder="Search coins" autoComplete="off" spellcheck={false} value={filter.words}
          onInput={(event) => setQuery({ q: event.currentTarget.value })} />
        <kbd aria-hidden="true">/</kbd>
      </label>
      <Choice label="Which coins" value={filter.only} onChoose={(only) => setQuery({ only })} options={[
        ['', 'All'], ['up', 'Up'], ['down', 'Down'], ['starred', <><Icon name="star" size={14} /> Watched</>], ['stale', 'Stale'],
      ]} />
      <button type="button" class="button" aria-expanded={isOpen} aria-controls="filters" onClick={() => setIsOpen(!isOpen)}>
        <Icon name="filter" size={16} /> Filter
      </button>
      <Choice label="As" value={query.view === 'map' ? 'map' : ''} onChoose={(view) => setQuery({ view })} options={[['', 'Table'], ['map', 'Map']] as const} />
      <p class="count quiet" role="status">{value.isLoaded && !value.isWhole ? 'all other coins are on their way…' : isFiltered(filter) ? `${count(coins)} of ${many(total, 'coin')}` : many(total, 'coin')}</p>
      <Currency options={known} value={currency} onChoose={(vs_currency) => setQuery({ vs_currency }, true)} />
      <div id="filters" class="filters" hidden={!isOpen}>
        <Amount name="cap" label="Market cap at least" hint="1b" query={query} />
        <Amount name="volume" label="Volume at least" hint="10m" query={query} />
        <Amount name="change" label="Moved in 24 h by at least, %" hint="5" query={query} />
        <button type="button" class="button" disabled={!isFiltered(filter)} onClick={() => setQuery(NO_FILTER)}>Clear</button>
      </div>
    </div>
  );
}

function WhyEmpty({ value, filter }: { value: Market; filter: Filter }) {
  const state = useStore(status);
  const answers = useStore(isReachable);
  const job = polled(state).find((candidate) => candidate.vs_currency === value.currency);
  if (value.error) return <Empty title="The rows cannot be read here" tone="warn">{value.error}</Empty>;
  if (value.coins.length > 0 && filter.only === 'starred') {
    return <Empty title="You watch no coin that is shown">Press the star in front of a coin, or <kbd>s</kbd>; this browser remembers it.</Empty>;
  }
  if (value.coins.length > 0) {
    return (
      <Empty title="No coin is left">
        Names, symbols and ids are searched. <button type="button" class="button" onClick={() => setQuery(NO_FILTER)}>Clear the filter</button>
      </Empty>
    );
  }
  if (answers === false) return <Empty title="geckotape does not answer" tone="bad">Rows appear as soon as it answers again.</Empty>;
  if (job?.last_error) return <Empty title="No poll has brought rows yet" tone="warn">{job.last_error}</Empty>;
  if (value.currency && state && !job) {
    return (
      <Empty title={`No job collects prices in ${value.currency.toUpperCase()}`}>
        Add one to the configuration, such as <code>vs: {value.currency}</code>, or run <code>geckotape run --vs {value.currency}</code>.
      </Empty>
    );
  }
  return <Empty title="The first poll is on its way">Rows appear here as soon as a sink has stored it.</Empty>;
}

/** As files have more columns than the table, they are asked for. */
function Csv({ coins, value, moment }: { coins: readonly Coin[]; value: Market; moment: number }) {
  const [isAsking, setIsAsking] = useState(false);
  const [trouble, setTrouble] = useState('');
  const write = async (): Promise<void> => {
    setIsAsking(true);
    setTrouble('');
    try {
      const full = new Map((await askDetails(value)).map((coin) => [coin.id, coin]));
      const name = `geckotape-${value.currency}-${timestamp(moment).replaceAll(':', '')}.csv`;
      save(name, makeCsv(coins.map((coin) => full.get(coin.id) ?? coin), value.currency));
    } catch (error) {
      setTrouble(error instanceof Refusal ? error.message : 'geckotape does not answer.');
    }
    setIsAsking(false);
  };
  return (
    <>
      <button type="button" class="button" disabled={coins.length === 0 || isAsking || !value.isWhole} onClick={write}>
        <Icon name="download" size={16} /> {many(coins.length, 'coin')} as CSV
      </button>
      <span class="problem" role="status">{trouble}</span>
    </>
  );
}

/** The value as it was when there was time: what is below is not waited for by the rows. */
function useLater<T>(value: T): T {
  const [later, setLater] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLater(() => value));
    return () => clearTimeout(timer);
  }, [value]);
  return later;
}

const NO_COINS: readonly Coin[] = [];

export function MarketPage() {
  const value = useStore(market);
  const { query } = useStore(route);
  const starred = useStore(stars);
  const now = useNow();
  const moment = query.at ? Date.parse(query.at) : now;
  const filter = readFilter(query);
  const sort = readSort(query.sort);
  const currency = chosenCurrency();

  const sorted = useMemo(() => sortCoins(value.coins, sort), [value.coins, sort.key, sort.isDown]);
  const shown = useMemo(() => filterCoins(sorted, filter, starred, moment),
    [sorted, filter.words, filter.only, filter.minCap, filter.minVolume, filter.minChange, starred, filter.only === 'stale' && Math.floor(moment / 5000)]);
  const newest = useMemo(() => value.coins.reduce((max, coin) => Math.max(max, coin.fetchedAt ?? 0), 0), [value.coins]);

  const isUsual = sort.key === 'rank' && !sort.isDown && !isFiltered(filter) && query.view !== 'map';
  const isWaiting = value.error === '' && (!value.isLoaded || (!value.isWhole && !isUsual));
  const rows = isWaiting ? NO_COINS : shown;
  const all = useLater(value.isWhole ? value.coins : NO_COINS);
  return (
    <>
      <h1 class="unseen">Market</h1>
      <Overview coins={all} currency={value.currency || 'usd'} />
      <section aria-label="Coins">
        <Tools coins={shown.length} value={value} filter={filter} currency={currency} />
        {query.view === 'map' && rows.length > 0 ? <MarketMap coins={rows} currency={value.currency} /> : <Table coins={rows} currency={value.currency} now={moment} at={value.at} sort={sort}
          onSort={(key) => setQuery({ sort: writeSort(nextSort(sort, key)) })}>
          {isWaiting ? <Bones /> : rows.length === 0 && <WhyEmpty value={value} filter={filter} />}
        </Table>}
        <p class="below">
          <Csv coins={rows} value={value} moment={moment} />
          {newest > 0 && <span class="quiet">newest answer {duration(moment - newest)} old</span>}
        </p>
      </section>
    </>
  );
}
