// SPDX-License-Identifier: Apache-2.0
// How the collector is: the flow with its rates, whether it is ready, and the polls.
import { useState } from 'preact/hooks';
import { polled, status } from '../../data/status';
import type { Job, Status } from '../../data/types';
import { useNow } from '../../lib/clock';
import { setQuery, type Route } from '../../lib/route';
import { useStore } from '../../lib/store';
import { Icon } from '../../ui/icons';
import { BudgetSheet } from './budget';
import { Flow, StoreFlow, upFor } from './flow';
import { Polls } from './polls';
import { RunDialog } from './run';

function Health({ value }: { value: Status }) {
  useNow();
  return (
    <section class={`health ${value.ready ? 'good' : 'bad'}`} aria-label="Health">
      <p class="verdict"><span class="dot" aria-hidden="true" />{!value.ready ? 'Not ready' : value.reader ? 'Ready: the store answers' : 'Ready: data is fresh, the sinks work'}</p>
      {value.reasons.length > 0 && <ul>{value.reasons.map((reason) => <li key={reason}>{reason}</li>)}</ul>}
      {value.warnings.length > 0 && <ul class="warn">{value.warnings.map((warning) => <li key={warning}><Icon name="warning" size={14} /> {warning}</li>)}</ul>}
      <p class="quiet small">up {upFor(value)} · pid {value.pid} · {value.reader ? `geckotape serve --from ${value.sinks[0]?.url ?? ''}` : value.data_dir}</p>
      {value.reader && <p class="quiet of-store">A store that others write is shown here: this process polls nothing and has no tape. How its polls go is told by the collector’s own page.</p>}
    </section>
  );
}

export function PipelinePage({ route }: { route: Route }) {
  const value = useStore(status);
  const [asked, setAsked] = useState('');
  if (!value) return <><h1 class="unseen">Pipeline</h1><div class="flow waiting" aria-busy="true" /></>;
  const jobs: Job[] = polled(value);
  const job = jobs.find((candidate) => candidate.name === route.query.job) ?? jobs[0];
  return (
    <>
      <h1 class="unseen">Pipeline</h1>
      <Health value={value} />
      {value.reader ? <StoreFlow value={value} /> : <Flow value={value} onRun={setAsked} />}
      <BudgetSheet value={value} />
      {job && (
        <section class="sheet padded" aria-labelledby="polls-title">
          <div class="tools">
            <h2 id="polls-title">Polls</h2>
            <label class="field">
              <span class="unseen">Job</span>
              <select value={job.name} disabled={jobs.length < 2} onChange={(event) => setQuery({ job: event.currentTarget.value })}>
                {jobs.map((each) => <option key={each.name} value={each.name}>{each.name}</option>)}
              </select>
            </label>
          </div>
          <Polls key={job.name} job={job} before={route.query.at ?? ''} />
        </section>
      )}
      {asked && <RunDialog job={asked} onClose={() => setAsked('')} />}
    </>
  );
}
