// SPDX-License-Identifier: Apache-2.0
// A field that finds a coin: type, choose by arrows or hand.
import { useId, useMemo, useState } from 'preact/hooks';
import type { Coin } from '../data/coin';
import { searchAll } from '../data/live';
import { market } from '../data/market';
import { useStore } from '../lib/store';
import { Badge } from './parts';

const MAX = 8;

/** Those that begin so come before those that only have it within; else by rank, as they come. */
export function findCoins(coins: readonly Coin[], words: string, without: ReadonlySet<string>): Coin[] {
  const wanted = words.trim().toLowerCase();
  if (wanted === '') return [];
  const grade = (coin: Coin): number => {
    const [name = '', symbol = '', id = ''] = coin.key.split('\n');
    return symbol === wanted || name === wanted || id === wanted ? 0 : name.startsWith(wanted) || symbol.startsWith(wanted) ? 1 : 2;
  };
  return coins.filter((coin) => !without.has(coin.id) && coin.key.includes(wanted))
    .map((coin) => [grade(coin), coin.rank ?? Infinity, coin] as const)
    .sort((a, b) => a[0] - b[0] || a[1] - b[1]).slice(0, MAX).map(([, , coin]) => coin);
}

export function Finder({ label, without, onChoose }: { label: string; without: ReadonlySet<string>; onChoose: (coin: Coin) => void }) {
  const { coins } = useStore(market);
  const [words, setWords] = useState('');
  const [at, setAt] = useState(0);
  const id = useId();
  const found = useMemo(() => findCoins(coins, words, without), [coins, words, without]);
  const choose = (coin: Coin | undefined): void => {
    if (!coin) return;
    setWords('');
    setAt(0);
    onChoose(coin);
  };
  const onKey = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setAt((at + step + found.length) % Math.max(1, found.length));
    else if (event.key === 'Enter') choose(found[at]);
    else if (event.key === 'Escape' && words !== '') setWords('');
    else return;
    event.preventDefault();
  };
  const isOpen = found.length > 0;
  return (
    <div class="finder">
      <label class="field">
        <span class="unseen">{label}</span>
        <input type="text" role="combobox" autoComplete="off" spellcheck={false} placeholder={label} value={words} aria-expanded={isOpen} aria-controls={`${id}-list`}
          aria-autocomplete="list" {...(isOpen ? { 'aria-activedescendant': `${id}-${at}` } : {})} onKeyDown={onKey} onFocus={searchAll}
          onInput={(event) => {
            setWords(event.currentTarget.value);
            setAt(0);
          }} />
      </label>
      <ul id={`${id}-list`} role="listbox" aria-label={label} hidden={!isOpen}>
        {found.map((coin, i) => (
          <li key={coin.id} id={`${id}-${i}`} role="option" aria-selected={i === at} onMouseDown={(event) => {
            event.preventDefault();
            choose(coin);
          }}>
            <Badge id={coin.id} symbol={coin.symbol} name={coin.name} size={20} />
            <span class="cut">{coin.name}</span><i>{coin.symbol}</i>
          </li>
        ))}
      </ul>
    </div>
  );
}
