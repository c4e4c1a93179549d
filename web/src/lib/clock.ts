// SPDX-License-Identifier: Apache-2.0
// Draws again as time goes by: for ages and countdowns.
import { useEffect, useState } from 'preact/hooks';
import { now } from '../data/status';

export function useNow(everyMs = 1000): number {
  const [at, setAt] = useState(now());
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setAt(now());
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return at;
}
