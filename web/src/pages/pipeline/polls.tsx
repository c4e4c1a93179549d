// SPDX-License-Identifier: Apache-2.0
// The last polls of a job: by outcome and latency, each with what became of it.
import { useState } from 'preact/hooks';
import { pollsSeen } from '../../data/live';
import type { Job, Poll } from '../../data/types';
import { bytes, clockTime, count, many, millis, moment } from '../../lib/format';
import { useKeys } from '../../lib/keys';
import { useLoaded } from '../../lib/load';
import { useWidth } from '../../lib/size';
import { useStore } from '../../lib/store';
import { Chip, Empty, Facts } from '../../ui/parts';
import { latency, makeTimeline, summarize, type Bar } from './timeline';
import { outcome } from './words';

const SHOWN = 200;
const LISTED = 8;
const HEIGHT = 150;

function Detail({ poll }: { poll: Poll }) {
  const [tone, word] = outcome(poll.outcome);
  return (
    <section class="detail" aria-label="The chosen poll">
      <p class="detail-head"><Chip tone={tone}>{word}</Chip> <b>{moment(Date.parse(poll.slot))}</b></p>
      <Facts pairs={[
        ['took', millis(latency(poll))],
        ['attempts', count(poll.attempts)],
        ['HTTP', poll.http_status ? String(poll.http_status) : '–'],
        ['pages', `${count(poll.pages)}${poll.pages_missing ? `, ${count(poll.pages_missing)} missing` : ''}`],
        ['bytes', bytes(poll.bytes)],
        ['rows', count(poll.rows_in)],
        ['new', count(poll.rows_new)],
        ['unchanged', count(poll.rows_unchanged)],
        ['absent', count(poll.rows_absent)],
        ['quarantined', count(poll.rows_quarantined)],
        ['offsets', `${count(poll.first_offset)}–${count(poll.last_offset)}`],
        ['transform', String(poll.transform_version)],
      ]} />
      {poll.error && <p class="problem">{poll.error}</p>}
      {poll.drift && <p class="problem warn">drift: {poll.drift}</p>}
    </section>
  );
}

function Picture({ polls, everyMs, chosen, onChoose }: { polls: readonly Poll[]; everyMs: number; chosen: Poll | undefined; onChoose: (poll: Poll) => void }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const { bars, times, latencies } = makeTimeline(polls, everyMs, width - 54, HEIGHT);
  const nearest = (event: MouseEvent): Bar | undefined => {
    const x = event.clientX - (event.currentTarget as Element).getBoundingClientRect().left - 54;
    return bars.reduce<Bar | undefined>((best, bar) => (!best || Math.abs(bar.x - x) < Math.abs(best.x - x) ? bar : best), undefined);
  };
  const pick = (event: MouseEvent): void => {
    const bar = nearest(event);
    if (bar) onChoose(bar.poll);
  };
  return (
    <div class="timeline" ref={ref}>
      {width > 0 && (
        <svg width={width} height={HEIGHT + 24} role="img" aria-label="Polls by time, how long they took and how they ended; the table below has the same"
          onClick={pick} onMouseMove={(event) => event.buttons === 1 && pick(event)}>
          <g transform="translate(54 0)">
            {latencies.map((tick) => (
              <g key={tick.label} class="tick"><path d={`M0 ${tick.at}H${width - 54}`} /><text x="-8" y={tick.at + 4} text-anchor="end">{tick.label}</text></g>
            ))}
            {times.map((tick) => <text key={tick.label} class="time" x={tick.at} y={HEIGHT + 18} text-anchor="middle">{tick.label}</text>)}
            {bars.map((bar) => (
              <rect key={bar.poll.slot} class={`bar ${outcome(bar.poll.outcome)[0]} ${bar.poll === chosen ? 'chosen' : ''}`} x={bar.x} y={bar.y}
                width={bar.width} height={bar.height} rx="1.5">
                <title>{`${moment(Date.parse(bar.poll.slot))}: ${bar.poll.outcome}, ${millis(latency(bar.poll))}`}</title>
              </rect>
            ))}
            <path class="floor" d={`M0 ${HEIGHT}H${width - 54}`} />
          </g>
        </svg>
      )}
    </div>
  );
}

function List({ polls, chosen, onChoose }: { polls: readonly Poll[]; chosen: Poll | undefined; onChoose: (poll: Poll) => void }) {
  return (
    <div class="scroll-x">
      <table class="plain">
        <thead><tr><th scope="col">Slot</th><th scope="col">Outcome</th><th scope="col" class="n">Took</th><th scope="col" class="n">Rows</th><th scope="col" class="n">New</th><th scope="col">Error</th></tr></thead>
        <tbody>
          {polls.map((poll) => {
            const [tone, word] = outcome(poll.outcome);
            return (
              <tr key={poll.slot} class={poll === chosen ? 'chosen' : ''}>
                <td><button type="button" class="as-link" aria-pressed={poll === chosen} onClick={() => onChoose(poll)}>{clockTime(Date.parse(poll.slot))}</button></td>
                <td><Chip tone={tone}>{word}</Chip></td>
                <td class="n">{millis(latency(poll))}</td>
                <td class="n">{count(poll.rows_in)}</td>
                <td class="n">{count(poll.rows_new)}</td>
                <td class="cut" title={poll.error ?? ''}>{poll.error}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

export function Polls({ job, before }: { job: Job; before: string }) {
  const seen = useStore(pollsSeen);
  const { value, refusal, isLost } = useLoaded<{ polls: Poll[] }>('api/polls', { job: job.name, limit: SHOWN, before }, before ? 0 : seen);
  const [slot, setSlot] = useState('');
  const polls = value?.polls ?? [];
  const chosen = polls.find((poll) => poll.slot === slot) ?? polls[0];
  const step = (by: number): void => {
    const next = polls[polls.indexOf(chosen!) + by];
    if (next) setSlot(next === polls[0] ? '' : next.slot);
  };
  useKeys([
    { keys: ['ArrowLeft'], help: 'Earlier poll', act: () => step(1) },
    { keys: ['ArrowRight'], help: 'Later poll', act: () => step(-1) },
  ]);

  if (refusal) return <Empty title="The polls cannot be read here" tone="warn">{refusal.message}</Empty>;
  if (isLost) return <Empty title="geckotape does not answer" tone="bad">The polls appear as soon as it answers again.</Empty>;
  if (!value) return <div class="timeline" />;
  if (!chosen) return <Empty title="No poll is stored yet">A poll appears here once a sink has taken it; the boxes above show those that are on their way.</Empty>;
  const sum = summarize(polls)!;
  const at = polls.indexOf(chosen);
  const start = Math.max(0, Math.min(at - 2, polls.length - LISTED));
  return (
    <>
      <p class="quiet small">
        {many(polls.length, 'poll')} · {(sum.share * 100).toFixed(sum.share > 0.995 && sum.share < 1 ? 2 : 0)}% ok · half within {millis(sum.median)} · 99 of 100 within {millis(sum.slowest)}
      </p>
      <Picture polls={polls} everyMs={job.every_ms} chosen={chosen} onChoose={(poll) => setSlot(poll === polls[0] ? '' : poll.slot)} />
      <div class="polls-below">
        <List polls={polls.slice(start, start + LISTED)} chosen={chosen} onChoose={(poll) => setSlot(poll === polls[0] ? '' : poll.slot)} />
        <Detail poll={chosen} />
      </div>
    </>
  );
}
