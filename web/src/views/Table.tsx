/** A long table: only the rows in sight are in the page. Rows of one height, moved by the keyboard. */
import { createEffect, createMemo, createSignal, For, on, type JSX } from "solid-js";
import { scrollTo, visibleRows } from "../layout/rows.ts";
import { sizeOf } from "../render/canvas.ts";
import { useApp } from "./app.ts";

export const TABLE_ROW = 24;
/** The sticky head covers as much of what is in sight. */
const HEAD = 28;

export interface Column {
  readonly title: string;
  readonly hint?: string;
  readonly width: string;
  readonly number?: boolean;
  readonly sorted?: "ascending" | "descending" | null;
  readonly sort?: () => void;
}

export interface TableProps {
  readonly label: string;
  readonly columns: readonly Column[];
  readonly rows: number;
  readonly current: number;
  readonly onCurrent: (row: number) => void;
  /** The cells of a row, one for each column. */
  readonly cells: (row: number) => JSX.Element;
  readonly rowClass?: (row: number) => Record<string, boolean>;
  readonly rowAria?: (row: number) => Record<string, string | number | boolean | undefined>;
  readonly onSeen?: (first: number, end: number) => void;
  readonly onKey?: (event: KeyboardEvent, row: number) => boolean;
  readonly onOpen?: (row: number) => void;
  readonly onMenu?: (row: number, x: number, y: number) => void;
  readonly tree?: boolean;
  /** Goes up when the current row should be brought in sight although it did not change. */
  readonly reveal?: number;
}

export function Table(props: TableProps): JSX.Element {
  const app = useApp();
  const [body, setBody] = createSignal<HTMLDivElement>();
  const [scrollTop, setScrollTop] = createSignal(0);
  const size = sizeOf(body);
  const seen = createMemo(() => visibleRows(props.rows, TABLE_ROW, scrollTop(), size().height));
  const list = createMemo(() =>
    Array.from({ length: seen().end - seen().first }, (_, i) => seen().first + i),
  );
  createEffect(() => {
    props.onSeen?.(seen().first, seen().end);
  });
  const bring = (row: number) => {
    const element = body();
    if (element && row >= 0)
      element.scrollTop = scrollTo(row, TABLE_ROW, element.scrollTop, element.clientHeight - HEAD);
  };
  createEffect(
    on(
      [() => props.current, () => props.reveal],
      ([row]) => {
        bring(row);
      },
      { defer: true },
    ),
  );

  const keys = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(size().height / TABLE_ROW) - 1);
    const moves: Record<string, number> = {
      ArrowDown: props.current + 1,
      ArrowUp: props.current - 1,
      PageDown: props.current + page,
      PageUp: props.current - page,
      Home: 0,
      End: props.rows - 1,
    };
    if (event.key in moves) props.onCurrent(Math.max(0, Math.min(props.rows - 1, moves[event.key])));
    else if (props.onKey?.(event, props.current) === true) {
      // The view took it.
    } else if (event.key === "Enter" && props.current >= 0) props.onOpen?.(props.current);
    else if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
      const box = body()?.getBoundingClientRect();
      props.onMenu?.(
        props.current,
        (box?.left ?? 0) + 60,
        (box?.top ?? 0) + HEAD + (props.current + 1) * TABLE_ROW - scrollTop(),
      );
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const id = `table-${String(Math.round(Math.random() * 1e9))}`;
  return (
    <div
      class="table"
      style={{ "--columns": props.columns.map((column) => column.width).join(" ") }}
      onPointerEnter={() => {
        app.pointerOver.current = "tab";
      }}
    >
      <div
        class="body"
        role={props.tree ? "treegrid" : "grid"}
        aria-label={props.label}
        aria-rowcount={props.rows + 1}
        ref={setBody}
        tabIndex={0}
        aria-activedescendant={props.current >= 0 ? `${id}-${String(props.current)}` : undefined}
        onScroll={(event) => {
          setScrollTop(event.currentTarget.scrollTop);
        }}
        onKeyDown={keys}
        onFocus={(event) => {
          if (event.target === event.currentTarget && props.current < 0 && props.rows > 0) props.onCurrent(0);
        }}
      >
        <div class="headrow" role="row" aria-rowindex={1}>
          <For each={props.columns}>
            {(column) => (
              <span
                role="columnheader"
                class="clip"
                classList={{ num: column.number ?? false }}
                aria-sort={column.sorted ?? undefined}
                title={column.hint}
              >
                {column.sort ? (
                  <button onClick={() => column.sort?.()}>
                    {column.title}
                    {column.sorted === "descending" ? " ↓" : column.sorted === "ascending" ? " ↑" : ""}
                  </button>
                ) : (
                  column.title
                )}
              </span>
            )}
          </For>
        </div>
        <div
          role="rowgroup"
          style={{ height: `${String(props.rows * TABLE_ROW + 8)}px`, position: "relative" }}
        >
          <For each={list()}>
            {(row) => (
              <div
                id={`${id}-${String(row)}`}
                class="row"
                role="row"
                aria-rowindex={row + 2}
                aria-selected={row === props.current}
                classList={{ current: row === props.current, ...props.rowClass?.(row) }}
                {...props.rowAria?.(row)}
                style={{ top: `${String(row * TABLE_ROW)}px` }}
                onPointerDown={(event) => {
                  if (event.button === 0) props.onCurrent(row);
                }}
                onDblClick={() => props.onOpen?.(row)}
                onContextMenu={(event) => {
                  event.preventDefault();
                  props.onCurrent(row);
                  props.onMenu?.(row, event.clientX, event.clientY);
                }}
              >
                {props.cells(row)}
              </div>
            )}
          </For>
        </div>
      </div>
    </div>
  );
}
