// SPDX-License-Identifier: Apache-2.0
// A line without axes: where a price has been.
import { isNumber } from '../lib/format';

const [WIDTH, HEIGHT] = [104, 32];

/** The path through the values that are known, as far from each other as they came; empty for fewer than two. */
export function sparkPath(values: readonly (number | null)[], width = WIDTH, height = HEIGHT): string {
  const known = values.filter(isNumber);
  if (known.length < 2) return '';
  const low = Math.min(...known);
  const range = Math.max(...known) - low;
  const step = width / (values.length - 1);
  const points = values.flatMap((value, i) => {
    if (!isNumber(value)) return [];
    const y = range === 0 ? height / 2 : height - 2 - ((value - low) / range) * (height - 4);
    return `${(i * step).toFixed(1)} ${y.toFixed(1)}`;
  });
  return `M${points.join('L')}`;
}

export function Spark({ values }: { values: readonly (number | null)[] }) {
  const path = sparkPath(values);
  const known = values.filter(isNumber);
  const rise = known.length > 1 ? known.at(-1)! - known[0]! : 0;
  const begin = path.slice(1, path.indexOf(' '));
  return (
    <svg class={`spark ${rise > 0 ? 'up' : rise < 0 ? 'down' : ''}`} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT}
      preserveAspectRatio="none" aria-hidden="true">
      {path === ''
        ? <path class="none" d={`M0 ${HEIGHT / 2}H${WIDTH}`} />
        : <>
          <path class="area" d={`${path}V${HEIGHT}H${begin}Z`} />
          <path class="line" d={path} />
        </>}
    </svg>
  );
}
