// SPDX-License-Identifier: Apache-2.0
// What is known of a coin, beside its chart.
import type { Coin } from '../../data/coin';
import { amount, count, day, duration, isNumber, moment, NOTHING, percent, price } from '../../lib/format';
import { Change, Facts } from '../../ui/parts';
import { OLD_MS } from '../market/choose';

/** Where a value lies between two, in percent of the way. */
const share = (value: number, low: number, high: number): number => (high > low ? Math.min(100, Math.max(0, ((value - low) / (high - low)) * 100)) : 50);

export function DayRange({ coin, currency }: { coin: Coin | undefined; currency: string }) {
  const { low, high, price: last } = coin ?? {};
  const way = isNumber(low) && isNumber(high) && isNumber(last) ? share(last, low, high) : null;
  return (
    <div class="day-range">
      <span>{price(low, currency)}</span>
      <span class="rail" role="img" aria-label={way === null ? 'The prices of 24 hours are not known' : `At ${Math.round(way)} percent of the way from the lowest to the highest price of 24 hours`}>
        {way !== null && <span class="thumb" style={{ left: `${way}%` }} />}
      </span>
      <span>{price(high, currency)}</span>
      <span class="quiet">24 h</span>
    </div>
  );
}

const highText = (value: number | null, at: number | null, now: number | null, currency: string) => (
  <>{price(value, currency)}{isNumber(value) && isNumber(now) && value !== 0 &&<span class="quiet"> {`${now < value ? '−' : '+'}${percent(Math.abs(now / value - 1) * 100)}`}{at ? `, ${day(at)}` : ''}</span>}</>
);

export function CoinFacts({ coin, currency, now }: { coin: Coin; currency: string; now: number }) {
  const ratio = isNumber(coin.volume) && isNumber(coin.cap) && coin.cap > 0 ? (coin.volume / coin.cap) * 100 : null;
  const supplied = isNumber(coin.circulating) && isNumber(coin.max) && coin.max > 0 ? (coin.circulating / coin.max) * 100 : null;
  const isOld = coin.updatedAt !== null && now - coin.updatedAt > OLD_MS;
  return (
    <div class="coin-facts">
      <section class="sheet padded" aria-label="Market">
        <h2>Market</h2>
        <Facts pairs={[
          ['market cap', amount(coin.cap, currency), count(coin.cap)],
          ['fully diluted', amount(coin.diluted, currency), count(coin.diluted)],
          ['volume 24 h', amount(coin.volume, currency), count(coin.volume)],
          ['volume of cap', percent(ratio)],
          ['change 1 h', <Change value={coin.change1h} />],
          ['change 24 h', <Change value={coin.change24h} />],
          ['change 7 d', <Change value={coin.change7d} />],
          ['change 30 d', <Change value={coin.change30d} />],
        ]} />
      </section>
      <section class="sheet padded" aria-label="Supply and height">
        <h2>Supply and height</h2>
        <Facts pairs={[
          ['circulating', amount(coin.circulating), count(coin.circulating)],
          ['at most', coin.max === null ? 'no limit known' : amount(coin.max), count(coin.max)],
          ['issued', percent(supplied)],
          ['all-time high', highText(coin.ath, coin.athAt, coin.price, currency)],
        ]} />
      </section>
      <section class="sheet padded" aria-label="How fresh it is">
        <h2>How fresh it is</h2>
        <Facts pairs={[
          ['CoinGecko’s own time', <span class={isOld ? 'old' : ''}>{coin.updatedAt === null ? NOTHING : `${duration(now - coin.updatedAt)} ago`}</span>, moment(coin.updatedAt ?? NaN)],
          ['known here since', coin.fetchedAt === null ? NOTHING : `${duration(now - coin.fetchedAt)} ago`, moment(coin.fetchedAt ?? NaN)],
          ['id', <code>{coin.id}</code>, coin.id],
          ['symbol', coin.symbol.toUpperCase() || NOTHING],
        ]} />
      </section>
    </div>
  );
}
