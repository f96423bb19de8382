/** The frames of a flame graph as a table, in the order of the picture. */
import { createMemo, createSignal, type JSX } from "solid-js";
import type { FlameIndex } from "../layout/flame.ts";
import { place } from "../layout/format.ts";
import { useApp } from "./app.ts";
import { functionMenu, Measure, Swatch } from "./parts.tsx";
import { Table } from "./Table.tsx";

export function FlameTable(props: { index: FlameIndex; onZoom: (row: number) => void }): JSX.Element {
  const app = useApp();
  const [current, setCurrent] = createSignal(-1);
  const flame = () => props.index.flame;
  /** Rows depth first, from left to right. */
  const order = createMemo(() => {
    const { x, depth } = flame();
    return Array.from(x, (_, row) => row).sort((a, b) => x[a] - x[b] || depth[a] - depth[b]);
  });
  const name = (at: number) => flame().names[flame().name[order()[at]]];
  return (
    <Table
      label="Frames of the flame graph"
      columns={[
        { title: "Depth", width: "56px", number: true },
        { title: "Total", width: "150px", number: true },
        { title: "Self", width: "150px", number: true },
        { title: "Function", width: "minmax(0, 2fr)" },
        { title: "File", width: "minmax(0, 1fr)" },
      ]}
      rows={order().length}
      current={current()}
      onCurrent={(row) => {
        setCurrent(row);
        app.remember(name(row));
        app.store.change({ pick: name(row).function }, "replace");
      }}
      onOpen={(row) => {
        props.onZoom(order()[row]);
      }}
      onMenu={(row, x, y) => {
        app.setMenu({ x, y, head: name(row).label, items: functionMenu(app, name(row)) });
      }}
      rowClass={(row) => ({ hit: app.hits()?.has(name(row).function) ?? false })}
      cells={(row) => (
        <>
          <span class="cell num" role="gridcell">
            {flame().depth[order()[row]] + 1}
          </span>
          <span class="cell" role="gridcell">
            <Measure value={flame().w[order()[row]]} whole={flame().total} of="total" />
          </span>
          <span class="cell" role="gridcell">
            <Measure value={flame().self[order()[row]]} whole={flame().total} of="self" />
          </span>
          <span class="cell name" role="gridcell">
            <Swatch name={name(row)} />
            {name(row).label}
          </span>
          <span class="cell muted" role="gridcell" title={name(row).file}>
            {place(name(row).short, name(row).line)}
          </span>
        </>
      )}
    />
  );
}
