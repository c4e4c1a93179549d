// SPDX-License-Identifier: Apache-2.0
// Keys, in one list: what they do and what the help says of them.
import { useEffect } from 'preact/hooks';

export interface Key {
  keys: string[]; // as KeyboardEvent.key names them
  help: string; // empty: not in the list
  act: () => void;
}

let layers: (readonly Key[])[] = [];

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key === 'Escape' && isTyping(event.target)) {
    (event.target as HTMLElement).blur();
    return;
  }
  if (isTyping(event.target) || document.querySelector('dialog[open]')) return;
  for (const layer of [...layers].reverse()) {
    const key = layer.find((candidate) => candidate.keys.includes(event.key));
    if (!key) continue;
    event.preventDefault();
    key.act();
    return;
  }
}

if (typeof document !== 'undefined') document.addEventListener('keydown', onKey);

/** These keys act while the component is there; a later one's come first. */
export function useKeys(keys: readonly Key[]): void {
  useEffect(() => {
    layers.push(keys);
    return () => {
      layers = layers.filter((layer) => layer !== keys);
    };
  });
}

export const keysOfNow = (): Key[] => layers.flat().filter((key) => key.help !== '');

const NAMES: Readonly<Record<string, string>> = { ArrowUp: '↑', ArrowDown: '↓', ArrowLeft: '←', ArrowRight: '→', ' ': 'Space' };
export const keyName = (key: string): string => NAMES[key] ?? key;
