// SPDX-License-Identifier: Apache-2.0
// What is not as it should be: answers that drift, values that are hardly true, and what was refused.
import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { pollsSeen } from '../../data/live';
import { polled, status } from '../../data/status';
import type { Job } from '../../data/types';
import { clockTime, count, day, parseTime } from '../../lib/format';
import { useLoaded } from '../../lib/load';
import { link, route as address, setQuery, type Route } from '../../lib/route';
import { useStore } from '../../lib/store';
import { Chip, Choice, Empty } from '../../ui/parts';
import { RecordDialog, type Place } from '../../ui/record';
import { countBy, grouped, RULES } from './rules';

const LIMIT = 500;
const LISTED = 30; // groups
const FEW = 2; // of a group, unless all are asked for

interface Refused {
  job: string;
  slot: string;
  stream: string;
  offset: number;
  idx: number;
  coin: string | null;
  field: string | null;
  reason: string;
  value: string | null;
  stage: string;
}

interface Flag {
  job: string;
  slot: string;
  coin: string;
  rule: string;
  detail: string;
}

function When({ slot }: { slot: string }) {
  const ms = parseTime(slot);
  return <a href={link('pipeline', '', { at: slot })} title={`${slot}: the polls then`}>{day(ms)} {clockTime(ms)}</a>;
}

function Drift({ jobs }: { jobs: readonly Job[] }) {
  return (
    <section class="sheet padded" aria-labelledby="drift-title">
      <h2 id="drift-title">Are answers as they were known to be?</h2>
      <ul class="drift">
        {jobs.map((job) => (
          <li key={job.name}>
            <Chip tone={job.drift ? 'warn' : job.last_ended ? 'good' : ''}>{job.drift ? 'drifts' : job.last_ended ? 'as known' : 'no poll yet'}</Chip>
            <b>{job.name}</b>
            <span class={job.drift ? 'wide' : 'wide quiet'}>{job.drift || job.what}{job.drift_since && <span class="quiet">, since {job.drift_since.slice(0, 16).replace('T', ' ')} UTC</span>}</span>
          </li>
        ))}
      </ul>
      <p class="quiet small">Drift is a change of the API itself: a field that is new, gone, renamed or of another type. The tape keeps answers as they came; <code>geckotape tape drift</code> dates all of it.</p>
    </section>
  );
}

// The first few of a group; the rest when they are asked for.
function Rows<T>({ group, columns, draw }: { group: readonly T[]; columns: number; draw: (each: T) => ComponentChildren }) {
  const [isOpen, setIsOpen] = useState(false);
  const shown = isOpen || group.length <= FEW + 1 ? group : group.slice(0, FEW);
  return (
    <>
      {shown.map(draw)}
      {shown.length < group.length && (
        <tr class="more"><td colSpan={columns}><button type="button" class="as-link" onClick={() => setIsOpen(true)}>and {count(group.length - shown.length)} more of the same poll and kind</button></td></tr>
      )}
    </>
  );
}

