// SPDX-License-Identifier: Apache-2.0
// Ask for a poll now: with the token that the collector was started with.
import { useState } from 'preact/hooks';
import { ask, Refusal } from '../../data/api';
import { recall, remember } from '../../lib/memory';
import { Dialog } from '../../ui/dialog';

type Answer = { isGood: boolean; words: string } | null;

async function askForPoll(job: string, token: string): Promise<Answer> {
  try {
    await ask('api/polls', {}, {
      method: 'POST',
      headers: { 'Authorization': `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ job }),
    });
    remember('token', token, 'sessionStorage');
    return { isGood: true, words: 'It is asked for: it starts as soon as the pace of calls allows it.' };
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) remember('token', null, 'sessionStorage');
    return { isGood: false, words: error instanceof Refusal ? error.message : 'geckotape does not answer.' };
  }
}

export function RunDialog({ job, onClose }: { job: string; onClose: () => void }) {
  const [token, setToken] = useState(recall('token', 'sessionStorage') ?? '');
  const [answer, setAnswer] = useState<Answer>(null);
  const [isAsking, setIsAsking] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setIsAsking(true);
    setAnswer(await askForPoll(job, token));
    setIsAsking(false);
  };
  return (
    <Dialog title={`Poll ${job} now`} onClose={onClose}>
      <form onSubmit={submit}>
        <p>A poll beside its grid. It costs what any other costs, and waits its turn at the limiter.</p>
        <label class="field wide">
          <span>Token</span>
          <input type="password" value={token} autoComplete="off" required autoFocus onInput={(event) => setToken(event.currentTarget.value)} />
        </label>
        <p class="quiet">The one of <code>GECKOTAPE_HTTP_TOKEN</code>; this tab forgets it when it is closed.</p>
        <p class={`answer ${answer?.isGood ? 'good' : 'bad'}`} role="status">{answer?.words}</p>
        <p class="actions">
          <button type="button" class="button" onClick={onClose}>Close</button>
          <button type="submit" class="button primary" disabled={isAsking || token === ''}>Poll now</button>
        </p>
      </form>
    </Dialog>
  );
}
