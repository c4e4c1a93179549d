// SPDX-License-Identifier: Apache-2.0
// The answer of /api/market as it comes: each row is a line, so that 17,000 of them hold up nothing.
import type { Sheet, Value } from './types';

const PART = 1 << 15; // characters that are read at a time
const PART_ROWS = 250; // about as many
const TASK_MS = 10; // then whoever moves the mouse has a turn

/** What the text tells so far, in whole lines. */
export class SheetReader {
  private columns: string[] = [];
  private isBegun = false;
  private text = '';

  /** The rows of what came with this piece, in parts. */
  *read(piece: string): Generator<Sheet> {
    this.text += piece;
    if (!this.isBegun && !this.begin()) return;
    for (let end = this.endOfPart(); end > 0; end = this.endOfPart()) {
      const lines = this.text.slice(0, end - 1);
      this.text = this.text.slice(end);
      const rows = lines.endsWith(',') ? lines.slice(0, -1) : lines.slice(0, -']}'.length); // the last line ends all
      yield { columns: this.columns, rows: JSON.parse(`[${rows}]`) as Value[][] };
    }
  }

  private begin(): boolean {
    const end = this.text.indexOf('\n');
    if (end < 0) return false;
    const head = this.text.slice(0, end);
    this.columns = (JSON.parse(head.endsWith('[') ? `${head}]}` : head) as Sheet).columns;
    this.text = this.text.slice(end + 1);
    this.isBegun = true;
    return true;
  }

  // Behind a newline; 0: no line is whole.
  private endOfPart(): number {
    const end = this.text.indexOf('\n', PART);
    return (end >= 0 ? end : this.text.lastIndexOf('\n')) + 1;
  }
}

/** Let whoever waits have a turn. Nobody does where the page is not seen, and there a turn may come once a minute. */
export const breathe = (): Promise<void> => (document.hidden ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve)));

/** All rows of an answer, made by `make`, part by part. */
export async function readSheets<T>(response: Response, make: (sheet: Sheet) => T[]): Promise<T[]> {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  const sheets = new SheetReader();
  const all: T[] = [];
  let began = performance.now();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return all;
    for (const sheet of sheets.read(decoder.decode(value, { stream: true }))) {
      for (const row of make(sheet)) all.push(row);
      if (performance.now() - began < TASK_MS) continue;
      await breathe();
      began = performance.now();
    }
  }
}

/** The rows of a sheet, made by `make`, part by part. */
export async function readParts<T>({ columns, rows }: Sheet, make: (sheet: Sheet) => T[]): Promise<T[]> {
  const all: T[] = [];
  let began = performance.now();
  for (let first = 0; first < rows.length; first += PART_ROWS) {
    for (const row of make({ columns, rows: rows.slice(first, first + PART_ROWS) })) all.push(row);
    if (performance.now() - began < TASK_MS) continue;
    await breathe();
    began = performance.now();
  }
  return all;
}
