// SPDX-License-Identifier: Apache-2.0
// What this browser keeps for the page. It may refuse: then nothing is kept.

export function recall(name: string, where = 'localStorage' as 'localStorage' | 'sessionStorage'): string | null {
  try {
    return window[where].getItem(`geckotape.${name}`);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string | null, where = 'localStorage' as 'localStorage' | 'sessionStorage'): void {
  try {
    if (value === null) window[where].removeItem(`geckotape.${name}`);
    else window[where].setItem(`geckotape.${name}`, value);
  } catch {
    // kept by nobody
  }
}
