import { describe, expect, it } from "vitest";
import type { Meta, ThreadTimeline, Timeline } from "../../src/api/types.ts";
import { axisTop, curvePoints, largest, summed, valueAt } from "../../src/layout/curve.ts";
import {
  closedProcesses,
  laneAt,
  laneList,
  laneMoment,
  lanePixels,
  laneRuns,
  lanesHeight,
  tracksOf,
} from "../../src/layout/lanes.ts";
import { summedThreads } from "../../src/layout/tiles.ts";
import { answer } from "../fixtures/answers.mjs";
import { profile } from "../fixtures/profile.mjs";

const made = profile({ seconds: 1.5 });
const meta = answer(made, "meta", new URLSearchParams()) as Meta;
const recording = meta.recordings[0];
const timeline = answer(made, "timeline", new URLSearchParams({ px: "300" })) as Timeline;
const red = { r: 255, g: 0, b: 0 };
const green = { r: 0, g: 255, b: 0 };
const colours = {
  cpu: red,
  runnable: green,
  "gil-wait": green,
  disk: green,
  unknown: green,
  blocked: { r: 0, g: 0, b: 255 },
};
const all = new Set(["cpu", "runnable", "gil-wait", "disk", "unknown", "blocked"]);
const tile = (
  over: Partial<ThreadTimeline["states"]>,
  start: number[],
  name = start.map(() => 0),
): ThreadTimeline => {
  const none = start.map(() => 0);
  return {
    thread: 0,
    start,
    name,
    gil: none,
    states: {
      cpu: none,
      runnable: none,
      "gil-wait": none,
      disk: none,
      unknown: none,
      blocked: none,
      ...over,
    },
  };
};
const pixel = (image: { width: number; data: Uint8ClampedArray }, x: number, y: number) => [
  ...image.data.slice((y * image.width + x) * 4, (y * image.width + x) * 4 + 4),
];

describe("lanes", () => {
  const lanes = laneList(recording, {
    closed: new Set<number>(),
    tracks: ["cpu", "rss"],
    named: true,
    quiet: true,
  });
  it("follow each other without gaps, processes before their threads", () => {
    let y = 0;
    for (const lane of lanes) {
      expect(lane.y).toBe(y);
      y += lane.height;
    }
    expect(lanesHeight(lanes)).toBe(y);
    expect(lanes[0]).toMatchObject({ kind: "process", process: 0 });
    expect(lanes.filter((lane) => lane.kind === "thread")).toHaveLength(recording.threads.length);
  });
  it("are found by their place", () => {
    for (const lane of lanes) expect(laneAt(lanes, lane.y + lane.height / 2)).toBe(lane);
    expect(laneAt(lanes, lanesHeight(lanes) + 1)).toBeUndefined();
  });
  it("leave out threads of closed processes and curves that were not asked for", () => {
    const closed = laneList(recording, { closed: new Set([0]), tracks: [], named: false, quiet: true });
    expect(closed.filter((lane) => lane.process === 0)).toHaveLength(1);
    expect(closed.some((lane) => lane.kind === "counter")).toBe(false);
  });
  it("of quiet processes start closed, and open when they are switched", () => {
    const wrapper = { ...recording.processes[0], id: 7, pid: 1, name: "env", end: 5e6 };
    const thread = {
      ...recording.threads[0],
      id: 70,
      process: 7,
      weights: { cpu: 1e6, runnable: 0, "gil-wait": 0, blocked: 9e9, disk: 0, unknown: 0 },
    };
    const more = {
      ...recording,
      processes: [wrapper, ...recording.processes],
      threads: [thread, ...recording.threads],
    };
    expect([...closedProcesses(more, [])]).toEqual([7]);
    expect([...closedProcesses(more, [7, 0])]).toEqual([0]);
    const open = laneList(more, {
      closed: new Set<number>(),
      tracks: ["cpu"],
      named: true,
      quiet: true,
    }).filter((lane) => lane.process === 7);
    expect(
      open.map((lane) => lane.kind),
      "no curve for a process that hardly lived",
    ).toEqual(["process", "thread"]);
    const two = {
      ...more,
      processes: [...more.processes, { ...wrapper, id: 8 }, { ...wrapper, id: 9 }],
      threads: [...more.threads, { ...thread, id: 80, process: 8 }],
    };
    const shut = laneList(two, { closed: closedProcesses(two, []), tracks: [], named: true, quiet: false });
    expect(shut.at(-1)).toMatchObject({ kind: "quiet", processes: [7, 8], open: false });
    expect(
      laneList(two, { closed: closedProcesses(two, []), tracks: [], named: true, quiet: true }),
    ).toHaveLength(shut.length + 2);
  });
  it("have one curve for both kinds of CPU time", () => {
    const tracks = tracksOf(recording.counters, 0);
    expect(tracks[0]).toMatchObject({ key: "cpu", counters: [0, 1] });
    expect(tracks.map((track) => track.key)).toContain("rss");
  });
});

