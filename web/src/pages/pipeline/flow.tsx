// SPDX-License-Identifier: Apache-2.0
// The flow as a picture: boxes in the page, lines between them drawn where the boxes are.
import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { polled, samples, type Sample } from '../../data/status';
import type { Job, Sink, Status } from '../../data/types';
import { useNow } from '../../lib/clock';
import { bytes, count, duration, millis, parseTime, perSecond, span } from '../../lib/format';
import { useStore } from '../../lib/store';
import { Icon } from '../../ui/icons';
import { Chip, Facts, type Tone } from '../../ui/parts';
import { callsPerMinute, interval, outcome, recordsPerSecond, rowsPerSecond, SINK_STATES, sinkName } from './words';

// ---- lines ----

interface Line {
  key: string;
  from: string; // ids of boxes
  to: string;
  tone: Tone;
  label: string;
  isFlowing: boolean;
  pulse: string; // a dot travels when this changes
}

interface Drawn extends Line {
  path: string;
  x: number;
  y: number;
}

// Boxes side by side are joined from right to left edge; boxes above each other from bottom to top.
function draw(line: Line, box: (id: string) => DOMRect | undefined, origin: DOMRect): Drawn | null {
  const [a, b] = [box(line.from), box(line.to)];
  if (!a || !b) return null;
  const isBeside = b.left >= a.right - 4;
  const [x1, y1] = isBeside ? [a.right, a.top + a.height / 2] : [a.left + a.width / 2, a.bottom];
  const [x2, y2] = isBeside ? [b.left, b.top + b.height / 2] : [b.left + b.width / 2, b.top];
  const [sx, sy, ex, ey] = [x1 - origin.left, y1 - origin.top, x2 - origin.left, y2 - origin.top];
  const [mx, my] = [(sx + ex) / 2, (sy + ey) / 2];
  const path = isBeside ? `M${sx} ${sy}C${mx} ${sy} ${mx} ${ey} ${ex} ${ey}` : `M${sx} ${sy}C${sx} ${my} ${ex} ${my} ${ex} ${ey}`;
  return { ...line, path, x: mx, y: my };
}

function useLines(root: RefObject<HTMLDivElement | null>, lines: Line[]): { drawn: Drawn[]; width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 0, drawn: [] as Drawn[] });
  const key = JSON.stringify(lines);
  useEffect(() => {
    const element = root.current;
    if (!element) return undefined;
    const look = (): void => {
      const origin = element.getBoundingClientRect();
      const box = (id: string): DOMRect | undefined =>
        [...element.querySelectorAll<HTMLElement>('[data-box]')].find((node) => node.dataset.box === id)?.getBoundingClientRect();
      setSize({ width: origin.width, height: origin.height, drawn: lines.flatMap((line) => draw(line, box, origin) ?? []) });
    };
    const observer = new ResizeObserver(look);
    observer.observe(element);
    for (const node of element.querySelectorAll('[data-box]')) observer.observe(node);
    look();
    return () => observer.disconnect();
  }, [key]);
  return size;
}

function Lines({ root, lines }: { root: RefObject<HTMLDivElement | null>; lines: Line[] }) {
  const { drawn, width, height } = useLines(root, lines);
  return (
    <svg class="lines" width={width} height={height} viewBox={`0 0 ${Math.max(1, width)} ${Math.max(1, height)}`} aria-hidden="true">
      {drawn.map((line) => (
        <g key={line.key} class={`line ${line.tone} ${line.isFlowing ? 'flowing' : ''}`}>
          <path class="bed" d={line.path} />
          <path key={`${line.pulse} ${line.isFlowing}`} class="stream" d={line.path} />
          {line.pulse && <circle key={line.pulse} class="pulse" r="4" style={{ offsetPath: `path("${line.path}")` }} />}
          {line.label && <text x={line.x} y={line.y - 7} text-anchor="middle">{line.label}</text>}
        </g>
      ))}
    </svg>
  );
}

