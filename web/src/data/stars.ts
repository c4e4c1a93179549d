// SPDX-License-Identifier: Apache-2.0
// Coins that this reader watches; kept by the browser alone.
import { recall, remember } from '../lib/memory';
import { Store } from '../lib/store';

export const stars = new Store<ReadonlySet<string>>(new Set((recall('stars') ?? '').split(',').filter(Boolean)));

export function toggleStar(id: string): void {
  const next = new Set(stars.value);
  if (!next.delete(id)) next.add(id);
  stars.set(next);
  remember('stars', next.size > 0 ? [...next].join(',') : null);
}
