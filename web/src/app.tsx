// SPDX-License-Identifier: Apache-2.0
// What is around every page: where one can go, whether it is live, and whose data it is.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ComponentType } from 'preact';
import { isReachable } from './data/api';
import { isLive } from './data/live';
import { market } from './data/market';
import { now, status } from './data/status';
import { useNow } from './lib/clock';
import type { Status } from './data/types';
import { count, duration, moment, parseTime, price } from './lib/format';
import { keyName, keysOfNow, useKeys, type Key } from './lib/keys';
import { formatRoute, go, link, route, type Page, type Route } from './lib/route';
import { useStore } from './lib/store';
import { theme, toggleTheme } from './lib/theme';
import { CoinPage } from './pages/coin';
import { HistoryPage } from './pages/history';
import { MarketPage } from './pages/market';
import { PipelinePage } from './pages/pipeline';
import { QualityPage } from './pages/quality';
import { Dialog } from './ui/dialog';
import { Icon, type IconName } from './ui/icons';
import { TimeBar } from './ui/timebar';

const TABS: readonly (readonly [Page, string, IconName])[] = [
  ['market', 'Market', 'market'],
  ['pipeline', 'Pipeline', 'pipeline'],
  ['history', 'History', 'history'],
  ['quality', 'Quality', 'quality'],
];

const VIEWS: Readonly<Record<Page, ComponentType<{ route: Route }>>> = {
  market: MarketPage,
  coin: CoinPage,
  pipeline: PipelinePage,
  history: HistoryPage,
  quality: QualityPage,
};

function Connection() {
  const answers = useStore(isReachable);
  const value = useStore(status);
  const tells = useStore(isLive);
  useNow();
  const age = value ? now() - parseTime(value.at ?? value.now) : NaN;
  const words = answers === false ? 'no answer' : answers === null || !value ? 'connecting' : tells ? (value.at ? 'the past' : 'live') : `${duration(age)} ago`;
  return (
    <a class={`connection ${answers === false ? 'lost' : value ? 'live' : ''}`} href={link('pipeline')} title="How the collector is">
      <span class="dot" aria-hidden="true" /><span class="unseen">Connection: </span>{words}
    </a>
  );
}

function Top({ here, onHelp, onSkip, isTimeOpen, onTime }: { here: Route; onHelp: () => void; onSkip: () => void; isTimeOpen: boolean; onTime: () => void }) {
  const value = useStore(status);
  const look = useStore(theme);
  return (
    <header class="top">
      <a class="skip" href={formatRoute(here)} onClick={(event) => {
        event.preventDefault();
        onSkip();
      }}>Skip to the page</a>
      <div class="wrap top-bar">
        <a class="brand" href={link('market')} aria-label="geckotape: the market">
          <img src="./favicon.svg" alt="" width="28" height="28" />
          <span>geckotape</span>
        </a>
        <nav class="tabs" aria-label="Pages">
          {TABS.map(([name, title, icon]) => {
            const isHere = name === here.page || (name === 'market' && here.page === 'coin');
            return <a key={name} href={link(name)} {...(isHere ? { 'aria-current': 'page' as const } : {})}><Icon name={icon} /><span>{title}</span></a>;
          })}
        </nav>
        <span class="spring" />
        {value?.simulated && <span class="simulated" title="This market is made up: no price here is real">SIMULATED</span>}
        <Connection />
        <button type="button" class="icon-button clock" aria-label="Time machine" aria-pressed={isTimeOpen} onClick={onTime}><Icon name="clock" /></button>
        <button type="button" class="icon-button" aria-label={look === 'dark' ? 'Light colours' : 'Dark colours'} title="Dark or light (t)" onClick={toggleTheme}>
          <Icon name={look === 'dark' ? 'sun' : 'moon'} />
        </button>
        <button type="button" class="icon-button help" aria-label="Keys and help" title="Keys and help (?)" onClick={onHelp}><Icon name="help" /></button>
      </div>
    </header>
  );
}

// The whole server is of a moment.
function Moving({ value }: { value: Status }) {
  const now = useNow();
  const pace = value.speed === 0 ? ', which stands still' : value.speed === 1 ? ', which goes on' : `, which goes on ${count(value.speed)} times as fast as time`;
  return <p class="notice past">This server shows the past: {moment(now)}{pace}</p>;
}

