// SPDX-License-Identifier: Apache-2.0
// The time machine: all pages as they were known at a moment, by ?at= of the address.
import { useEffect, useRef, useState } from 'preact/hooks';
import { firstPoll, useCoverage } from '../data/coverage';
import { now as serverNow, polled, status } from '../data/status';
import type { Gap, Status } from '../data/types';
import { useNow } from '../lib/clock';
import { moment, parseTime, span, timestamp } from '../lib/format';
import { useKeys } from '../lib/keys';
import { useLoaded } from '../lib/load';
import { clampMoment, fromField, stepFor, stepName, toField } from '../lib/moments';
import { route, setQuery } from '../lib/route';
import { useStore } from '../lib/store';
import { Icon } from './icons';

const SLIDE_MS = 120; // of rest until rows are asked for
const PLAY_MS = 1000;
const MAX_GAPS = 200;
const WEEK_MS = 7 * 86400000;
const OLDEST_MS = 600000; // until it is asked again how far back the store goes

const go = (ms: number | null): void => setQuery({ at: ms === null ? '' : timestamp(ms) });

function Gaps({ value, oldest, newest }: { value: Status; oldest: number; newest: number }) {
  const job = polled(value)[0]?.name ?? '';
  const found = useLoaded<{ gaps: Gap[] }>(job && 'api/gaps', { job, since: timestamp(oldest) }, Math.floor(newest / 60000));
  const share = (ms: number): number => Math.min(1, Math.max(0, (ms - oldest) / Math.max(1, newest - oldest))) * 100;
  return (
    <span class="timebar-gaps" aria-hidden="true">
      {(found.value?.gaps ?? []).slice(0, MAX_GAPS).map((gap) => {
        const [from, until] = [share(parseTime(gap.from_slot)), share(parseTime(gap.until_slot))];
        return Number.isFinite(from + until) && <span key={gap.from_slot} style={{ left: `${from}%`, width: `max(2px, ${until - from}%)` }} />;
      })}
    </span>
  );
}

export function TimeBar({ isOpen }: { isOpen: boolean }) {
  const value = useStore(status);
  const { query } = useStore(route);
  const newest = Math.floor(useNow(5000) / 1000) * 1000;
  const [held, setHeld] = useState<number | null>(null); // where the thumb is, until the address follows
  const [isPlaying, setIsPlaying] = useState(false);
  const timer = useRef(0);
  const coverage = useCoverage(polled(value)[0]?.name ?? '', Math.floor(newest / OLDEST_MS));
  const first = firstPoll(coverage.value?.days ?? [], value);
  // a server of a moment tells no polls: then a week has to do
  const oldest = Number.isFinite(first) ? first : value?.at ? newest - WEEK_MS : parseTime(value?.started);
  const at = query.at ? parseTime(query.at) : NaN;
  const isPast = Number.isFinite(at);
  const step = stepFor(newest - oldest);

  const slide = (ms: number): void => {
    setHeld(ms);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      setHeld(null);
      go(clampMoment(ms, oldest, newest - step / 4));
    }, SLIDE_MS) as unknown as number;
  };
  const move = (by: number): void => go(clampMoment((isPast ? at : serverNow()) + by, oldest, serverNow()));
  useEffect(() => {
    if (!isPlaying || !isPast) return undefined;
    const tick = setInterval(() => move(step), PLAY_MS);
    return () => clearInterval(tick);
  });
  useKeys([
    { keys: [','], help: `Back in time, by ${stepName(step)}`, act: () => move(-step) },
    { keys: ['.'], help: 'Forward in time', act: () => move(step) },
    { keys: ['n'], help: 'Now', act: () => go(null) },
  ]);
  if (!value || !Number.isFinite(oldest)) return null;

  const shown = held ?? (isPast ? at : newest);
  return (
    <section class={`timebar ${isPast ? 'past' : ''} ${isOpen || isPast ? 'open' : ''}`} aria-label="Time machine">
      <div class="wrap timebar-row">
        <button type="button" class="button now" aria-pressed={!isPast} onClick={() => go(null)}>
          <span class="dot" aria-hidden="true" />{isPast ? 'Back to now' : 'Now'}
        </button>
        <button type="button" class="icon-button" aria-label={`Back by ${stepName(step)}`} onClick={() => move(-step)}><Icon name="back" /></button>
        <div class="timebar-track">
          <Gaps value={value} oldest={oldest} newest={newest} />
          <input type="range" min={oldest} max={newest} step={1000} value={shown} aria-label="Moment" aria-valuetext={isPast || held !== null ? moment(shown) : 'now'}
            onInput={(event) => slide(Number(event.currentTarget.value))} />
        </div>
        <button type="button" class="icon-button" aria-label={`Forward by ${stepName(step)}`} disabled={!isPast} onClick={() => move(step)}><Icon name="forward" /></button>
        <button type="button" class="icon-button" aria-label={isPlaying ? 'Stop' : `Play, ${stepName(step)} a second`} title={`Play: ${stepName(step)} a second`} disabled={!isPast}
          onClick={() => setIsPlaying(!isPlaying)}><Icon name={isPlaying && isPast ? 'pause' : 'play'} /></button>
        <label class="field moment">
          <span class="unseen">Date and time, UTC</span>
          <input type="datetime-local" min={toField(oldest)} max={toField(newest)} value={toField(shown)}
            onChange={(event) => go(clampMoment(fromField(event.currentTarget.value), oldest, newest))} />
          <span class="quiet small" aria-hidden="true">UTC</span>
        </label>
        <span class="ago quiet small">{isPast ? `${span(newest - shown)} ago` : ''}</span>
      </div>
    </section>
  );
}