function Flags({ flags, rule }: { flags: readonly Flag[]; rule: string }) {
  const counts = useMemo(() => countBy(flags, (flag) => flag.rule), [flags]);
  const shown = rule ? flags.filter((flag) => flag.rule === rule) : flags;
  const groups = grouped(shown, (flag) => `${flag.job} ${flag.slot} ${flag.rule}`);
  if (flags.length === 0) return <Empty title="Nothing is flagged">A value that is well-formed and hardly true, such as a price that doubled within a minute, is kept and flagged here.</Empty>;
  return (
    <>
      <div class="scroll-x">
        <Choice label="Rule" value={rule} onChoose={(value) => setQuery({ rule: value })}
          options={[['', `All ${count(flags.length)}`] as const, ...counts.map(([name, n]) => [name, `${name.replaceAll('_', ' ')} ${count(n)}`] as const)]} />
      </div>
      <p class="quiet small rule-words">{rule ? RULES[rule] ?? '' : 'The rows are kept as they came. Choose a rule to read what it flags.'}</p>
      <div class="scroll-x">
        <table class="plain">
          <thead><tr><th scope="col">Slot</th><th scope="col">Job</th><th scope="col">Rule</th><th scope="col">Coin</th><th scope="col">Values</th></tr></thead>
          <tbody>
            {groups.slice(0, LISTED).map((group) => (
              <Rows key={`${group[0]!.job} ${group[0]!.slot} ${group[0]!.rule}`} group={group} columns={5} draw={(flag) => (
                <tr key={flag.coin}>
                  <td><When slot={flag.slot} /></td>
                  <td>{flag.job}</td>
                  <td title={RULES[flag.rule] ?? ''}>{flag.rule.replaceAll('_', ' ')}</td>
                  <td class="cut"><a href={link('coin', flag.coin)}>{flag.coin}</a></td>
                  <td class="cut" title={flag.detail}>{flag.detail}</td>
                </tr>
              )} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Quarantine({ refused, onLook }: { refused: readonly Refused[]; onLook: (place: Place) => void }) {
  const groups = grouped(refused, (each) => `${each.stream} ${each.offset} ${each.field} ${each.reason}`);
  if (refused.length === 0) return <Empty title="Nothing is in quarantine">A value that cannot be what its field says, such as text for a price, is refused alone and listed here; the rest of its row is kept.</Empty>;
  return (
    <div class="scroll-x">
      <table class="plain">
        <thead><tr><th scope="col">Slot</th><th scope="col">Job</th><th scope="col">Field</th><th scope="col">Reason</th><th scope="col">Coin</th><th scope="col">What was sent</th><th scope="col">Record</th></tr></thead>
        <tbody>
          {groups.slice(0, LISTED).map((group) => (
            <Rows key={`${group[0]!.stream} ${group[0]!.offset} ${group[0]!.field} ${group[0]!.reason}`} group={group} columns={7} draw={(each) => (
              <tr key={each.idx}>
                <td><When slot={each.slot} /></td>
                <td>{each.job}</td>
                <td>{each.field}</td>
                <td>{each.reason}</td>
                <td class="cut">{each.coin ? <a href={link('coin', each.coin)}>{each.coin}</a> : `row ${each.idx}`}</td>
                <td class="cut" title={each.value ?? ''}>{each.value && <code>{each.value}</code>}</td>
                <td><button type="button" class="as-link" aria-label={`Record ${each.offset}: ${each.coin ?? `row ${each.idx}`}, ${each.field ?? ''}`} onClick={() => onLook(each)}>{count(each.offset)}</button></td>
              </tr>
            )} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function QualityPage({ route }: { route: Route }) {
  const value = useStore(status);
  useStore(address);
  const again = Math.floor(useStore(pollsSeen) / 5);
  const flags = useLoaded<{ quality: Flag[] }>('api/quality', { limit: LIMIT }, again);
  const refused = useLoaded<{ quarantine: Refused[] }>('api/quarantine', { limit: LIMIT }, again);
  const [place, setPlace] = useState<Place | null>(null);
  return (
    <>
      <h1 class="page-title">Quality</h1>
      <Drift jobs={polled(value)} />
      <section class="sheet padded" aria-labelledby="quarantine-title">
        <h2 id="quarantine-title">Quarantine: what was refused</h2>
        {refused.refusal ? <Empty title="It cannot be read here" tone="warn">{refused.refusal.message}</Empty>
          : refused.value ? <Quarantine refused={refused.value.quarantine} onLook={setPlace} /> : <div class="list-wait" aria-busy="true" />}
      </section>
      <section class="sheet padded" aria-labelledby="flags-title">
        <h2 id="flags-title">Flags: what is hardly true</h2>
        {flags.refusal ? <Empty title="They cannot be read here" tone="warn">{flags.refusal.message}</Empty>
          : flags.value ? <Flags flags={flags.value.quality} rule={route.query.rule ?? ''} /> : <div class="list-wait" aria-busy="true" />}
      </section>
      {place && <RecordDialog place={place} onClose={() => setPlace(null)} />}
    </>
  );
}
