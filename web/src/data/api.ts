// SPDX-License-Identifier: Apache-2.0
// Asking the collector that the page came from, and nobody else: paths are relative.
import { Store } from '../lib/store';

export class Refusal extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }

  /** This server has no such thing: another build, or no store that could answer. */
  get isAbsent(): boolean {
    return this.status === 404 || this.status === 501;
  }
}

export type Params = Readonly<Record<string, string | number | undefined>>;

/** Does the collector answer at all? Refusals are answers, too. */
export const isReachable = new Store<boolean | null>(null);

const PATIENCE_MS = 20000;

export function address(path: string, params: Params = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined && value !== '') search.set(name, String(value));
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

function words(body: unknown, status: number): string {
  const error = (body as { error?: unknown } | null)?.error;
  if (typeof error === 'string') return error;
  const nested = (error as { status?: { error_message?: unknown } } | undefined)?.status?.error_message;
  return typeof nested === 'string' ? nested : `status ${status}, without a reason`;
}

const asJson = (response: Response): Promise<unknown> => response.json();

/**
 * @param read makes of a good answer what is wanted of it
 * @throws Refusal when it answers no; another error when it does not answer; AbortError when nobody waits any more.
 */
export async function ask<T>(path: string, params: Params = {}, options: RequestInit = {}, read: (response: Response) => Promise<unknown> = asJson): Promise<T> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, patience]) : patience;
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(address(path, params), { ...options, signal });
    body = await (response.ok ? read(response) : response.json().catch((error: unknown) => {
      if (signal.aborted) throw error;
      return null;
    }));
  } catch (error) {
    if (!options.signal?.aborted) isReachable.set(false);
    throw error;
  }
  isReachable.set(true);
  if (!response.ok) throw new Refusal(response.status, words(body, response.status));
  return body as T;
}

export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError';
