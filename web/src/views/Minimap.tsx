/** The whole recording in one strip, with the window of the timeline; and the axis below it. */
import { createMemo, createSignal, onCleanup, onMount, type Accessor, type JSX } from "solid-js";
import { duration, instant } from "../layout/format.ts";
import { bucketCount, lanePixels } from "../layout/lanes.ts";
import { ticks, toPixel, toValue, within } from "../layout/scale.ts";
import { summedThreads } from "../layout/tiles.ts";
import { painted, pixelRatio, sizeOf } from "../render/canvas.ts";
import { FONT_SMALL, themeColours } from "../render/theme-colours.ts";
import { useApp } from "./app.ts";
import type { TimelineState } from "./timeline-state.ts";
import { pixelImage } from "./lane-paint.ts";

const TOP = 4;
const GRIP = 6;

export function Minimap(props: {
  timeline: TimelineState;
  draft: Accessor<readonly [number, number] | null>;
  inset: number;
}): JSX.Element {
  const app = useApp();
  const { view } = app.store;
  const [host, setHost] = createSignal<HTMLDivElement>();
  const [canvas, setCanvas] = createSignal<HTMLCanvasElement>();
  const outer = sizeOf(host);
  const size = createMemo(() => ({
    width: Math.max(0, outer().width - props.inset),
    height: outer().height,
  }));

  const picture = createMemo(() => {
    const timeline = props.timeline.overview.data();
    if (!timeline) return null;
    const count = bucketCount(timeline.from, timeline.to, timeline.width);
    const { tile, most } = summedThreads(timeline, count);
    const height = Math.max(1, Math.round((size().height - 2 * TOP) * pixelRatio()));
    return pixelImage(
      lanePixels(tile, timeline, height, themeColours().states, app.states(), Math.max(most, timeline.width)),
    );
  });
  const scene = createMemo(() => ({
    picture: picture(),
    window: props.timeline.window(),
    bounds: props.timeline.bounds(),
    range: props.draft() ?? view().range,
    whole: view().window === null,
    css: themeColours().css,
  }));
  painted(canvas, size, scene, (surface, now) => {
    const height = surface.height - 2 * TOP;
    if (now.picture)
      surface.image(
        now.picture,
        { x: 0, y: 0, w: now.picture.width, h: now.picture.height },
        { x: 0, y: TOP, w: surface.width, h: height },
      );
    const x = (time: number) => toPixel(now.bounds, surface.width, time);
    if (now.range) {
      surface.fill(
        { x: x(now.range[0]), y: 0, w: Math.max(1, x(now.range[1]) - x(now.range[0])), h: surface.height },
        now.css.select,
      );
      surface.fill(
        {
          x: x(now.range[0]),
          y: surface.height - 3,
          w: Math.max(2, x(now.range[1]) - x(now.range[0])),
          h: 3,
        },
        now.css.accent,
      );
    }
    if (!now.whole) {
      const [left, right] = [x(now.window.from), x(now.window.to)];
      surface.fill({ x: 0, y: 0, w: left, h: surface.height }, now.css.shade);
      surface.fill({ x: right, y: 0, w: surface.width - right, h: surface.height }, now.css.shade);
      surface.outline(
        { x: left, y: 1, w: Math.max(3, right - left), h: surface.height - 2 },
        now.css.muted,
        1,
      );
    }
  });

  let drag: { mode: "move" | "from" | "to" | "new"; grab: number; anchor: number } | null = null;
  const timeAt = (event: MouseEvent) =>
    toValue(
      props.timeline.bounds(),
      size().width,
      event.clientX - (host()?.getBoundingClientRect().left ?? 0),
    );
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    const time = timeAt(event);
    const window = props.timeline.window();
    const near = (edge: number) =>
      Math.abs(
        toPixel(props.timeline.bounds(), size().width, edge) -
          toPixel(props.timeline.bounds(), size().width, time),
      ) <= GRIP;
    const whole = view().window === null;
    if (!whole && near(window.from)) drag = { mode: "from", grab: 0, anchor: window.to };
    else if (!whole && near(window.to)) drag = { mode: "to", grab: 0, anchor: window.from };
    else if (!whole && time > window.from && time < window.to)
      drag = { mode: "move", grab: time - window.from, anchor: 0 };
    else drag = { mode: "new", grab: 0, anchor: time };
  };
  const move = (event: PointerEvent) => {
    if (!drag) return;
    const time = timeAt(event);
    const window = props.timeline.window();
    const bounds = props.timeline.bounds();
    if (drag.mode === "move") {
      const length = window.to - window.from;
      props.timeline.show(within({ from: time - drag.grab, to: time - drag.grab + length }, bounds));
      return;
    }
    const [a, b] = [Math.min(time, drag.anchor), Math.max(time, drag.anchor)];
    if (((b - a) / (bounds.to - bounds.from)) * size().width > 4)
      props.timeline.show({ from: Math.max(a, bounds.from), to: Math.min(b, bounds.to) });
  };
  const up = () => {
    drag = null;
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
      props.timeline.pan((event.deltaX || event.deltaY) / size().width);
    else props.timeline.zoomAt(timeAt(event), Math.exp(event.deltaY * (event.ctrlKey ? 0.01 : 0.0022)));
  };
  onMount(() => {
    host()?.addEventListener("wheel", wheel, { passive: false });
    onCleanup(() => host()?.removeEventListener("wheel", wheel));
  });
  return (
    <div
      class="minimap"
      ref={setHost}
      title="Overview: drag to choose what the timeline shows, double-click for all"
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={up}
      onDblClick={() => {
        props.timeline.fit();
      }}
    >
      <canvas
        ref={setCanvas}
        role="img"
        aria-label="Overview of the recording"
        style={{ width: `${String(size().width)}px` }}
      />
    </div>
  );
}

