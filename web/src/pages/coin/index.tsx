// SPDX-License-Identifier: Apache-2.0
// One coin: its price over time, beside others, and what stands behind each point.
import { useMemo, useState } from 'preact/hooks';
import { isReachable, type Params, type Refusal } from '../../data/api';
import { flash, type Coin } from '../../data/coin';
import { chosenCurrency, pollsSeen } from '../../data/live';
import { market } from '../../data/market';
import { currencies, now as serverNow, polled, status } from '../../data/status';
import { stars, toggleStar } from '../../data/stars';
import { useNow } from '../../lib/clock';
import { moment, price, timestamp } from '../../lib/format';
import { useKeys } from '../../lib/keys';
import { useLoaded, useLoadedEach } from '../../lib/load';
import { link, setQuery, type Query, type Route } from '../../lib/route';
import { useStore } from '../../lib/store';
import { Finder } from '../../ui/finder';
import { Icon } from '../../ui/icons';
import { Badge, Change, Choice, Currency, Empty } from '../../ui/parts';
import { Behind } from './behind';
import type { Shown } from './chart';
import { CoinFacts, DayRange } from './facts';
import { Picture } from './picture';
import { CANDLE_DAYS, changeOver, extentOf, fittingRange, POINTS, prepare, RANGES, rangeStart, rangeStep, readCandles, readRange, spanWords, type Range, type Series } from './series';

const COLOURS = ['#4f9dff', '#e0a83c', '#c77dff', '#ff7ab2', '#42c6c6']; // seen on dark and on light
const MAX_OTHERS = COLOURS.length;

const others = (query: Query): string[] => (query.with ?? '').split(',').filter(Boolean).slice(0, MAX_OTHERS);

const SERIES = 'api/series';

function seriesParams(id: string, currency: string, range: Range, at: string): Params {
  const from = rangeStart(range, at ? Date.parse(at) : serverNow());
  return { id, vs_currency: currency, from: from === null ? '' : timestamp(from), until: at, points: POINTS };
}

// There are no candles of an hour.
const candlesOf = (range: Range): Query => ({ kind: 'candles', range: CANDLE_DAYS[range] ? range : '24h' });

