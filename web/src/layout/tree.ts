/** The call tree as rows: which nodes are in sight when some are open. */
import type { TreeChild } from "../api/types.ts";

export interface TreeRow {
  /** Function ids from the root, joined: names the node. */
  readonly key: string;
  readonly child: TreeChild;
  /** 0 for roots. */
  readonly depth: number;
  readonly open: boolean;
  /** Open, but its children are not here yet. */
  readonly waiting: boolean;
}

export function childKey(parent: string, id: number): string {
  return parent === "" ? String(id) : `${parent}.${String(id)}`;
}

export function parentKey(key: string): string {
  const at = key.lastIndexOf(".");
  return at < 0 ? "" : key.slice(0, at);
}

/** The rows from top to bottom. `children` holds the loaded children by their parent's key. */
export function treeRows(
  children: ReadonlyMap<string, readonly TreeChild[]>,
  open: ReadonlySet<string>,
): TreeRow[] {
  const rows: TreeRow[] = [];
  const visit = (parent: string, depth: number) => {
    for (const child of children.get(parent) ?? []) {
      const key = childKey(parent, child.function);
      const isOpen = child.hasChildren && open.has(key);
      rows.push({ key, child, depth, open: isOpen, waiting: isOpen && !children.has(key) });
      if (isOpen) visit(key, depth + 1);
    }
  };
  visit("", 0);
  return rows;
}

/** Below this share of the whole a heaviest path is not followed further. */
export const HOT_SHARE = 0.3;

/** Whether to follow the heaviest path into this child. */
export function isHot(child: TreeChild, total: number): boolean {
  return child.hasChildren && child.totalWeight >= HOT_SHARE * total;
}