export function Axis(props: {
  timeline: TimelineState;
  hover: Accessor<number | null>;
  draft: Accessor<readonly [number, number] | null>;
  inset: number;
}): JSX.Element {
  const app = useApp();
  const [host, setHost] = createSignal<HTMLDivElement>();
  const [canvas, setCanvas] = createSignal<HTMLCanvasElement>();
  const outer = sizeOf(host);
  const size = createMemo(() => ({
    width: Math.max(0, outer().width - props.inset),
    height: outer().height,
  }));
  const scene = createMemo(() => ({
    window: props.timeline.window(),
    hover: props.hover(),
    range: props.draft() ?? app.store.view().range,
    css: themeColours().css,
  }));
  painted(canvas, size, scene, (surface, now) => {
    const { step, values } = ticks(now.window, surface.width, 110);
    const middle = surface.height / 2;
    for (const value of values) {
      const x = toPixel(now.window, surface.width, value);
      surface.line(x, surface.height - 5, x, surface.height, now.css.muted);
      if (x < surface.width - 44)
        surface.text(instant(value, step), x + 4, middle - 1, now.css.muted, FONT_SMALL);
    }
    const tag = (from: number, to: number, text: string) => {
      const half = text.length * 3.1 + 7;
      const x = Math.min(Math.max((from + to) / 2, half), surface.width - half);
      surface.fill({ x: x - half, y: 2, w: 2 * half, h: surface.height - 5 }, now.css.accent);
      surface.text(text, x, middle - 1, now.css.panel, FONT_SMALL, "center");
    };
    if (now.range) {
      const [left, right] = [
        toPixel(now.window, surface.width, now.range[0]),
        toPixel(now.window, surface.width, now.range[1]),
      ];
      if (right > 0 && left < surface.width) {
        surface.fill(
          {
            x: Math.max(0, left),
            y: surface.height - 3,
            w: Math.min(right, surface.width) - Math.max(0, left),
            h: 3,
          },
          now.css.accent,
        );
        tag(Math.max(0, left), Math.min(surface.width, right), duration(now.range[1] - now.range[0]));
      }
    } else if (now.hover !== null) {
      const x = toPixel(now.window, surface.width, now.hover);
      tag(x, x, instant(now.hover, (now.window.to - now.window.from) / surface.width));
    }
  });
  return (
    <div class="axis" ref={setHost}>
      <canvas ref={setCanvas} aria-hidden="true" style={{ width: `${String(size().width)}px` }} />
    </div>
  );
}