describe("pixels of a lane", () => {
  it("stack states from the bottom by their share", () => {
    const image = lanePixels(
      tile({ cpu: [50], runnable: [50] }, [100]),
      { from: 0, to: 300, width: 100 },
      10,
      colours,
      all,
    );
    expect(image.width).toBe(3);
    expect(pixel(image, 1, 9)).toEqual([255, 0, 0, 255]);
    expect(pixel(image, 1, 5)).toEqual([255, 0, 0, 255]);
    expect(pixel(image, 1, 4)).toEqual([0, 255, 0, 255]);
    expect(pixel(image, 1, 0)).toEqual([0, 255, 0, 255]);
    expect(pixel(image, 0, 9)).toEqual([0, 0, 0, 0]);
  });
  it("fill a level that ends in a pixel by its share", () => {
    const image = lanePixels(tile({ cpu: [25] }, [0]), { from: 0, to: 100, width: 100 }, 10, colours, all);
    expect(pixel(image, 0, 8)[3]).toBe(255);
    expect(pixel(image, 0, 7)[3]).toBeGreaterThan(120);
    expect(pixel(image, 0, 7)[3]).toBeLessThan(135);
    expect(pixel(image, 0, 6)[3]).toBe(0);
  });
  it("never overflow, even when a sample stands for more than a bucket", () => {
    const image = lanePixels(
      tile({ cpu: [300], runnable: [100] }, [0]),
      { from: 0, to: 100, width: 100 },
      8,
      colours,
      all,
    );
    expect(pixel(image, 0, 0)).toEqual([0, 255, 0, 255]);
    expect(pixel(image, 0, 3)).toEqual([255, 0, 0, 255]);
  });
  it("show asleep as a low line", () => {
    const image = lanePixels(
      tile({ blocked: [100] }, [0]),
      { from: 0, to: 100, width: 100 },
      10,
      colours,
      all,
    );
    expect(pixel(image, 0, 9)).toEqual([0, 0, 255, 255]);
    expect(pixel(image, 0, 5)[3]).toBe(0);
  });
});

describe("stretches of functions", () => {
  it("join buckets of one function and end at sleep", () => {
    const runs = laneRuns(
      tile({ cpu: [10, 10, 0, 10], blocked: [0, 0, 10, 0] }, [0, 10, 20, 30], [1, 1, 1, 1]),
      10,
      1,
    );
    expect(runs).toEqual([
      { from: 0, to: 20, name: 1 },
      { from: 30, to: 40, name: 1 },
    ]);
  });
  it("are no narrower than asked for where the thread stays awake", () => {
    const start = Array.from({ length: 100 }, (_, i) => i * 10);
    const runs = laneRuns(
      tile(
        { cpu: start.map(() => 10) },
        start,
        start.map((_, i) => i % 7),
      ),
      10,
      50,
    );
    for (const run of runs.slice(0, -1)) expect(run.to - run.from).toBeGreaterThanOrEqual(50);
    expect(runs[0].from).toBe(0);
    expect(runs.at(-1)?.to).toBe(1000);
  });
  it("go by the function with most of the time", () => {
    expect(laneRuns(tile({ cpu: [1, 9, 1] }, [0, 10, 20], [1, 2, 3]), 10, 100)).toEqual([
      { from: 0, to: 30, name: 2 },
    ]);
  });
});

describe("figures of a moment", () => {
  it("add up to the thread's own over the whole time", () => {
    for (const thread of recording.threads) {
      const mine = timeline.threads.find((one) => one.thread === thread.id);
      if (!mine) throw new Error("no timeline");
      const moment = laneMoment(mine, timeline.width, timeline.from, timeline.to);
      expect(Math.abs(moment.states.cpu - thread.weights.cpu)).toBeLessThan(5000);
    }
  });
  it("are those of the buckets that are touched", () => {
    const one = tile({ cpu: [1, 2, 4] }, [0, 10, 20], [5, 6, 7]);
    expect(laneMoment(one, 10, 10, 20).total).toBe(2);
    expect(laneMoment(one, 10, 9, 21)).toMatchObject({ total: 7, name: 7 });
    expect(laneMoment(one, 10, 30, 40)).toMatchObject({ total: 0, name: -1 });
  });
});

it("sums threads without time asleep", () => {
  const sum = summedThreads(
    {
      ...timeline,
      from: 0,
      to: 20,
      width: 10,
      threads: [tile({ cpu: [3], blocked: [7] }, [0]), { ...tile({ cpu: [4], disk: [1] }, [0]), thread: 1 }],
    },
    2,
  );
  expect(sum.tile.states.cpu).toEqual([7, 0]);
  expect(sum.most).toBe(8);
});

describe("curves", () => {
  const a = { counter: 0, time: [0, 10, 20], value: [1, 2, 3] };
  const b = { counter: 1, time: [5, 20], value: [10, 0] };
  it("sum parts with their latest values", () => {
    expect(summed([a, b])).toEqual({ time: [0, 5, 10, 20], value: [1, 11, 12, 3] });
  });
  it("know their largest and present value", () => {
    expect(largest(a, { from: 0, to: 12 })).toBe(2);
    expect(valueAt(a, 12)).toBe(2);
    expect(valueAt(b, 0)).toBeNull();
  });
  it("have round axes", () => {
    expect(axisTop(0.4, "cpus")).toBe(1);
    expect(axisTop(1.2, "cpus")).toBe(2);
    expect(axisTop(130 * 2 ** 20, "bytes")).toBe(200 * 2 ** 20);
    for (const value of [0.003, 7, 99, 12345]) expect(axisTop(value, "")).toBeGreaterThanOrEqual(value);
  });
  it("reach a point beyond either side of the window", () => {
    const points = curvePoints(a, { from: 8, to: 12 }, 100, 10, 4);
    expect(points[0]).toBeLessThan(0);
    expect(points.at(-2)).toBeGreaterThan(100);
  });
});
