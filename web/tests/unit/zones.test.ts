import { describe, expect, it } from "vitest";
import type { Tracks } from "../../src/api/types.ts";
import { contrast, parseHex } from "../../src/layout/colour.ts";
import {
  argumentsOf,
  coverAt,
  FEW_ROWS,
  frameKind,
  markAt,
  median,
  pieceAt,
  pieceLabel,
  piecesOf,
  rowOf,
  taskOf,
  withRoom,
  zoneFill,
  zoneRows,
} from "../../src/layout/zones.ts";

/** thread, lane, depth, start, end */
type Drawn = readonly [number, number, number, number, number];

function tracks(pieces: readonly Drawn[], lanes: readonly (readonly [number, number, number])[]): Tracks {
  const column = (at: number) => pieces.map((piece) => piece[at]);
  return {
    from: 0,
    to: 100,
    width: 1,
    exact: true,
    lanes: {
      thread: lanes.map(([thread]) => thread),
      lane: lanes.map(([, lane]) => lane),
      depths: lanes.map(([, , depths]) => depths),
    },
    zones: {
      thread: column(0),
      lane: column(1),
      depth: column(2),
      start: column(3),
      end: column(4),
      busy: column(4),
      count: pieces.map(() => 1),
      zone: pieces.map((_, i) => i),
      flags: pieces.map(() => 0),
      site: pieces.map(() => 0),
      task: pieces.map((_, i) => i - 1),
    },
    sites: [],
    tasks: ["worker"],
    waits: { thread: [], start: [], end: [], count: [], wait: [], holder: [], lock: [] },
    locks: [],
    logs: {
      time: [10, 40, 41],
      thread: [0, 1, 0],
      level: [2, 2, 4],
      colour: [0, 0, 0],
      count: [1, 1, 1],
      text: ["", "", ""],
    },
    frames: [],
  };
}

const some = tracks(
  [
    [0, 0, 0, 0, 50],
    [0, 0, 1, 10, 20],
    [0, 0, 1, 30, 31],
    [0, 2, 0, 5, 45],
    [3, 0, 0, 0, 9],
  ],
  [
    [0, 0, 2],
    [0, 2, 1],
    [3, 0, 1],
  ],
);

describe("rows of zones", () => {
  it("stand lane below lane", () => {
    const rows = zoneRows(some, new Set());
    expect([...rows.keys()]).toEqual([0, 3]);
    const mine = rows.get(0);
    expect(mine).toMatchObject({ shown: 3, all: 3 });
    expect(mine?.first.get(2)).toBe(2);
    expect(piecesOf(some, 0)).toEqual([0, 4]);
    expect(piecesOf(some, 3)).toEqual([4, 5]);
    expect(piecesOf(some, 1)).toEqual([4, 4]);
  });
  it("are few until all are asked for", () => {
    const deep = tracks(
      [[0, 5, 3, 0, 1]],
      Array.from({ length: 20 }, (_, lane) => [0, lane, 2] as const),
    );
    const few = zoneRows(deep, new Set()).get(0);
    expect(few).toMatchObject({ shown: FEW_ROWS, all: 40 });
    const all = zoneRows(deep, new Set([0])).get(0);
    expect(all).toMatchObject({ shown: 40, all: 40 });
    if (!few || !all) throw new Error("both are there");
    expect([rowOf(deep, few, 0), rowOf(deep, all, 0)]).toEqual([-1, 13]);
  });
  it("are hit where they are, and near a narrow one", () => {
    const rows = zoneRows(some, new Set()).get(0);
    if (!rows) throw new Error("it is there");
    const at = (row: number, time: number, reach = 2) => pieceAt(some, rows, 0, row, time, reach);
    expect([at(0, 12), at(1, 12), at(2, 12), at(1, 25)]).toEqual([0, 1, 3, -1]);
    expect([at(1, 29), at(1, 33), at(1, 33, 0.5)]).toEqual([2, -1, -1]);
  });
});

describe("what is near", () => {
  it("is found by time", () => {
    expect(markAt(some, 0, 42, 2)).toBe(2);
    expect(markAt(some, 0, 20, 2)).toBe(-1);
    const waits = { start: [0, 10], end: [5, 20] };
    expect(coverAt(waits, () => true, 11, 1)).toBe(1);
    expect(coverAt(waits, (i) => i === 0, 11, 1)).toBe(-1);
  });
});

describe("marks", () => {
  it("have a flag where they do not crowd each other", () => {
    expect(withRoom([0, 20, 24, 40], 9)).toEqual([true, false, false, true]);
    expect(withRoom([5], 9)).toEqual([true]);
    expect(withRoom([], 9)).toEqual([]);
  });
});

describe("what is written", () => {
  it("reads well on its colour, in both themes, chosen or not", () => {
    for (const dark of [false, true])
      for (const colour of [null, "#000000", "#ffffff", "#ff8800"])
        for (const label of ["request", "query", "a", "b", "c", "render"]) {
          const { fill, text } = zoneFill({ label, colour }, dark);
          const [under, over] = [parseHex(fill), parseHex(text)];
          if (!under || !over) throw new Error("both are colours");
          expect(contrast(under, over)).toBeGreaterThanOrEqual(4.5);
        }
  });
  it("tells how many", () => {
    expect(pieceLabel("query", 1)).toBe("query");
    expect(pieceLabel("query", 12_345)).toBe("query ×12,345");
    expect(pieceLabel("query", 1, "worker")).toBe("query · worker");
    expect(pieceLabel("query", 2, "worker")).toBe("query ×2");
  });
  it("names the task, where there is one", () => {
    const some = tracks(
      [
        [1, 0, 0, 0, 10],
        [1, 0, 0, 20, 30],
      ],
      [[1, 0, 1]],
    );
    expect([taskOf(some, 0), taskOf(some, 1)]).toEqual(["", "worker"]);
  });
  it("takes arguments apart", () => {
    expect(argumentsOf('{"user":7,"name":"x","list":[1]}')).toEqual([
      ["user", "7"],
      ["name", "x"],
      ["list", "[1]"],
    ]);
    expect(argumentsOf("")).toEqual([]);
    expect(argumentsOf('{"user":')).toEqual([["", '{"user":']]);
    expect(argumentsOf("[1]")).toEqual([["", "[1]"]]);
  });
});

describe("frames", () => {
  it("are judged beside the usual one", () => {
    expect(median([5, 1, 9, 7])).toBe(5);
    expect(median([])).toBe(0);
    expect([16, 22, 40].map((ms) => frameKind(ms, 16))).toEqual(["usual", "slow", "bad"]);
  });
});
