// SPDX-License-Identifier: Apache-2.0
// Small things that all pages are made of.
import type { ComponentChildren } from 'preact';
import { direction, percent, type Maybe } from '../lib/format';

export type Tone = '' | 'good' | 'warn' | 'bad';

export function Chip({ tone = '', children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`chip ${tone}`}>{children}</span>;
}

/** A change in percent: the arrow says what the colour says. */
export function Change({ value }: { value: Maybe }) {
  const way = direction(value);
  return (
    <span class={`change ${way}`}>
      {way !== '' && <span class="arrow" aria-hidden="true">{way === 'up' ? '▲' : '▼'}</span>}
      {way === 'down' && <span class="unseen">minus </span>}
      {percent(value)}
    </span>
  );
}

const hue = (id: string): number => [...id].reduce((hash, char) => (hash * 31 + char.codePointAt(0)!) % 65521, 7) % 360;

/** Pictures of coins would be asked of another host: a letter in a colour of its own does. */
export function Badge({ id, symbol, name, size = 28 }: { id: string; symbol: string; name: string; size?: number }) {
  const first = [...(symbol || name).replace(/[^\p{L}\p{N}]/gu, '')][0] ?? '?';
  return (
    <span class="badge" aria-hidden="true" style={{ '--hue': String(hue(id)), '--size': `${size}px` }}>{first.toUpperCase()}</span>
  );
}

/** Nothing to show: why, and what would change that. */
export function Empty({ title, children, tone = '' }: { title: string; children?: ComponentChildren; tone?: Tone }) {
  return (
    <div class={`empty ${tone}`}>
      <svg width="72" height="36" viewBox="0 0 72 36" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round">
        <path class="quiet-line" d="M2 18h18" />
        <path d="M20 18l6-10 8 20 7-15 4 5" stroke-linejoin="round" />
        <path class="quiet-line" stroke-dasharray="2 5" d="M46 18h24" />
      </svg>
      <strong>{title}</strong>
      {children && <div class="why">{children}</div>}
    </div>
  );
}

export function Facts({ pairs }: { pairs: [string, ComponentChildren, string?][] }) {
  return (
    <dl class="facts">
      {pairs.map(([name, value, title]) => (
        <div key={name} title={title}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** One of a few, as buttons in a row. */
export function Choice<T extends string>({ label, options, value, onChoose }: {
  label: string;
  options: readonly (readonly [T, ComponentChildren])[];
  value: T;
  onChoose: (value: T) => void;
}) {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([key, shown]) => (
        <button key={key} type="button" aria-pressed={key === value} onClick={() => onChoose(key)}>{shown}</button>
      ))}
    </div>
  );
}

export function Currency({ options, value, onChoose }: { options: readonly string[]; value: string; onChoose: (value: string) => void }) {
  const known = value && !options.includes(value) ? [...options, value] : options;
  return (
    <label class="field currency">
      <span class="unseen">Currency</span>
      <select value={value} disabled={known.length < 2} onChange={(event) => onChoose(event.currentTarget.value)}>
        {known.map((name) => <option key={name} value={name}>{name.toUpperCase()}</option>)}
      </select>
    </label>
  );
}
