// SPDX-License-Identifier: Apache-2.0
// A record of the tape as people look at it: where it is, and what it says, digit for digit.
import { useEffect, useState } from 'preact/hooks';
import { ask, isAbort, Refusal } from '../data/api';
import type { RawRecord } from '../data/types';
import { bytes, count, millis } from '../lib/format';
import { fieldsOf, findCoin } from '../lib/record';
import { Dialog } from './dialog';
import { Empty } from './parts';

const MAX_SHOWN = 4000; // characters of a body that has no coin to show

/** @param object the coin's part of the body; empty: the body's beginning is shown @param field to be seen first */
export function RecordOf({ record, object, field = '' }: { record: RawRecord; object: string; field?: string }) {
  return (
    <>
      <p class="quiet">
        Job {record.job}, offset {count(record.offset)}: <code>{record.target ?? ''}</code> answered {record.status} in {millis((record.latency_us ?? NaN) / 1000)} with {bytes(record.body_len)}
        {record.fetched_at ? `, received ${record.fetched_at}` : ''}. {object ? 'Of this coin it says, digit for digit:' : 'It begins:'}
      </p>
      <div class="raw" tabIndex={0} role="region" aria-label="The record">
        {object
          ? <table><tbody>{fieldsOf(object).map(([name, value]) => <tr key={name} class={name === field ? 'chosen' : ''}><th scope="row">{name}</th><td>{value}</td></tr>)}</tbody></table>
          : <pre>{record.body === null ? 'no text' : record.body.slice(0, MAX_SHOWN)}</pre>}
      </div>
      <p class="quiet small">
        <a href={`api/record?stream=${record.stream}&offset=${record.offset}&raw=1`}>All of it</a>, or in a terminal: <code>geckotape tape cat --job {record.job} --first {record.offset} --last {record.offset}</code>
      </p>
    </>
  );
}

export interface Place {
  stream: string;
  offset: number;
  coin: string | null;
  field: string | null;
}

export function RecordDialog({ place, onClose }: { place: Place; onClose: () => void }) {
  const [record, setRecord] = useState<RawRecord | null>(null);
  const [words, setWords] = useState('');
  useEffect(() => {
    const mine = new AbortController();
    ask<RawRecord>('api/record', { stream: place.stream, offset: place.offset }, { signal: mine.signal }).then(setRecord, (error: unknown) => {
      if (!mine.signal.aborted && !isAbort(error)) setWords(error instanceof Refusal ? error.message : 'geckotape does not answer.');
    });
    return () => mine.abort();
  }, [place]);
  return (
    <Dialog title={place.coin ? `What was sent of ${place.coin}` : 'What was sent'} onClose={onClose}>
      {!record && !words && <p class="quiet">Looking on the tape…</p>}
      {words && <Empty title="The record cannot be shown" tone="warn">{words}</Empty>}
      {record && <RecordOf record={record} object={place.coin ? findCoin(record.body ?? '', place.coin) : ''} field={place.field ?? ''} />}
    </Dialog>
  );
}
