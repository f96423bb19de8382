/** A flame graph on a canvas: hover, click, keyboard, menu. Knows nothing of where it comes from. */
import {
  createEffect,
  createMemo,
  createSignal,
  onCleanup,
  onMount,
  Show,
  untrack,
  type JSX,
} from "solid-js";
import {
  categoryFill,
  fillOf,
  HEAT_STEPS,
  heatFill,
  heatStep,
  mixed,
  parseHex,
  type Fill,
} from "../layout/colour.ts";
import {
  FLAME_ROW,
  flameBox,
  flameHeight,
  flameRowAt,
  flameScene,
  neighbour,
  rowTop,
  type FlameGeometry,
  type FlameIndex,
  type FlamePaint,
} from "../layout/flame.ts";
import { duration, percent, place } from "../layout/format.ts";
import { panned, zoomed, type Window } from "../layout/scale.ts";
import { painted, sizeOf } from "../render/canvas.ts";
import { FONT, fontWidths, themeColours } from "../render/theme-colours.ts";
import type { FlameColour } from "../state/view-state.ts";
import { functionMenu } from "./parts.tsx";
import { useApp } from "./app.ts";

export interface FlameCanvasProps {
  readonly index: FlameIndex;
  readonly window: Window;
  readonly bounds: Window;
  readonly upwards: boolean;
  readonly colour: FlameColour;
  readonly label: string;
  /** Whether x is time: then a frame's width is a duration, not a sum. */
  readonly time: boolean;
  readonly onZoom: (row: number) => void;
  readonly onWindow: (window: Window) => void;
  /** Called with the size of the canvas. */
  readonly onWidth?: (width: number) => void;
  readonly keyboard?: boolean;
}

const SMALLEST = 1000;
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