function Title({ coin, id, currency }: { coin: Coin | undefined; id: string; currency: string }) {
  const starred = useStore(stars).has(id);
  const known = currencies(useStore(status));
  return (
    <header class="coin-head">
      <Badge id={id} symbol={coin?.symbol ?? ''} name={coin?.name ?? id} size={44} />
      <div class="coin-title">
        <h1>{coin?.name ?? id} <span class="quiet">{coin?.symbol.toUpperCase()}</span>{coin?.rank && <span class="chip">#{coin.rank}</span>}</h1>
        <p class="coin-price">
          <b key={coin?.moves} class={coin ? flash(coin) : ''} title={String(coin?.price ?? '')}>{price(coin?.price, currency)}</b>
          {coin && <Change value={coin.change24h} />}<span class="quiet small wide-only">24 h</span>
        </p>
      </div>
      <DayRange coin={coin} currency={currency} />
      <span class="spring" />
      <Currency options={known} value={currency} onChoose={(vs_currency) => setQuery({ vs_currency }, true)} />
      <button type="button" class="button watch-button" aria-pressed={starred} aria-label={`Watch ${coin?.name ?? id}`} onClick={() => toggleStar(id)}>
        <Icon name="star" size={16} isFull={starred} /><span class="wide-only">{starred ? 'Watched' : 'Watch'}</span>
      </button>
    </header>
  );
}

function Compared({ ids, changes }: { ids: string[]; changes: (number | null)[] }) {
  const { byId } = useStore(market);
  const without = (id: string): void => setQuery({ with: ids.filter((other) => other !== id).join(',') });
  return (
    <ul class="compared" aria-label="Compared with">
      {ids.map((id, i) => (
        <li key={id}>
          <span class="swatch" style={{ background: COLOURS[i] }} />
          <a href={link('coin', id)}>{byId.get(id)?.name ?? id}</a> <Change value={changes[i] ?? null} />
          <button type="button" class="icon-button" aria-label={`Compare no more with ${byId.get(id)?.name ?? id}`} onClick={() => without(id)}><Icon name="close" size={14} /></button>
        </li>
      ))}
    </ul>
  );
}

function WhyNothing({ refusal, isLost, range, currency, extent, until }: { refusal: Refusal | null; isLost: boolean; range: Range; currency: string; extent: readonly [number, number] | null; until: number }) {
  if (isLost) return <Empty title="geckotape does not answer" tone="bad">The chart appears as soon as it answers again.</Empty>;
  if (refusal?.isAbsent) return <Empty title="This store has no history to draw" tone="warn">{refusal.message}</Empty>;
  if (refusal) return <Empty title="The chart cannot be drawn" tone="warn">{refusal.message}</Empty>;
  const fitting = fittingRange(extent, until);
  if (extent && fitting !== range) {
    return (
      <Empty title={`Nothing is known in ${currency.toUpperCase()} of this time`}>
        There is something from {moment(extent[0])} to {moment(extent[1])}.
        {' '}<button type="button" class="button" onClick={() => setQuery({ range: fitting })}>Show {fitting.toUpperCase()}</button>
      </Empty>
    );
  }
  return (
    <Empty title={`Nothing is known in ${currency.toUpperCase()} of this coin yet`}>
      The first poll that has it is drawn as soon as it is stored; <code>geckotape backfill</code> fetches the past.
    </Empty>
  );
}

export function CoinPage({ route }: { route: Route }) {
  const { id, query } = route;
  const { byId, currency: shownCurrency, isLoaded } = useStore(market);
  const state = useStore(status);
  const answers = useStore(isReachable);
  const seen = useStore(pollsSeen);
  const now = useNow();
  const [picked, setPicked] = useState<number | null>(null);
  const currency = chosenCurrency();
  const coin = shownCurrency === currency ? byId.get(id) : undefined;
  const at = query.at ?? '';
  const until = at ? Date.parse(at) : serverNow();
  const whole = useLoaded<Series>(currency && SERIES, { id, vs_currency: currency, until: at, points: 2 });
  const extent = useMemo(() => whole.value && extentOf(whole.value), [whole.value]);
  const isAsked = whole.value !== null || whole.refusal !== null || whole.isLost;
  // chosen once: it shall not change under the eyes
  const fitting = useMemo(() => (isAsked ? fittingRange(extent, until) : null), [isAsked, extent]);
  const range = readRange(query.range) ?? fitting ?? '24h';
  const isCandles = query.kind === 'candles' && CANDLE_DAYS[range] !== '';
  const ids = others(query).filter((other) => other !== id);
  const again = at ? 0 : `${Math.floor(until / rangeStep(range))} ${range === '1h' || extent === null ? seen : ''}`;

  const what = `${currency} ${range} ${at}`;
  const path = currency && isAsked ? SERIES : '';
  const main = useLoaded<Series>(path, seriesParams(id, currency, range, at), again, `${id} ${what}`);
  const ohlc = useLoaded<number[][]>(isCandles && path ? `api/v3/coins/${encodeURIComponent(id)}/ohlc` : '', { vs_currency: currency, days: CANDLE_DAYS[range], at }, again);
  const rest = useLoadedEach<Series>(SERIES, path ? ids.map((other) => seriesParams(other, currency, range, at)) : [], again, `${path} ${ids.join()} ${what}`);

  const prepared = useMemo(() => (main.value ? prepare(main.value) : null), [main.value]);
  const preparedRest = useMemo(() => ids.map((other) => {
    const found = rest.find((each) => each.id === other);
    return found ? prepare(found) : null;
  }), [rest, ids.join()]);
  const shown = useMemo((): Shown | null => {
    if (!prepared || prepared.points.length === 0) return null;
    const candles = isCandles && ids.length === 0 && ohlc.value ? readCandles(ohlc.value) : null;
    return {
      points: prepared.points,
      gaps: prepared.gaps,
      candles: candles && candles.length > 0 ? candles : null,
      others: preparedRest.flatMap((each, i) => (each ? [{ name: byId.get(ids[i]!)?.name ?? ids[i]!, points: each.points, colour: COLOURS[i]! }] : [])),
      isLog: query.scale === 'log',
      hasVolume: query.volume !== 'off' && ids.length === 0, // of one among many it says little
      isSimulated: state?.simulated === true,
    };
  }, [prepared, preparedRest, ohlc.value, isCandles, query.scale, query.volume, state?.simulated]);

  useKeys([
    { keys: ['ArrowLeft', '['], help: 'Shorter range', act: () => setQuery({ range: RANGES[Math.max(0, RANGES.indexOf(range) - 1)]! }) },
    { keys: ['ArrowRight', ']'], help: 'Longer range', act: () => setQuery({ range: RANGES[Math.min(RANGES.length - 1, RANGES.indexOf(range) + 1)]! }) },
    { keys: ['c'], help: 'Candles or line', act: () => setQuery(isCandles ? { kind: '' } : candlesOf(range)) },
    { keys: ['s'], help: 'Watch the coin, or no more', act: () => toggleStar(id) },
  ]);

  if (isLoaded && shownCurrency === currency && !coin && (whole.refusal?.isAbsent || (whole.value && !extent))) {
    return (
      <Empty title={`No coin “${id}” is known here`}>
        <a href={link('market')}>All coins that are</a>. Which ones are collected is said by the jobs: <code>geckotape check</code> lists them.
      </Empty>
    );
  }
  const latest = at === '' && coin?.price != null && coin.fetchedAt !== null ? { time: Math.floor(coin.fetchedAt / 1000), price: coin.price } : null;
  const isWaiting = !main.value && !main.refusal && !main.isLost && answers !== false;
  return (
    <>
      <Title coin={coin} id={id} currency={currency} />
      <section class="sheet chart" aria-label="Chart">
        <div class="chart-tools">
          <Choice label="Range" value={range} options={RANGES.map((name) => [name, name.toUpperCase()] as const)} onChoose={(value) => setQuery({ range: value })} />
          <Choice label="Kind" value={isCandles && ids.length === 0 ? 'candles' : ''} options={[['', 'Line'], ['candles', 'Candles']] as const} onChoose={(kind) => setQuery(kind ? candlesOf(range) : { kind })} />
          <button type="button" class="button toggle" aria-pressed={query.scale === 'log'} onClick={() => setQuery({ scale: query.scale === 'log' ? '' : 'log' })}>Log</button>
          <button type="button" class="button toggle" disabled={ids.length > 0} aria-pressed={query.volume !== 'off' && ids.length === 0} onClick={() => setQuery({ volume: query.volume === 'off' ? '' : 'off' })}>Volume</button>
          <span class="spring" />
          {ids.length < MAX_OTHERS && (
            <Finder label="Compare with…" without={new Set([id, ...ids])} onChoose={(other) => setQuery({ with: [...ids, other.id].join(',') })} />
          )}
        </div>
        {ids.length > 0 && <Compared ids={ids} changes={preparedRest.map((each) => each && changeOver(each.points))} />}
        <Picture shown={shown} what={`${id} ${what} ${isCandles} ${ids.join()}`} currency={currency} latest={latest} onPick={setPicked}
          legend={<><Change value={prepared && changeOver(prepared.points)} /> <span class="quiet">{prepared && spanWords(prepared.points, range)}</span></>}>
          {isWaiting ? <div class="picture-wait" aria-busy="true" /> : !shown && <div class="picture-empty"><WhyNothing {...main} range={range} currency={currency} extent={extent} until={until} /></div>}
        </Picture>
        <p class="quiet small chart-foot">
          {prepared && prepared.gaps.length > 0 && !shown?.candles ? 'Hatched: nothing was collected then. ' : ''}{shown ? 'Click a point for the record behind it. ' : ''}
          {isCandles && ohlc.refusal ? `No candles: ${ohlc.refusal.message}` : ''}Times are UTC.
        </p>
      </section>
      {coin ? <CoinFacts coin={coin} currency={currency} now={at ? until : now} /> : !isLoaded && <div class="facts-wait" />}
      {picked !== null && <Behind id={id} time={picked} jobs={polled(state).filter((job) => job.vs_currency === currency)} onClose={() => setPicked(null)} />}
    </>
  );
}