// ---- boxes ----

function Marks({ job }: { job: Job }) {
  const shown = [...job.polls].reverse();
  const bad = shown.filter((poll) => poll.outcome !== 'ok').length;
  return (
    <span class="marks" role="img" aria-label={`Of the last ${shown.length} polls ${bad} were not ok`}>
      {shown.map((poll) => <span key={poll.slot} class={`mark ${outcome(poll.outcome)[0]}`} title={`${poll.slot}: ${poll.outcome}`} />)}
    </span>
  );
}

function JobBox({ job, onRun }: { job: Job; onRun: ((job: string) => void) | null }) {
  const now = useNow();
  const [tone, word] = outcome(job.last_outcome);
  const left = parseTime(job.next_due) - now;
  const share = interval(job) > 0 && Number.isFinite(left) ? Math.min(1, Math.max(0, 1 - left / interval(job))) : 0;
  return (
    <article class={`box job ${tone}`} data-box={`job ${job.name}`}>
      <header>
        <h2 title={job.name}>{job.name}</h2>
        {(onRun || job.last_outcome) && <Chip tone={job.polling ? '' : tone}>{job.polling ? 'polling…' : word}</Chip>}
      </header>
      <p class="quiet cut" title={job.what}>{job.what}</p>
      {onRun && <Marks job={job} />}
      <Facts pairs={[
        ['last poll', job.last_ended ? `${duration(now - parseTime(job.last_ended))} ago` : onRun ? 'not yet' : '–'],
        ['next', Number.isFinite(left) ? (left > 0 ? `in ${duration(left)}` : 'now') : '–'],
        ...(job.interval_ms > 0 ? [['now every', span(job.interval_ms)] as [string, string]] : []),
        ...(onRun ? [
          ['answered in', job.last_ended ? millis(job.last_latency_ms) : '–'],
          ['records', count(job.head)],
        ] as [string, string][] : []),
      ]} />
      {job.last_error && <p class="problem">{job.last_error}{job.failed_in_row > 1 ? ` (${count(job.failed_in_row)} polls in a row)` : ''}</p>}
      {job.drift && <p class="problem warn">drift: {job.drift}</p>}
      {onRun && <button type="button" class="button run" onClick={() => onRun(job.name)}><Icon name="bolt" size={14} /> Poll now<span class="unseen"> {job.name}</span></button>}
      <span class="until" aria-hidden="true"><span style={{ transform: `scaleX(${share.toFixed(3)})` }} /></span>
    </article>
  );
}

function ApiBox({ value }: { value: Status }) {
  const jobs = polled(value);
  const calls = jobs.reduce((sum, job) => sum + callsPerMinute(job), 0);
  const failing = jobs.filter((job) => job.failed_in_row > 0).length;
  const tone: Tone = value.key.trouble ? 'bad' : failing === 0 ? 'good' : failing < jobs.length ? 'warn' : 'bad';
  return (
    <article class={`box api ${tone}`} data-box="api">
      <header><h2>{value.simulated ? 'Simulator' : 'CoinGecko'}</h2><Chip tone={tone}>{failing === 0 ? 'answers' : failing < jobs.length ? 'in part' : 'refuses'}</Chip></header>
      <p class="quiet">{value.simulated ? 'SIMULATED: made-up prices' : value.key.plan ? `plan ${value.key.plan}` : 'its public API'}</p>
      <Facts pairs={[
        ['polls a minute', calls === 0 ? '0' : calls.toFixed(calls < 9.95 ? 1 : 0)],
        ['at most', value.key.calls_per_minute > 0 ? `${count(value.key.calls_per_minute)} calls` : '–'],
        ...(value.key.credits > 0 ? [['credits left', count(value.key.credits_left)] as [string, string]] : []),
      ]} />
      {value.key.trouble && <p class="problem">{value.key.trouble}</p>}
    </article>
  );
}

