// SPDX-License-Identifier: Apache-2.0
// The chart with what stands over it: what is under the hand, and words where there is nothing to draw.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { amount, moment, price } from '../../lib/format';
import { useStore } from '../../lib/store';
import { theme } from '../../lib/theme';
import type { PriceChart, Shown, Under } from './chart';

type Chart = typeof import('./chart');

let loading: Promise<Chart> | null = null;

function useChart(): Chart | null {
  const [chart, setChart] = useState<Chart | null>(null);
  useEffect(() => {
    loading ??= import('./chart');
    loading.then((value) => setChart(() => value), () => {
      loading = null;
    });
  }, []);
  return chart;
}

function Legend({ under, shown, currency, children }: { under: Under | null; shown: Shown | null; currency: string; children: ComponentChildren }) {
  if (!shown) return null;
  if (!under) return <p class="legend">{children}{shown.others.length > 0 && <span class="quiet"> · percent since the start</span>}</p>;
  const { candle } = under;
  return (
    <p class="legend">
      <span class="quiet">{moment(under.time * 1000)}</span>{' '}
      {candle
        ? <>O {price(candle.open, currency)} H {price(candle.high, currency)} L {price(candle.low, currency)} C <b class={candle.close >= candle.open ? 'up' : 'down'}>{price(candle.close, currency)}</b></>
        : <b>{under.price === null ? 'nothing known' : price(under.price, currency)}</b>}
      {under.others.map((value, i) => <span key={shown.others[i]?.name}> · {shown.others[i]?.name} {price(value, currency)}</span>)}
      {under.volume !== null && <span class="quiet"> · volume 24 h {amount(under.volume, currency)}</span>}
    </p>
  );
}

/** @param what says when it is another picture, which is shown whole */
export function Picture({ shown, what, currency, latest, onPick, legend, children }: {
  shown: Shown | null;
  what: string;
  currency: string;
  latest: { time: number; price: number } | null;
  onPick: (time: number) => void;
  legend: ComponentChildren; // when the hand is elsewhere
  children?: ComponentChildren;
}) {
  const module = useChart();
  const element = useRef<HTMLDivElement>(null);
  const chart = useRef<PriceChart | null>(null);
  const [under, setUnder] = useState<Under | null>(null);
  const pick = useRef(onPick);
  const drawn = useRef('');
  const look = useStore(theme);
  pick.current = onPick;

  useEffect(() => {
    if (!module || !element.current) return undefined;
    chart.current = new module.PriceChart(element.current, setUnder, (time) => pick.current(time));
    return () => chart.current?.remove();
  }, [module]);
  useEffect(() => {
    if (!chart.current) return;
    if (shown) chart.current.show(shown, drawn.current === what);
    else chart.current.remove();
    drawn.current = shown ? what : '';
  }, [module, shown, look, what]);
  useEffect(() => {
    if (latest) chart.current?.update(latest.time, latest.price);
  }, [latest?.time, latest?.price, shown]);

  return (
    <div class="picture">
      <Legend under={under} shown={shown} currency={currency}>{legend}</Legend>
      <div class="canvas" ref={element} role="img" aria-label="Price over time; the figures are in the table of facts below" />
      {children}
    </div>
  );
}
