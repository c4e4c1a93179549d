// SPDX-License-Identifier: Apache-2.0
// The very bytes of one coin in an answer: nothing is read and written anew, so every digit is as it was sent.

// Where the string ends that begins at `at`: behind its closing quote.
function skipString(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
}

/** Objects of the outermost array, as they stand in the text. */
export function* objectsOf(text: string): Generator<string> {
  let depth = 0;
  let start = -1;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === '"') i = skipString(text, i) - 1;
    else if (char === '{' || char === '[') {
      depth += 1;
      if (char === '{' && depth === 2) start = i;
    } else if (char === '}' || char === ']') {
      depth -= 1;
      if (char === '}' && depth === 1 && start >= 0) yield text.slice(start, i + 1);
    }
  }
}

/** The object of the coin, in the body of an answer of /coins/markets; empty when it is not in there. */
export function findCoin(body: string, id: string): string {
  const key = `"id":${JSON.stringify(id)}`;
  for (const object of objectsOf(body)) if (object.startsWith(`{${key},`) || object.includes(`,${key},`)) return object;
  return '';
}

/** A line for each field of an object, the values untouched. */
export function fieldsOf(object: string): [string, string][] {
  const fields: [string, string][] = [];
  let i = 1;
  while (i < object.length - 1) {
    if (object[i] !== '"') {
      i += 1;
      continue;
    }
    const keyEnd = skipString(object, i);
    const name = object.slice(i + 1, keyEnd - 1);
    let end = object.indexOf(':', keyEnd) + 1;
    const start = end;
    for (let depth = 0; end < object.length - 1 && (depth > 0 || object[end] !== ','); end += 1) {
      if (object[end] === '"') end = skipString(object, end) - 1;
      else if ('{['.includes(object[end]!)) depth += 1;
      else if ('}]'.includes(object[end]!)) depth -= 1;
    }
    fields.push([name, object.slice(start, end).trim()]);
    i = end + 1;
  }
  return fields;
}
