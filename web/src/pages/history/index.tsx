// SPDX-License-Identifier: Apache-2.0
// What there is and what is missing: days and hours by coverage, each gap with its length.
import { useMemo } from 'preact/hooks';
import { firstPoll, useCoverage, type Day } from '../../data/coverage';
import { pollsSeen } from '../../data/live';
import { now as serverNow, polled, status } from '../../data/status';
import type { Gap, Job, Status } from '../../data/types';
import { clockTime, count, day, many, moment, parseTime, span, timestamp } from '../../lib/format';
import { useKeys } from '../../lib/keys';
import { useLoaded } from '../../lib/load';
import { link, setQuery, type Route } from '../../lib/route';
import { useStore } from '../../lib/store';
import { Chip, Empty } from '../../ui/parts';
import { cell, cells, DAY_MS, dayOf, grade, HOUR_MS, joined, shareText, weeks, type Cell, type Span } from './calendar';

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const LISTED = 100;

const label = (each: Cell): string => `${day(each.from)}: ${shareText(each.share)}`;

const COUNTS = [['ok', 'good'], ['partial', 'warn'], ['failed', 'bad'], ['aborted', 'warn'], ['missed', 'bad']] as const;

function Calendar({ all, chosen, onChoose }: { all: Cell[][]; chosen: number; onChoose: (from: number) => void }) {
  const months = all.map((week, i) => {
    const month = new Date(week[0]!.from).getUTCMonth();
    const before = i > 0 ? new Date(all[i - 1]![0]!.from).getUTCMonth() : -1;
    return month !== before ? MONTHS[month]! : '';
  });
  return (
    <div class="calendar scroll-x">
      <table>
        <caption class="unseen">Coverage by day; choose one for its hours</caption>
        <thead><tr><th scope="col"><span class="unseen">Day</span></th>{months.map((name, i) => <th key={i} scope="col" aria-hidden={name === ''}>{name}</th>)}</tr></thead>
        <tbody>
          {DAYS.map((name, row) => (
            <tr key={name}>
              <th scope="row">{row % 2 === 0 ? name : <span class="unseen">{name}</span>}</th>
              {all.map((week) => {
                const each = week[row]!;
                const isChosen = each.from === chosen;
                return (
                  <td key={each.from}>
                    <button type="button" class={`day ${grade(each.share)}`} title={label(each)} aria-label={label(each)} aria-pressed={isChosen} disabled={each.share === null}
                      tabIndex={isChosen ? 0 : -1} onClick={() => onChoose(each.from)} />
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      <p class="calendar-key quiet small">
        {(['none', 'lost', 'little', 'half', 'much', 'most', 'whole'] as const).map((name) => <span key={name} class={`day ${name}`} aria-hidden="true" />)}
        nothing · less · all of the day
      </p>
    </div>
  );
}

function Counts({ counted }: { counted: Day | undefined }) {
  return (
    <span class="day-counts">
      {COUNTS.map(([name, tone]) => {
        const n = counted?.[name] ?? 0;
        return <Chip key={name} tone={n > 0 ? tone : ''}>{`${count(n)} ${name}`}</Chip>;
      })}
    </span>
  );
}

function Hours({ from, gaps, whole, counted }: { from: number; gaps: readonly Span[]; whole: Span; counted: Day | undefined }) {
  const hours = cells(from, HOUR_MS, 24, gaps, whole);
  const all = cell({ from, until: from + DAY_MS }, gaps, whole);
  return (
    <section class="hours" aria-label={`Hours of ${day(from)}`}>
      <p><b>{day(from)}</b> <span class="quiet">{all.share === null ? 'not collected' : `${shareText(all.share)} of what could be`}</span></p>
      <Counts counted={counted} />
      <ol>
        {hours.map((hour, i) => (
          <li key={hour.from}>
            {hour.share === null
              ? <span class="hour none" title={`${i}:00 not collected`} />
              : <a class={`hour ${grade(hour.share)}`} href={link('market', '', { at: timestamp(Math.min(hour.until, whole.until - 1000)) })} title={`${i}:00 ${shareText(hour.share)}; the market then`}
                aria-label={`${i}:00, ${shareText(hour.share)}; the market then`} />}
            <span class="quiet" aria-hidden="true">{i % 3 === 0 ? i : ''}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function GapList({ gaps, everyMs }: { gaps: readonly Span[]; everyMs: number }) {
  if (gaps.length === 0) return <Empty title="No gaps">Every poll that was promised has happened. A gap is from a poll that did not to the next one that did.</Empty>;
  return (
    <div class="scroll-x">
      <table class="plain">
        <thead><tr><th scope="col">From</th><th scope="col">Until</th><th scope="col" class="n">Lasted</th><th scope="col" class="n">Polls missed</th><th scope="col">Look</th></tr></thead>
        <tbody>
          {[...gaps].reverse().slice(0, LISTED).map((gap) => (
            <tr key={gap.from}>
              <td>{moment(gap.from)}</td>
              <td>{day(gap.until) === day(gap.from) ? clockTime(gap.until) : moment(gap.until)}</td>
              <td class="n">{span(gap.until - gap.from)}</td>
              <td class="n">{everyMs > 0 ? count(Math.max(1, Math.round((gap.until - gap.from) / everyMs))) : '–'}</td>
              <td><a href={link('market', '', { at: timestamp(gap.from - 1000) })}>before</a> · <a href={link('market', '', { at: timestamp(gap.until + 1000) })}>after</a></td>
            </tr>
          ))}
        </tbody>
      </table>
      {gaps.length > LISTED && <p class="quiet small">and {many(gaps.length - LISTED, 'earlier gap')}</p>}
    </div>
  );
}

function Tiles({ gaps, whole }: { gaps: readonly Span[]; whole: Span }) {
  const missed = gaps.reduce((sum, gap) => sum + gap.until - gap.from, 0);
  const longest = gaps.reduce((max, gap) => Math.max(max, gap.until - gap.from), 0);
  const tiles: [string, string, string][] = [
    ['Collected since', day(whole.from), `${span(whole.until - whole.from)} ago`],
    ['Covered', shareText(cell(whole, gaps, whole).share), 'of the time since'],
    ['Gaps', count(gaps.length), missed > 0 ? `${span(missed)} in all` : 'nothing is missing'],
    ['Longest gap', longest > 0 ? span(longest) : '–', longest > 0 ? moment(gaps.find((gap) => gap.until - gap.from === longest)!.from) : ''],
  ];
  return (
    <div class="overview tiles-four">
      {tiles.map(([title, figure, more]) => (
        <div key={title} class="tile"><h2>{title}</h2><p class="figure">{figure}</p><p class="quiet">{more}</p></div>
      ))}
    </div>
  );
}

function JobHistory({ value, job, route }: { value: Status; job: Job; route: Route }) {
  const again = Math.floor(useStore(pollsSeen) / 10);
  const coverage = useCoverage(job.name, again);
  const days = coverage.value?.days ?? [];
  const first = useMemo(() => firstPoll(days, value), [days]);
  const { value: answer, refusal, isLost } = useLoaded<{ gaps: Gap[] }>(Number.isFinite(first) ? 'api/gaps' : '', { job: job.name, since: timestamp(first) }, again);
  const whole = useMemo(() => ({ from: first, until: serverNow() }), [answer, first]);
  const gaps = useMemo(() => joined((answer?.gaps ?? []).map((gap) => ({ from: parseTime(gap.from_slot), until: parseTime(gap.until_slot) }))
    .filter((gap) => gap.until > gap.from)), [answer]);
  const all = useMemo(() => weeks(gaps, whole), [gaps, whole]);
  const asked = route.query.day ? Date.parse(route.query.day) : NaN;
  const chosen = Number.isFinite(asked) ? dayOf(asked) : dayOf(whole.until);
  const step = (days: number): void => {
    const next = chosen + days * DAY_MS;
    if (next >= dayOf(whole.from) && next <= whole.until) setQuery({ day: day(next) });
  };
  useKeys([
    { keys: ['ArrowLeft'], help: 'A week back', act: () => step(-7) },
    { keys: ['ArrowRight'], help: 'A week on', act: () => step(7) },
    { keys: ['ArrowUp'], help: 'A day back', act: () => step(-1) },
    { keys: ['ArrowDown'], help: 'A day on', act: () => step(1) },
  ]);
  const no = coverage.refusal ?? refusal;
  if (no) return <Empty title="The history cannot be read here" tone="warn">{no.message}</Empty>;
  if ((coverage.isLost || isLost) && !answer) return <Empty title="geckotape does not answer" tone="bad">The history appears as soon as it answers again.</Empty>;
  if (coverage.value && !Number.isFinite(first)) return <Empty title="No poll is stored yet">The calendar begins with the first poll that a sink has taken.</Empty>;
  if (!answer) return <div class="facts-wait" aria-busy="true" />;
  return (
    <>
      <Tiles gaps={gaps} whole={whole} />
      <section class="sheet padded by-day" aria-label="Calendar">
        <Calendar all={all} chosen={chosen} onChoose={(from) => setQuery({ day: day(from) })} />
        <Hours from={chosen} gaps={gaps} whole={whole} counted={days.find((each) => parseTime(each.day) === chosen)} />
      </section>
      <section class="sheet padded" aria-labelledby="gaps-title">
        <h2 id="gaps-title">Gaps</h2>
        <GapList gaps={gaps} everyMs={job.every_ms} />
      </section>
    </>
  );
}

export function HistoryPage({ route }: { route: Route }) {
  const value = useStore(status);
  const jobs = polled(value);
  const job = jobs.find((each) => each.name === route.query.job) ?? jobs[0];
  if (value && !job) return <><h1 class="unseen">History</h1><Empty title="Nothing polls here">Gaps are told of jobs that are polled.</Empty></>;
  if (!value || !job) return <h1 class="unseen">History</h1>;
  return (
    <>
      <div class="tools">
        <h1 class="page-title">History</h1>
        <label class="field">
          <span class="unseen">Job</span>
          <select value={job.name} disabled={jobs.length < 2} onChange={(event) => setQuery({ job: event.currentTarget.value })}>
            {jobs.map((each) => <option key={each.name} value={each.name}>{each.name}</option>)}
          </select>
        </label>
        <p class="quiet small cut">{job.what}</p>
      </div>
      <JobHistory key={job.name} value={value} job={job} route={route} />
    </>
  );
}
