// SPDX-License-Identifier: Apache-2.0
// Rectangles by size in a rectangle, as near to squares as may be (Bruls, Huizing, van Wijk: Squarified treemaps).

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

// How far from a square the worst of a row would be, along a side.
function worst(row: readonly number[], side: number): number {
  const sum = row.reduce((total, area) => total + area, 0);
  const depth = sum / side;
  return row.reduce((max, area) => Math.max(max, depth / (area / depth), area / depth / depth), 0);
}

/** A box for each size, in their order: sizes above 0, the largest first. */
export function treemap(sizes: readonly number[], width: number, height: number): Box[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total <= 0 || width <= 0 || height <= 0) return [];
  const areas = sizes.map((size) => (size / total) * width * height);
  const boxes: Box[] = [];
  let free: Box = { x: 0, y: 0, width, height };
  let row: number[] = [];

  const place = (): void => {
    const sum = row.reduce((all, area) => all + area, 0);
    const isColumn = free.width >= free.height; // along the shorter side
    const depth = sum / (isColumn ? free.height : free.width);
    let at = 0;
    for (const area of row) {
      const length = area / depth;
      boxes.push(isColumn ? { x: free.x, y: free.y + at, width: depth, height: length } : { x: free.x + at, y: free.y, width: length, height: depth });
      at += length;
    }
    free = isColumn ? { ...free, x: free.x + depth, width: free.width - depth } : { ...free, y: free.y + depth, height: free.height - depth };
    row = [];
  };
  for (const area of areas) {
    const side = Math.min(free.width, free.height);
    if (row.length > 0 && worst([...row, area], side) > worst(row, side)) place();
    row.push(area);
  }
  if (row.length > 0) place();
  return boxes;
}
