/** Which rows of a long list of rows of one height are in sight. */

export interface Visible {
  readonly first: number;
  /** One behind the last. */
  readonly end: number;
}

/** The rows in sight, and `more` on either side so that scrolling finds them drawn. */
export function visibleRows(
  total: number,
  rowHeight: number,
  scrollTop: number,
  height: number,
  more = 6,
): Visible {
  const first = Math.max(0, Math.min(total, Math.floor(scrollTop / rowHeight)) - more);
  const end = Math.min(total, Math.ceil((scrollTop + height) / rowHeight) + more);
  return { first, end: Math.max(first, end) };
}

/** Where to scroll so that `row` is in sight, moving as little as possible. */
export function scrollTo(
  row: number,
  rowHeight: number,
  scrollTop: number,
  height: number,
  above = 0,
): number {
  const top = row * rowHeight;
  if (top < scrollTop + above) return Math.max(0, top - above);
  if (top + rowHeight > scrollTop + height) return top + rowHeight - height;
  return scrollTop;
}