function TapeBox({ value }: { value: Status }) {
  const { disk } = value;
  const seen = useStore(samples);
  const days = disk.day_bytes > 0 ? disk.free_bytes / disk.day_bytes : Infinity;
  const [tone, word]: [Tone, string] = days < 1 ? ['bad', 'full within a day'] : days < 30 ? ['warn', `full in ${Math.floor(days)} days`] : ['good', 'has room'];
  const rate = value.jobs.reduce((sum, job) => sum + recordsPerSecond(seen, job.name), 0);
  const last = value.jobs.map((job) => job.last_ended).join(); // each poll turns the reels anew, for a while
  const missed = value.jobs.reduce((sum, job) => sum + job.missed_slots, 0);
  return (
    <article class={`box tape ${tone}`} data-box="tape">
      <header><h2>Tape</h2><Chip tone={tone}>{word}</Chip></header>
      <p class="quiet">every answer, as it came{disk.oldest ? `, since ${disk.oldest.slice(0, 10)}` : ''}</p>
      <svg class="reels" viewBox="0 0 120 40" aria-hidden="true">
        <path d="M22 36h76" />
        {[22, 98].map((x) => <g key={`${x} ${last}`} class={`reel ${rate > 0 ? 'turning' : ''}`} style={{ transformOrigin: `${x}px 20px` }}><circle cx={x} cy="20" r="15" /><path d={`M${x} 9v22M${x - 9.5} 14.5l19 11M${x - 9.5} 25.5l19-11`} /><circle class="hub" cx={x} cy="20" r="4" /></g>)}
      </svg>
      <Facts pairs={[
        ['records', perSecond(rate)],
        ['on the tape', disk.oldest ? bytes(disk.tape_bytes) : '–'], // looked at from time to time
        ['more a day', disk.day_bytes > 0 ? bytes(disk.day_bytes) : '–'],
        ['disk free', disk.checked ? bytes(disk.free_bytes) : '–'],
        ['slots missed', count(missed)],
        ['keeps', disk.keep_ms > 0 ? span(disk.keep_ms) : 'all'],
      ]} />
      {disk.last_error && <p class="problem">{disk.last_error}</p>}
    </article>
  );
}

function SinkBox({ sink }: { sink: Sink }) {
  const now = useNow();
  const seen = useStore(samples);
  const [tone, word] = SINK_STATES[sink.state] ?? ['', sink.state];
  const [kind, place] = sinkName(sink.url);
  const lag = sink.state === 'starting' ? 'finds out where it left off' : sink.lag === 0 ? 'holds all that is on the tape'
    : `${count(sink.lag)} ${sink.lag === 1 ? 'record' : 'records'} behind the tape`;
  return (
    <article class={`box sink ${tone}`} data-box={`sink ${sink.url}`}>
      <header><h2>{kind}</h2><Chip tone={tone}>{word}</Chip></header>
      <p class="quiet cut" title={sink.url}>{place || sink.url}</p>
      <p class="lag">{lag}</p>
      <Facts pairs={[
        ['rows', perSecond(rowsPerSecond(seen, sink.url))],
        ['newest row', sink.newest_row ? `${duration(now - parseTime(sink.newest_row))} ago` : '–'],
        ['stored', count(sink.rows)],
        ['unchanged', count(sink.unchanged)],
        ['last load', sink.last_load ? millis(sink.last_load_ms) : '–'],
        ['refused', count(sink.refused)],
      ]} />
      {sink.last_error && <p class="problem">{sink.last_error}</p>}
      {sink.warning && <p class="problem">{sink.warning}</p>}
    </article>
  );
}

