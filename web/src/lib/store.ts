// SPDX-License-Identifier: Apache-2.0
// A value that many may read and that tells them when it has changed.
import { useEffect, useState } from 'preact/hooks';

export class Store<T> {
  private readers = new Set<(value: T) => void>();

  constructor(public value: T) {}

  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const read of [...this.readers]) read(value);
  }

  patch(part: Partial<T>): void {
    this.set({ ...this.value, ...part });
  }

  /** Returns what ends it. */
  subscribe(read: (value: T) => void): () => void {
    this.readers.add(read);
    return () => this.readers.delete(read);
  }
}

export function useStore<T>(store: Store<T>): T {
  const [value, setValue] = useState(store.value);
  useEffect(() => {
    setValue(() => store.value); // it may have changed since it was drawn
    return store.subscribe((next) => setValue(() => next));
  }, [store]);
  return value;
}
