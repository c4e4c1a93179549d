// SPDX-License-Identifier: Apache-2.0
// The raw record behind a point: which answer said so, byte for byte.
import { useEffect, useState } from 'preact/hooks';
import { ask, isAbort, Refusal } from '../../data/api';
import type { Job, Poll, RawRecord } from '../../data/types';
import { moment, timestamp } from '../../lib/format';
import { findCoin } from '../../lib/record';
import { Dialog } from '../../ui/dialog';
import { Empty } from '../../ui/parts';
import { RecordOf } from '../../ui/record';

interface Found {
  record: RawRecord;
  object: string;
}

const MAX_PAGES = 80;

// The poll that was known then, of the first job that has it, and the page of it that has the coin.
async function find(id: string, ms: number, jobs: readonly Job[], signal: AbortSignal): Promise<Found | null> {
  for (const job of jobs) {
    const { polls } = await ask<{ polls: Poll[] }>('api/polls', { job: job.name, before: timestamp(ms + 1000), limit: 5 }, { signal });
    const poll = polls.find((each) => each.rows_in > 0);
    for (let offset = poll?.first_offset ?? 0; poll && offset < Math.min(poll.last_offset, poll.first_offset + MAX_PAGES); offset += 1) {
      const record = await ask<RawRecord>('api/record', { stream: poll.stream, offset }, { signal });
      const object = findCoin(record.body ?? '', id);
      if (object) return { record, object };
    }
  }
  return null;
}

type State = { found: Found | null; words: string; isWaiting: boolean };

export function Behind({ id, time, jobs, onClose }: { id: string; time: number; jobs: readonly Job[]; onClose: () => void }) {
  const [{ found, words, isWaiting }, setState] = useState<State>({ found: null, words: '', isWaiting: true });
  useEffect(() => {
    const mine = new AbortController();
    setState({ found: null, words: '', isWaiting: true });
    find(id, time * 1000, jobs, mine.signal).then(
      (value) => setState({ found: value, words: value ? '' : 'No poll on the tape has the coin at this moment.', isWaiting: false }),
      (error: unknown) => {
        if (mine.signal.aborted || isAbort(error)) return;
        setState({ found: null, words: error instanceof Refusal ? error.message : 'geckotape does not answer.', isWaiting: false });
      },
    );
    return () => mine.abort();
  }, [id, time]);
  return (
    <Dialog title={`Behind ${moment(time * 1000)}`} onClose={onClose}>
      {isWaiting && <p class="quiet">Looking on the tape…</p>}
      {words && <Empty title="The record cannot be shown" tone="warn">{words}</Empty>}
      {found && <RecordOf record={found.record} object={found.object} />}
    </Dialog>
  );
}
