// SPDX-License-Identifier: Apache-2.0
// The market in four looks: how large, which way, who leads.
import { useMemo } from 'preact/hooks';
import type { Coin } from '../../data/coin';
import { amount, count, isNumber, many, price } from '../../lib/format';
import { link } from '../../lib/route';
import { Badge, Change } from '../../ui/parts';

const sum = (coins: readonly Coin[], value: (coin: Coin) => number | null): number =>
  coins.reduce((total, coin) => total + (value(coin) ?? 0), 0);

/** The change of all caps together, by what each was a day ago. */
export function marketChange(coins: readonly Coin[]): number | null {
  const known = coins.filter((coin) => isNumber(coin.cap) && isNumber(coin.change24h) && coin.change24h > -100);
  const before = sum(known, (coin) => coin.cap! / (1 + coin.change24h! / 100));
  return before > 0 ? (sum(known, (coin) => coin.cap) / before - 1) * 100 : null;
}

const MIN_SHARE = 1e-4; // of all volume: a coin that nobody trades leads nothing

/** The first n by value, the largest first: sorting all of them would take longer. */
function leaders(coins: readonly Coin[], n: number, value: (coin: Coin) => number): Coin[] {
  const found: Coin[] = [];
  for (const coin of coins) {
    const size = value(coin);
    if (size <= 0 || (found.length === n && size <= value(found[n - 1]!))) continue;
    const place = found.findIndex((other) => value(other) < size);
    found.splice(place < 0 ? found.length : place, 0, coin);
    found.length = Math.min(found.length, n);
  }
  return found;
}

/** Those that moved most, among coins that are traded. */
export function movers(coins: readonly Coin[], n: number): { up: Coin[]; down: Coin[] } {
  const least = sum(coins, (coin) => coin.volume) * MIN_SHARE;
  const traded = coins.filter((coin) => isNumber(coin.change24h) && (coin.volume ?? 0) >= least);
  return { up: leaders(traded, n, (coin) => coin.change24h!), down: leaders(traded, n, (coin) => -coin.change24h!) };
}

function Movers({ title, coins, currency }: { title: string; coins: Coin[]; currency: string }) {
  return (
    <section class="tile movers" aria-label={title}>
      <h2>{title}</h2>
      <ol>
        {coins.map((coin, i) => (
          <li key={i}>
            <a href={link('coin', coin.id)}>
              <Badge id={coin.id} symbol={coin.symbol} name={coin.name} size={20} />
              <span class="who">{coin.name}</span>
            </a>
            <span class="what">{price(coin.price, currency)}</span>
            <Change value={coin.change24h} />
          </li>
        ))}
        {coins.length === 0 && <li class="quiet">none</li>}
      </ol>
    </section>
  );
}

interface Look {
  cap: number;
  volume: number;
  up: number;
  down: number;
  change: number | null;
  gainers: Coin[];
  losers: Coin[];
  largest: Coin[];
}

function lookAt(coins: readonly Coin[]): Look {
  const { up: gainers, down: losers } = movers(coins, 3);
  return {
    cap: sum(coins, (coin) => coin.cap),
    volume: sum(coins, (coin) => coin.volume),
    up: coins.filter((coin) => (coin.change24h ?? 0) > 0).length,
    down: coins.filter((coin) => (coin.change24h ?? 0) < 0).length,
    change: marketChange(coins),
    gainers,
    losers,
    largest: coins.filter((coin) => coin.rank !== null && coin.rank <= 2).sort((a, b) => a.rank! - b.rank!),
  };
}

export function Overview({ coins, currency }: { coins: readonly Coin[]; currency: string }) {
  const { cap, volume, up, down, change, gainers, losers, largest } = useMemo(() => lookAt(coins), [coins]);
  const isEmpty = coins.length === 0;
  return (
    <div class="overview">
      <section class="tile figures" aria-label="All coins here">
        <h2>{isEmpty ? 'All coins here' : `All ${count(coins.length)} coins here`}</h2>
        <p class="figure">{amount(isEmpty ? null : cap, currency)} <Change value={change} /></p>
        <p class="quiet">market cap · {amount(isEmpty ? null : volume, currency)} volume in 24 h</p>
        <p class="quiet">{largest.map((coin) => `${coin.symbol.toUpperCase()} ${cap > 0 ? ((100 * (coin.cap ?? 0)) / cap).toFixed(1) : '–'}%`).join(' · ')}</p>
      </section>
      <section class="tile breadth" aria-label="Up and down in 24 hours">
        <h2>Up and down, 24 h</h2>
        <p class="figure"><span class="up">{count(up)}</span> <span class="quiet">/</span> <span class="down">{count(down)}</span></p>
        <div class="bar" role="img" aria-label={`${many(up, 'coin')} up, ${many(down, 'coin')} down`}>
          <span class="up" style={{ flexGrow: String(up) }} />
          <span class="flat" style={{ flexGrow: String(Math.max(0, coins.length - up - down)) }} />
          <span class="down" style={{ flexGrow: String(down) }} />
        </div>
        <p class="quiet">{count(coins.length - up - down)} unmoved or unknown</p>
      </section>
      <Movers title="Largest gains" coins={gainers} currency={currency} />
      <Movers title="Largest losses" coins={losers} currency={currency} />
    </div>
  );
}