// What everybody has to know before they believe what they see.
function Notices() {
  const answers = useStore(isReachable);
  const value = useStore(status);
  const trouble = answers === false ? 'geckotape does not answer at this address. Is it still running? This page keeps trying.'
    : value?.stopping ? 'geckotape is stopping.'
      : value && !value.ready ? `Not ready: ${value.reasons[0] ?? 'the pipeline says why'}` : '';
  const { query } = useStore(route);
  return (
    <aside aria-label="Notices">
      {value?.simulated && <p class="notice">SIMULATED: no price here is real.</p>}
      {query.at ? <p class="notice past">As it was known at {moment(parseTime(query.at))}</p> : value?.at && <Moving value={value} />}
      <div role="status">{trouble && <p class="notice trouble">{trouble} {value && <a href={link('pipeline')}>How it is</a>}</p>}</div>
    </aside>
  );
}

function Foot() {
  const value = useStore(status);
  const { currency } = useStore(market);
  return (
    <footer class="foot wrap">
      <p>
        Data provided by <a href="https://www.coingecko.com/" rel="noopener noreferrer">CoinGecko</a>. geckotape is not affiliated with CoinGecko; you keep
        to <a href="https://www.coingecko.com/en/api_terms" rel="noopener noreferrer">CoinGecko’s terms</a>.
        Charts by <a href="https://www.tradingview.com/" rel="noopener noreferrer">TradingView</a>’s Lightweight Charts.
      </p>
      <p>
        {value ? `geckotape ${value.version}` : 'geckotape'} · for programs:{' '}
        <a href={`api/v3/coins/markets?vs_currency=${currency || 'usd'}`}>CoinGecko-compatible API</a> · <a href="metrics">metrics</a> ·{' '}
        <a href="api/status">state</a> · <a href="readyz">readiness</a>
      </p>
    </footer>
  );
}

function Help({ keys, onClose }: { keys: Key[]; onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <table class="keys">
        <tbody>
          {keys.map((key) => (
            <tr key={key.help}>
              <th scope="row">{key.keys.map((name) => <kbd key={name}>{keyName(name)}</kbd>)}</th>
              <td>{key.help}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="quiet">Every address can be kept or sent: it says the page, the currency, the sorting and the moment.</p>
    </Dialog>
  );
}

function titleOf(here: Route): string {
  const name = { market: 'Market', pipeline: 'Pipeline', history: 'History', quality: 'Quality', coin: here.id }[here.page];
  const coin = here.page === 'coin' ? market.value.byId.get(here.id) : undefined;
  const shown = coin ? `${price(coin.price, market.value.currency)} ${coin.name}` : name;
  return `${isReachable.value === false ? '✕ ' : ''}${status.value?.simulated ? 'SIMULATED · ' : ''}${shown} · geckotape`;
}

function useTitle(here: Route): void {
  const value = useStore(market);
  const state = useStore(status);
  const answers = useStore(isReachable);
  useEffect(() => {
    document.title = titleOf(here);
  }, [here, value, state?.simulated, answers]);
}

export function App() {
  const here = useStore(route);
  const [keys, setKeys] = useState<Key[] | null>(null);
  const [isTimeOpen, setIsTimeOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const View = VIEWS[here.page];

  const help = (): void => setKeys(keysOfNow());
  useKeys([
    ...TABS.map(([page, title], i): Key => ({ keys: [String(i + 1)], help: title, act: () => go(link(page)) })),
    { keys: ['t'], help: 'Dark or light', act: toggleTheme },
    { keys: ['?'], help: 'These keys', act: help },
  ]);
  useTitle(here);
  // What is above the page depends on the status: the page waits for it, so that it is not pushed down.
  const isReady = useStore(status) !== null || useStore(isReachable) === false;
  const shown = `${here.page}/${here.id}`;
  const before = useRef(shown);
  useEffect(() => { // another page: begin at its top, also for who listens
    if (before.current === shown) return;
    before.current = shown;
    scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [shown]);

  return (
    <>
      <Top here={here} onHelp={help} onSkip={() => main.current?.focus()} isTimeOpen={isTimeOpen} onTime={() => setIsTimeOpen(!isTimeOpen)} />
      <Notices />
      <main ref={main} class={`wrap page-${here.page}`} tabIndex={-1}>{isReady && <View route={here} key={`${here.page} ${here.id}`} />}</main>
      {isReady && <Foot />}
      <TimeBar isOpen={isTimeOpen} />
      {keys && <Help keys={keys} onClose={() => setKeys(null)} />}
    </>
  );
}
