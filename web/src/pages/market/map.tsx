// SPDX-License-Identifier: Apache-2.0
// The market as a map: as green or red as a coin moved, as large as the root of its cap, or nothing but the first would be seen.
import { useMemo } from 'preact/hooks';
import type { Coin } from '../../data/coin';
import { amount, direction, isNumber, percent, price } from '../../lib/format';
import { link } from '../../lib/route';
import { useWidth } from '../../lib/size';
import { treemap } from './treemap';
import { useMedia } from './window';

const SHOWN = 120;
const FULL_PERCENT = 8; // from here on the colour is as strong as it gets
const MAX_MIX = 52; // of the colour, so that words stay readable on it

/** How much of its colour a change has, percent. */
export const strength = (change: number | null): number => (isNumber(change) ? Math.round(Math.min(1, Math.abs(change) / FULL_PERCENT) * MAX_MIX) : 0);

const sized = (coins: readonly Coin[]): Coin[] =>
  coins.filter((coin) => isNumber(coin.cap) && coin.cap > 0).sort((a, b) => b.cap! - a.cap!).slice(0, SHOWN);

export function MarketMap({ coins, currency }: { coins: readonly Coin[]; currency: string }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const height = useMedia('(max-width: 720px)') ? 560 : 540;
  const shown = useMemo(() => sized(coins), [coins]);
  const boxes = useMemo(() => treemap(shown.map((coin) => Math.sqrt(coin.cap!)), width, height), [shown, width, height]);
  return (
    <div class="sheet map" ref={ref} style={{ height: `${height}px` }} role="group" aria-label={`The ${shown.length} largest coins, by the root of their market cap`}>
      {boxes.map((box, i) => {
        const coin = shown[i]!;
        const size = Math.min(box.width, box.height * 1.6);
        const change = `${direction(coin.change24h) === 'down' ? '−' : ''}${percent(coin.change24h)}`;
        return (
          <a key={i} class={`patch ${direction(coin.change24h)}`} href={link('coin', coin.id)}
            title={`${coin.name}\n${price(coin.price, currency)}  ${change}\ncap ${amount(coin.cap, currency)}`}
            style={{ left: `${box.x}px`, top: `${box.y}px`, width: `${box.width}px`, height: `${box.height}px`, fontSize: `${Math.max(10, Math.min(30, size / 5.2))}px`, '--mix': `${strength(coin.change24h)}%` }}>
            <span class="unseen">{`${coin.name}, ${change}`}</span>
            {size > 34 && <b aria-hidden="true">{coin.symbol}</b>}
            {size > 52 && <span aria-hidden="true">{change}</span>}
          </a>
        );
      })}
    </div>
  );
}