function linesOf(value: Status, seen: readonly Sample[]): Line[] {
  const jobs = polled(value);
  return [
    ...jobs.flatMap((job): Line[] => {
      const tone: Tone = job.failed_in_row > 0 ? 'bad' : outcome(job.last_outcome)[0];
      const flows = { tone, isFlowing: job.polling, pulse: job.last_ended ?? '' };
      return [
        { key: `a ${job.name}`, from: 'api', to: `job ${job.name}`, label: '', ...flows },
        { key: `t ${job.name}`, from: `job ${job.name}`, to: 'tape', label: perSecond(recordsPerSecond(seen, job.name)), ...flows },
      ];
    }),
    ...value.sinks.map((sink): Line => ({
      key: `s ${sink.url}`,
      from: 'tape',
      to: `sink ${sink.url}`,
      tone: SINK_STATES[sink.state]?.[0] ?? '',
      label: perSecond(rowsPerSecond(seen, sink.url)),
      isFlowing: sink.lag > 0 && sink.state === 'working',
      pulse: sink.last_load ?? '',
    })),
  ];
}

// Of a store that others write there is no more to see: whose polls are in it, and whether it answers.
function StoreBox({ sink }: { sink: Sink }) {
  const now = useNow();
  const [tone] = SINK_STATES[sink.state] ?? ['', ''];
  const [kind, place] = sinkName(sink.url);
  return (
    <article class={`box sink ${tone}`} data-box="store">
      <header><h2>{kind}</h2><Chip tone={tone}>{sink.state === 'working' ? 'answers' : 'does not answer'}</Chip></header>
      <p class="quiet cut" title={sink.url}>{place || sink.url}</p>
      <Facts pairs={[
        ['newest row', sink.newest_row ? `${duration(now - parseTime(sink.newest_row))} ago` : '–'],
        [sink.state === 'working' ? 'answers since' : 'away since', sink.state_since ? `${sink.state_since.slice(0, 16).replace('T', ' ')} UTC` : '–'],
      ]} />
      {sink.last_error && <p class="problem">{sink.last_error}</p>}
    </article>
  );
}

export function StoreFlow({ value }: { value: Status }) {
  const root = useRef<HTMLDivElement>(null);
  const store = value.sinks[0];
  const lines = value.jobs.map((job): Line => ({
    key: `s ${job.name}`, from: `job ${job.name}`, to: 'store', tone: outcome(job.last_outcome)[0], label: '', isFlowing: false, pulse: job.last_ended ?? '',
  }));
  return (
    <div class="flow of-store" ref={root}>
      <Lines root={root} lines={lines} />
      <section class="stage" aria-label="Jobs of another process">
        {value.jobs.map((job) => <JobBox key={job.name} job={job} onRun={null} />)}
        {value.jobs.length === 0 && <p class="quiet">{value.at ? 'No job had told anything by this moment.' : 'No job has told the store anything yet.'}</p>}
      </section>
      <section class="stage" aria-label="Store">{store && <StoreBox sink={store} />}</section>
    </div>
  );
}

export function Flow({ value, onRun }: { value: Status; onRun: (job: string) => void }) {
  const root = useRef<HTMLDivElement>(null);
  const seen = useStore(samples);
  const jobs = polled(value);
  const idle = value.jobs.length - jobs.length;
  return (
    <div class="flow" ref={root}>
      <Lines root={root} lines={linesOf(value, seen)} />
      <section class="stage" aria-label="Where data comes from"><ApiBox value={value} /></section>
      <section class="stage" aria-label="Jobs">
        {jobs.map((job) => <JobBox key={job.name} job={job} onRun={onRun} />)}
        {jobs.length === 0 && <p class="quiet">Nothing polls here.</p>}
        {idle > 0 && <p class="quiet small">{count(idle)} more on the tape that nothing polls: earlier jobs and imports</p>}
      </section>
      <section class="stage" aria-label="Tape"><TapeBox value={value} /></section>
      <section class="stage" aria-label="Sinks">
        {value.sinks.map((sink) => <SinkBox key={sink.url} sink={sink} />)}
        {value.sinks.length === 0 && <p class="quiet">No sink: answers stay on the tape until one is added.</p>}
      </section>
    </div>
  );
}

export const upFor = (value: Status): string => span(parseTime(value.now) - parseTime(value.started));
