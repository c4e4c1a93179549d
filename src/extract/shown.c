/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/shown.h"

#include "base/mem.h"
#include "base/metric.h"

#include <stdio.h>

/* Of a task, from now to the end of the period. */
struct outlook {
    double calls; /* of all its slots */
    double share;
};

/* The sum of calls is returned. */
static double look_ahead(const struct poller *p, struct task *const *tasks, size_t n_tasks,
                         int64_t now_us, const struct budget_state *now, struct outlook *ret_all)
{
    double wanted = 0;

    for (size_t i = 0; i < n_tasks; i++) {
        const struct task *t = tasks[i];
        const bool is_bound = p->budget.calls > 0 && i < p->governor.n;
        ret_all[i].calls = (double)t->governed.calls *
                           (double)grid_count(&t->schedule.grid, now_us, now->period.until_us);
        ret_all[i].share = is_bound ? governor_share(&p->governor, i, now_us, now) : 1;
        wanted += ret_all[i].calls;
    }
    return wanted;
}

static void show_tasks(const struct poller *p, struct task *const *tasks, size_t n_tasks,
                       int64_t now_us, const struct outlook *all, struct status_snapshot *s)
{
    for (size_t i = 0; i < n_tasks; i++) {
        const struct task *t = tasks[i];
        struct status_job *job = &s->jobs[t->of.status];
        job->calls_per_poll = t->governed.calls;
        job->share = all[i].share;
        job->calls_left = (uint64_t)(all[i].calls * all[i].share);
        if (p->budget.calls > 0 && t->governed.promised_us > now_us)
            job->next_due_us = t->governed.promised_us;
    }
}

void shown_budget(const struct poller *p, struct task *const *tasks, size_t n_tasks)
{
    const int64_t now_us = clock_wall_us(p->clock);
    const struct budget_state now = budget_now(&p->budget, now_us);
    const int64_t span_us = now.period.until_us - now_us;

    metric_set(METRIC_BUDGET_CALLS, NULL, NULL, (double)p->budget.calls);
    metric_set(METRIC_BUDGET_SPENT, "own", NULL, (double)now.own);
    metric_set(METRIC_BUDGET_SPENT, "others", NULL, (double)now.others);
    metric_set(METRIC_BUDGET_ENDS, NULL, NULL, (double)now.period.until_us / 1e6);
    if (p->status == NULL)
        return;
    struct outlook *all = mem_new(n_tasks + 1, sizeof(*all));
    const double wanted = look_ahead(p, tasks, n_tasks, now_us, &now, all);
    struct status_snapshot *s = status_lock(p->status);
    s->budget = (struct status_budget){
        .calls = p->budget.calls,
        .from_us = now.period.from_us,
        .until_us = now.period.until_us,
        .own = now.own,
        .others = now.others,
        .wanted = (uint64_t)wanted,
    };
    if (p->budget.calls > 0 && wanted > (double)now.left)
        s->budget.runs_out_us = now_us + (int64_t)((double)span_us * (double)now.left / wanted);
    show_tasks(p, tasks, n_tasks, now_us, all, s);
    status_unlock(p->status);
    mem_free(all);
}

void shown_key(const struct poller *p, const struct key_finding *f)
{
    if (p->status == NULL)
        return;
    struct status_key *shown = &status_lock(p->status)->key;
    *shown = (struct status_key){
        .checked_us = clock_wall_us(p->clock),
        .is_good = f->state == KEY_GOOD,
        .calls_per_minute = f->calls_per_minute,
        .credits = f->credits,
        .credits_left = f->credits_left,
    };
    snprintf(shown->plan, sizeof(shown->plan), "%s", f->plan);
    if (f->state == KEY_REFUSED || f->state == KEY_IGNORED)
        snprintf(shown->trouble, sizeof(shown->trouble), "%s", f->text);
    status_unlock(p->status);
}