export function FlameCanvas(props: FlameCanvasProps): JSX.Element {
  const app = useApp();
  const { store } = app;
  const { view } = store;
  const [scroller, setScroller] = createSignal<HTMLDivElement>();
  const [sheet, setSheet] = createSignal<HTMLDivElement>();
  const [base, setBase] = createSignal<HTMLCanvasElement>();
  const [over, setOver] = createSignal<HTMLCanvasElement>();
  const [scrollTop, setScrollTop] = createSignal(0);
  const [hover, setHover] = createSignal(-1);
  const [current, setCurrent] = createSignal(-1);
  const [focused, setFocused] = createSignal(false);
  const outer = sizeOf(scroller);
  const full = createMemo(() => Math.max(flameHeight(props.index) + 8, outer().height));
  createEffect(() => {
    props.onWidth?.(outer().width);
  });

  // The window in sight follows the one asked for, in a few frames.
  const [seen, setSeen] = createSignal<Window>(untrack(() => props.window));
  let animation = 0;
  createEffect(() => {
    const target = { from: props.window.from, to: props.window.to };
    cancelAnimationFrame(animation);
    const start = untrack(seen);
    const sameBounds = start.to <= props.bounds.to && start.from >= props.bounds.from;
    const ratio = (target.to - target.from) / (start.to - start.from);
    const jump = reducedMotion.matches || !sameBounds || (ratio > 0.8 && ratio < 1.25);
    if (jump) {
      setSeen(target);
      return;
    }
    const began = performance.now();
    const step = (now: number) => {
      const share = Math.min(1, (now - began) / 160);
      const eased = 1 - (1 - share) ** 3;
      setSeen({
        from: start.from + (target.from - start.from) * eased,
        to: start.to + (target.to - start.to) * eased,
      });
      if (share < 1) animation = requestAnimationFrame(step);
    };
    animation = requestAnimationFrame(step);
  });
  onCleanup(() => {
    cancelAnimationFrame(animation);
  });

  const geometry = createMemo<FlameGeometry>(() => ({
    width: outer().width,
    height: outer().height,
    scrollTop: scrollTop(),
    window: seen(),
    upwards: props.upwards,
    full: full(),
  }));

  const upwards = createMemo(() => props.upwards);
  // Roots at the bottom start scrolled to the bottom.
  createEffect(() => {
    const element = scroller();
    if (!element) return;
    full();
    if (upwards())
      queueMicrotask(() => {
        element.scrollTop = element.scrollHeight;
      });
  });

  const fills = createMemo<(row: number) => Fill>(() => {
    const { flame } = props.index;
    const { dark } = themeColours();
    if (props.colour === "self") {
      const heat = Array.from({ length: HEAT_STEPS }, (_, step) => heatFill(step, dark));
      const most = flame.self.reduce((a, b) => Math.max(a, b), 1);
      return (row) => heat[heatStep(flame.self[row] / most)];
    }
    const byName = flame.names.map((name) =>
      categoryFill(props.colour === "file" ? name.file : name.package, name.own, name.kind, dark, name.label),
    );
    return (row) => byName[flame.name[row]];
  });
  const paint = createMemo<FlamePaint>(() => {
    const { flame } = props.index;
    const theme = themeColours();
    const hits = app.hits();
    const faded = new Map<string, Fill>();
    const hit = parseHex(theme.css.hit);
    return {
      fill: fills(),
      found: hits ? (row) => hits.has(flame.names[flame.name[row]].function) : null,
      foundFill: hit ? fillOf(hit) : fills()(0),
      faded(fill) {
        let known = faded.get(fill.fill);
        if (!known) {
          const rgb = parseHex(fill.fill);
          known = rgb ? fillOf(mixed(rgb, theme.background, 0.62)) : fill;
          faded.set(fill.fill, known);
        }
        return known;
      },
      widths: fontWidths(FONT),
    };
  });
  const scene = createMemo(() => flameScene(props.index, geometry(), paint()));
  painted(base, outer, scene, (surface, now) => {
    surface.scene(now, FONT);
  });

  const overlay = createMemo(() => ({
    index: props.index,
    geometry: geometry(),
    hover: hover(),
    current: focused() ? current() : -1,
    pick: view().pick,
    css: themeColours().css,
  }));
  painted(over, outer, overlay, (surface, now) => {
    const { flame } = now.index;
    if (now.pick !== null) {
      for (let row = 0; row < flame.name.length; row++) {
        if (flame.names[flame.name[row]].function !== now.pick) continue;
        const box = flameBox(now.index, now.geometry, row);
        if (box.w < 2 || box.y < -FLAME_ROW || box.y > surface.height) continue;
        surface.outline(box, now.css.text, 1.5);
      }
    }
    for (const [row, colour] of [
      [now.hover, now.css.text],
      [now.current, now.css.accent],
    ] as const) {
      if (row >= 0 && row < flame.x.length)
        surface.outline(flameBox(now.index, now.geometry, row), colour, 2);
    }
  });

  // Pointer ------------------------------------------------------------------------------------
  const place2 = (event: MouseEvent) => {
    const box = sheet()?.getBoundingClientRect();
    return { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) };
  };
  const rowUnder = (event: MouseEvent) => {
    const { x, y } = place2(event);
    return flameRowAt(props.index, geometry(), x, y);
  };
  let drag: { x: number; window: Window; moved: boolean } | null = null;
  const move = (event: PointerEvent) => {
    if (drag) {
      const by = event.clientX - drag.x;
      if (Math.abs(by) > 3) drag.moved = true;
      if (drag.moved) {
        app.setTip(null);
        props.onWindow(panned(drag.window, props.bounds, -by / outer().width));
      }
      return;
    }
    const row = rowUnder(event);
    setHover(row);
    const target = sheet();
    if (target) target.style.cursor = row >= 0 ? "pointer" : "";
    if (row >= 0)
      app.setTip({
        x: event.clientX,
        y: event.clientY,
        content: () => <FrameTip index={props.index} row={row} time={props.time} />,
      });
    else app.setTip(null);
  };
  const leave = () => {
    setHover(-1);
    app.setTip(null);
  };
  const down = (event: PointerEvent) => {
    if (event.button === 0) drag = { x: event.clientX, window: props.window, moved: false };
  };
  const up = (event: PointerEvent) => {
    const dragged = drag?.moved ?? false;
    drag = null;
    if (dragged || event.button !== 0) return;
    const row = rowUnder(event);
    if (row < 0) return;
    setCurrent(row);
    pickRow(row);
    props.onZoom(row);
  };
  const pickRow = (row: number) => {
    const name = props.index.flame.names[props.index.flame.name[row]];
    app.remember(name);
    store.change({ pick: name.function }, "replace");
  };
  const menu = (event: MouseEvent) => {
    event.preventDefault();
    const row = rowUnder(event);
    if (row >= 0) openMenu(row, event.clientX, event.clientY);
  };
  const openMenu = (row: number, x: number, y: number) => {
    const name = props.index.flame.names[props.index.flame.name[row]];
    setCurrent(row);
    app.setTip(null);
    app.setMenu({
      x,
      y,
      head: name.label,
      items: [
        {
          label: "Zoom to this frame",
          key: "↵",
          run: () => {
            pickRow(row);
            props.onZoom(row);
          },
        },
        ...functionMenu(app, name),
      ],
    });
  };
  const wheel = (event: WheelEvent) => {
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const share = place2(event).x / outer().width;
      const anchor = props.window.from + share * (props.window.to - props.window.from);
      props.onWindow(zoomed(props.window, props.bounds, anchor, Math.exp(event.deltaY * 0.008), SMALLEST));
    } else if (sideways) {
      event.preventDefault();
      props.onWindow(panned(props.window, props.bounds, (event.deltaX || event.deltaY) / outer().width));
    } else app.setTip(null);
  };
  onMount(() => {
    const element = scroller();
    element?.addEventListener("wheel", wheel, { passive: false });
    onCleanup(() => element?.removeEventListener("wheel", wheel));
  });

  // Keyboard -----------------------------------------------------------------------------------
  const reveal = (row: number) => {
    const element = scroller();
    if (!element) return;
    const top = rowTop({ ...geometry(), scrollTop: 0 }, props.index.flame.depth[row]);
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + FLAME_ROW > element.scrollTop + element.clientHeight)
      element.scrollTop = top + FLAME_ROW - element.clientHeight;
  };
  const go = (row: number) => {
    if (row < 0) return;
    setCurrent(row);
    reveal(row);
    pickRow(row);
    const { flame } = props.index;
    const name = flame.names[flame.name[row]];
    app.speak(
      `${name.label}, ${place(name.short, name.line)}, depth ${String(flame.depth[row] + 1)}, total ${duration(flame.w[row])}, ${percent(flame.w[row], flame.total)}, self ${duration(flame.self[row])}`,
    );
  };
  const keys = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const up = props.upwards ? "child" : "parent";
    const down = props.upwards ? "parent" : "child";
    const directions: Record<string, "parent" | "child" | "left" | "right"> = {
      ArrowUp: up,
      ArrowDown: down,
      ArrowLeft: "left",
      ArrowRight: "right",
    };
    if (event.key in directions) go(neighbour(props.index, current(), directions[event.key]));
    else if (event.key === "Enter" && current() >= 0) props.onZoom(current());
    else if ((event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) && current() >= 0) {
      const box = flameBox(props.index, geometry(), current());
      const sheetBox = sheet()?.getBoundingClientRect();
      openMenu(current(), (sheetBox?.left ?? 0) + box.x + 20, (sheetBox?.top ?? 0) + box.y + FLAME_ROW);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  onMount(() => {
    if (props.keyboard === false) return;
    const middle = () => (props.window.from + props.window.to) / 2;
    app.tabKeys.current = {
      cycle(step) {
        const { flame } = props.index;
        const hits = app.hits();
        if (!hits) return;
        const rows: number[] = [];
        for (let row = 0; row < flame.x.length; row++)
          if (hits.has(flame.names[flame.name[row]].function)) rows.push(row);
        if (rows.length === 0) return;
        rows.sort((a, b) => flame.w[b] - flame.w[a]);
        const at =
          (rows.indexOf(current()) + step + rows.length + (current() < 0 && step < 0 ? 1 : 0)) % rows.length;
        app.setHitPlace({ at: at + 1, of: rows.length });
        setFocused(true);
        go(rows[at]);
      },
      zoom: (factor) => {
        props.onWindow(zoomed(props.window, props.bounds, middle(), factor, SMALLEST));
      },
      pan: (share) => {
        props.onWindow(panned(props.window, props.bounds, share));
      },
      fit: () => {
        props.onWindow(props.bounds);
      },
    };
    onCleanup(() => {
      app.tabKeys.current = {};
    });
  });
  createEffect(() => {
    // Row numbers are of one answer.
    void props.index;
    setHover(-1);
    setCurrent(-1);
    app.setTip(null);
  });

  return (
    <div
      class="flame"
      ref={setScroller}
      tabIndex={0}
      role="application"
      aria-roledescription="flame graph"
      aria-label={`${props.label}. Arrow keys move between frames, Enter zooms, T shows a table.`}
      onScroll={(event) => {
        setScrollTop(event.currentTarget.scrollTop);
      }}
      onKeyDown={keys}
      onFocus={() => setFocused(true)}
      onBlur={() => setFocused(false)}
      onPointerEnter={() => {
        app.pointerOver.current = "tab";
      }}
    >
      <div class="content" style={{ height: `${String(full())}px` }}>
        <div
          class="sheet"
          ref={setSheet}
          style={{ height: `${String(outer().height)}px` }}
          onPointerMove={move}
          onPointerLeave={leave}
          onPointerDown={down}
          onPointerUp={up}
          onPointerCancel={() => {
            drag = null;
          }}
          onContextMenu={menu}
        >
          <canvas ref={setBase} aria-hidden="true" />
          <canvas ref={setOver} aria-hidden="true" />
        </div>
      </div>
    </div>
  );
}

function FrameTip(props: { index: FlameIndex; row: number; time: boolean }): JSX.Element {
  const flame = () => props.index.flame;
  const name = () => flame().names[flame().name[props.row]];
  const parent = () => flame().path[props.row];
  return (
    <>
      <h3>{name().label}</h3>
      <div class="where">
        {place(name().file, name().line)}
        <Show when={name().kind !== "python"}> ({name().kind})</Show>
      </div>
      <dl>
        <dt>{props.time ? "lasted" : "total"}</dt>
        <dd>{duration(flame().w[props.row])}</dd>
        <dd>{percent(flame().w[props.row], flame().total)}</dd>
        <dd class="note">of all</dd>
        <dt>self</dt>
        <dd>{duration(flame().self[props.row])}</dd>
        <dd>{percent(flame().self[props.row], flame().total)}</dd>
        <dd class="note">of all</dd>
        <Show when={parent() >= 0}>
          <dt>share</dt>
          <dd />
          <dd>{percent(flame().w[props.row], flame().w[parent()])}</dd>
          <dd class="note">of its caller</dd>
        </Show>
      </dl>
    </>
  );
}
