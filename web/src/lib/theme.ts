// SPDX-License-Identifier: Apache-2.0
// Dark or light: as the system says, until somebody chooses.
import { Store } from './store';
import { recall, remember } from './memory';

export type Theme = 'dark' | 'light';

const system = (): Theme => (matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark');

const chosen = (): Theme | null => {
  const word = recall('theme');
  return word === 'dark' || word === 'light' ? word : null;
};

export const theme = new Store<Theme>('dark');

export function applyTheme(): void {
  const next = chosen() ?? system();
  document.documentElement.dataset.theme = next;
  theme.set(next);
}

export function toggleTheme(): void {
  const next = theme.value === 'dark' ? 'light' : 'dark';
  remember('theme', next === system() ? null : next);
  applyTheme();
}

if (typeof matchMedia !== 'undefined') matchMedia('(prefers-color-scheme: light)').addEventListener('change', applyTheme);
