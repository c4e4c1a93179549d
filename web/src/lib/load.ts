// SPDX-License-Identifier: Apache-2.0
// What a page asks for: the newest answer, kept while a newer one is on its way.
import { useEffect, useState } from 'preact/hooks';
import { ask, isAbort, Refusal, type Params } from '../data/api';

export interface Loaded<T> {
  value: T | null; // of `path` and `params`
  refusal: Refusal | null;
  isLost: boolean; // it does not answer
}

const NONE = { value: null, refusal: null, isLost: false };

/**
 * Asks again when `what` or `again` change; an empty path asks nothing.
 * @param what names what is asked for, where it stays the same while parameters move with time: its last answer is kept meanwhile
 */
export function useLoaded<T>(path: string, params: Params = {}, again: unknown = 0, what = JSON.stringify(params)): Loaded<T> {
  const key = path && `${path} ${what}`;
  const [state, setState] = useState<Loaded<T> & { key: string }>({ ...NONE, key });
  useEffect(() => {
    if (!path) return undefined;
    const mine = new AbortController();
    ask<T>(path, params, { signal: mine.signal }).then(
      (value) => setState({ key, value, refusal: null, isLost: false }),
      (error: unknown) => {
        if (mine.signal.aborted || isAbort(error)) return;
        const refusal = error instanceof Refusal ? error : null;
        setState((before) => ({ key, value: before.key === key && !refusal ? before.value : null, refusal, isLost: !refusal }));
      },
    );
    return () => mine.abort();
  }, [key, again]);
  return state.key === key ? state : NONE;
}

/** The same path with several parameters at once: the answers there are, those of before until all have come. */
export function useLoadedEach<T>(path: string, each: readonly Params[], again: unknown, what: string): readonly T[] {
  const [values, setValues] = useState<readonly T[]>([]);
  useEffect(() => {
    const mine = new AbortController();
    Promise.all(each.map((params) => ask<T>(path, params, { signal: mine.signal }).catch(() => null))).then((all) => {
      if (!mine.signal.aborted) setValues(all.flatMap((value) => (value === null ? [] : [value])));
    }, () => undefined);
    return () => mine.abort();
  }, [path, what, again]);
  return values;
}
