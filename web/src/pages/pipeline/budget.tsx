// SPDX-License-Identifier: Apache-2.0
// The calls of the billing period: what is spent, and whether the rest will do.
import { polled } from '../../data/status';
import type { Budget, Status } from '../../data/types';
import { useNow } from '../../lib/clock';
import { count, day, many, moment, parseTime, span } from '../../lib/format';
import { Chip, type Tone } from '../../ui/parts';

/** What becomes of the budget, in a word and a sentence. */
export function forecast({ calls, own, others, wanted, runs_out, until }: Budget, now: number): [Tone, string, string] {
  const left = Math.max(0, calls - own - others);
  const rest = span(parseTime(until) - now);
  if (left === 0) return ['bad', 'spent', `Nothing is polled for ${rest}, until the next period begins.`];
  if (wanted <= left) return ['good', 'lasts', `All slots until then make ${many(wanted, 'call')}, of ${count(left)} that are left.`];
  const end = runs_out ? `, which would be spent ${moment(parseTime(runs_out))}` : '';
  return ['warn', 'is stretched', `All slots until then would make ${many(wanted, 'call')}, but ${count(left)} are left${end}: slots are left out, the lowest priority first, so that it lasts ${rest}.`];
}

export function BudgetSheet({ value }: { value: Status }) {
  const now = useNow(5000);
  const { budget } = value;
  if (budget.calls === 0 || !budget.until) return null;
  const [tone, word, words] = forecast(budget, now);
  const share = (calls: number): string => `${Math.min(100, (calls / budget.calls) * 100).toFixed(2)}%`;
  const passed = (now - parseTime(budget.from)) / (parseTime(budget.until) - parseTime(budget.from));
  const spent = budget.own + budget.others;
  const stretched = polled(value).filter((job) => job.share !== null && job.share < 1);
  return (
    <section class="sheet padded budget" aria-labelledby="budget-title">
      <header><h2 id="budget-title">Calls of the period</h2><Chip tone={tone}>{word}</Chip></header>
      <p><b>{count(spent)}</b> of {count(budget.calls)} spent{budget.others > 0 && <span class="quiet">, {count(budget.others)} of them by others with this key</span>}
        <span class="quiet"> · {budget.from ? `${day(parseTime(budget.from))} to ` : ''}{day(parseTime(budget.until))}</span></p>
      <div class="meter" role="img" aria-label={`${share(spent)} is spent, ${(passed * 100).toFixed(0)}% of the time has passed`}>
        <span class="own" style={{ width: share(budget.own) }} />
        <span class="others" style={{ width: share(budget.others) }} />
        {Number.isFinite(passed) && <i style={{ left: `${(Math.min(1, Math.max(0, passed)) * 100).toFixed(2)}%` }} title="now" />}
      </div>
      <p class="quiet small">{words}{stretched.length > 0 && ` Now: ${stretched.map((job) => `${job.name} polls ${((job.share ?? 0) * 100).toFixed(0)}% of its slots`).join(', ')}.`}</p>
    </section>
  );
}
