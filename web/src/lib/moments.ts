// SPDX-License-Identifier: Apache-2.0
// Moments of the past that one can go to.

export const STEPS = [
  [60000, 'minute'], [600000, '10 minutes'], [3600000, 'hour'], [86400000, 'day'],
] as const;

/** The step that crosses a span in a hundred or so. */
export function stepFor(spanMs: number): number {
  const fitting = STEPS.find(([ms]) => spanMs / ms <= 200);
  return (fitting ?? STEPS[STEPS.length - 1]!)[0];
}

export const stepName = (ms: number): string => STEPS.find(([step]) => step === ms)?.[1] ?? '';

/** As the field for dates takes it: UTC, without a zone. */
export const toField = (ms: number): string => new Date(ms).toISOString().slice(0, 16);

/** What somebody typed into the field, as UTC; NaN when it is no moment. */
export const fromField = (text: string): number => Date.parse(`${text}Z`);

/** Whole seconds within [oldest, newest]; null from the newest on: that is now. */
export function clampMoment(ms: number, oldest: number, newest: number): number | null {
  if (!Number.isFinite(ms) || ms >= newest) return null;
  return Math.max(Math.ceil(oldest / 1000), Math.floor(ms / 1000)) * 1000;
}
