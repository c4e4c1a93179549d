// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { clampMoment, fromField, stepFor, toField } from '../src/lib/moments';
import { cell, cells, DAY_MS, grade, joined, MAX_WEEKS, MIN_WEEKS, shareText, weekOf, weeks } from '../src/pages/history/calendar';
import { firstPoll, type Day } from '../src/data/coverage';
import { countBy, grouped, RULES } from '../src/pages/quality/rules';

const T0 = Date.UTC(2026, 10, 23); // a Monday
const span = (from: number, until: number) => ({ from: T0 + from, until: T0 + until });

export function a_day_is_covered_by_what_was_collected_of_what_could_be(): void {
  const whole = span(0, DAY_MS);
  assert.equal(cell(span(0, DAY_MS), [], whole).share, 1);
  assert.equal(cell(span(0, DAY_MS), [span(0, DAY_MS / 4)], whole).share, 0.75);
  assert.equal(cell(span(0, DAY_MS), [span(0, DAY_MS / 4)], span(0, DAY_MS / 2)).share, 0.5, 'the day is not over');
  assert.equal(cell(span(-DAY_MS, 0), [], whole).share, null, 'before the first poll');
  assert.equal(cell(span(DAY_MS, 2 * DAY_MS), [], whole).share, null, 'to come');
}

export function gaps_that_overlap_count_once(): void {
  assert.deepEqual(joined([span(5, 9), span(0, 3), span(2, 6), span(20, 21)]), [span(0, 9), span(20, 21)]);
  assert.deepEqual(joined([]), []);
}

export function weeks_begin_on_monday_and_end_with_the_present_one(): void {
  assert.equal(weekOf(T0 + 6.9 * DAY_MS), T0);
  assert.equal(weekOf(T0 - 1), T0 - 7 * DAY_MS);
  const all = weeks([], { from: T0 - 3 * DAY_MS, until: T0 + 2.5 * DAY_MS });
  assert.equal(all.length, MIN_WEEKS);
  assert.equal(all.at(-1)![0]!.from, T0);
  assert.deepEqual(all.at(-1)!.map(({ share }) => share), [1, 1, 1, null, null, null, null]);
  assert.equal(weeks([], { from: 0, until: T0 }).length, MAX_WEEKS);
}

export function what_is_not_whole_is_never_called_whole(): void {
  assert.equal(shareText(0.99999), '99.99%');
  assert.equal(shareText(1), '100%');
  assert.equal(shareText(null), 'not collected');
  assert.equal(grade(0.9998), 'most');
  assert.equal(grade(0), 'lost');
  assert.equal(grade(null), 'none');
  assert.equal(cells(T0, 1000, 3, [], span(0, 10000)).length, 3);
}

export function moments_stay_between_the_first_record_and_now(): void {
  assert.equal(clampMoment(T0 + 5999, T0 + 500, T0 + 10000), T0 + 5000);
  assert.equal(clampMoment(T0 - 5000, T0 + 500, T0 + 10000), T0 + 1000);
  assert.equal(clampMoment(T0 + 10000, T0, T0 + 10000), null);
  assert.equal(clampMoment(NaN, T0, T0 + 1), null);
  assert.equal(fromField(toField(T0 + 60000)), T0 + 60000);
  assert.equal(stepFor(3600000), 60000);
  assert.equal(stepFor(400 * DAY_MS), DAY_MS);
}

export function what_is_flagged_most_comes_first(): void {
  assert.deepEqual(countBy(['b', 'a', 'b', 'c'], (each) => each), [['b', 2], ['a', 1], ['c', 1]]);
  assert.deepEqual(grouped([1, 2, 3, 11, 21], (n) => String(n % 10)), [[1, 11, 21], [2], [3]]);
}

export function every_rule_of_the_collector_has_its_sentence(): void {
  const header = readFileSync(`${process.env.GECKOTAPE_ROOT}/src/transform/quality.h`, 'utf8');
  const rules = [...header.matchAll(/^ {4}X\((\w+), *"(\w+)"/gm)].map((match) => match[2]!);
  assert.ok(rules.length > 5);
  assert.deepEqual(Object.keys(RULES).sort(), rules.sort());
}

export function the_past_begins_with_the_first_poll_that_is_stored(): void {
  const days = [0, 0, 3].map((ok, i) => ({ day: new Date(T0 + i * DAY_MS).toISOString(), ok, partial: 0, failed: 0, aborted: 0 } as Day));
  const status = (oldest: number | null) => ({ disk: { oldest: oldest === null ? null : new Date(oldest).toISOString() }, started: new Date(T0 + 9 * DAY_MS).toISOString() }) as never;
  assert.equal(firstPoll(days, status(T0 + 2.5 * DAY_MS)), T0 + 2.5 * DAY_MS, 'the tape tells the hour');
  assert.equal(firstPoll(days, status(T0 + 5 * DAY_MS)), T0 + 2 * DAY_MS, 'the tape was pruned');
  assert.equal(firstPoll(days, null), T0 + 2 * DAY_MS);
  assert.ok(Number.isNaN(firstPoll([], null)));
}
