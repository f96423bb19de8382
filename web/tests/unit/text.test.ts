import { describe, expect, it } from "vitest";
import { best, matchScore } from "../../src/layout/match.ts";
import { pythonWords } from "../../src/layout/python.ts";
import { scrollTo, visibleRows } from "../../src/layout/rows.ts";
import { fitted, textWidth, widthsOf } from "../../src/layout/text.ts";
import { isHot, parentKey, treeRows } from "../../src/layout/tree.ts";

const widths = widthsOf((text) => text.length * 7);

describe("text that fits", () => {
  it("is never wider than its room", () => {
    for (let room = 0; room < 120; room++) {
      const text = fitted(widths, "compose_node", room);
      expect(text === "" || textWidth(widths, text) <= room || text.endsWith("…")).toBe(true);
      expect(text.replace("…", "").length * 7).toBeLessThanOrEqual(Math.max(room, 0));
    }
    expect(fitted(widths, "main", 28)).toBe("main");
    expect(fitted(widths, "main", 27)).toBe("ma…");
    expect(fitted(widths, "main", 15)).toBe("");
  });
});

describe("rows in sight", () => {
  it("cover what is seen and no more than the list", () => {
    expect(visibleRows(1000, 20, 400, 200, 0)).toEqual({ first: 20, end: 30 });
    expect(visibleRows(5, 20, 0, 200)).toEqual({ first: 0, end: 5 });
    expect(visibleRows(0, 20, 0, 200)).toEqual({ first: 0, end: 0 });
    expect(visibleRows(3, 20, 9999, 200).end).toBe(3);
  });
  it("are reached with the least scrolling", () => {
    expect(scrollTo(5, 20, 0, 200)).toBe(0);
    expect(scrollTo(15, 20, 0, 200)).toBe(120);
    expect(scrollTo(2, 20, 200, 200)).toBe(40);
  });
});

describe("words of Python", () => {
  const kinds = (line: string) =>
    pythonWords([line])[0]
      .filter((word) => word.kind !== "plain")
      .map((word) => `${word.kind}:${word.text}`);
  it("are told apart", () => {
    expect(kinds("def astar(x=1.5):  # go")).toEqual([
      "keyword:def",
      "definition:astar",
      "number:1.5",
      "comment:# go",
    ]);
    expect(kinds("return f'a {b}' + rb\"x\"")).toEqual(["keyword:return", "string:f'a {b}'", 'string:rb"x"']);
    expect(kinds("x = 'it\\'s' # no")).toEqual(["string:'it\\'s'", "comment:# no"]);
    expect(kinds("match = 3")).toEqual(["number:3"]);
    expect(kinds("match point:")).toEqual(["keyword:match"]);
  });
  it("follow strings over lines", () => {
    const lines = pythonWords(['x = """one', "two # no", 'three""" + y  # yes']);
    expect(lines[1]).toEqual([{ text: "two # no", kind: "string" }]);
    expect(lines[2][0]).toEqual({ text: 'three"""', kind: "string" });
    expect(lines[2].at(-1)).toEqual({ text: "# yes", kind: "comment" });
  });
  it("lose no character", () => {
    const source = [
      "@x",
      "async def f(a, *, b: 'T' = 0x1F) -> None:",
      "    return {**a}[b] @ é",
      "'open",
      "\t\tpass\u00a0",
    ];
    expect(pythonWords(source).map((line) => line.map((word) => word.text).join(""))).toEqual(source);
  });
});

describe("finding by name", () => {
  it("prefers starts, then starts of words", () => {
    expect(best("no", ["compose_node", "snow", "node"], (text) => text, 5)).toEqual([
      "node",
      "compose_node",
      "snow",
    ]);
    expect(matchScore("com node", "compose_node")).not.toBeNull();
    expect(matchScore("zzz", "compose_node")).toBeNull();
    expect(best("", ["b", "a"], (text) => text, 1)).toEqual(["b"]);
  });
});

describe("the call tree", () => {
  const child = (id: number, hasChildren: boolean) => ({
    function: id,
    label: String(id),
    file: "",
    short: "",
    line: 0,
    kind: "python",
    package: "",
    own: true,
    self: 0,
    totalWeight: 10 - id,
    hasChildren,
  });
  it("shows open nodes and waits for their children", () => {
    const children = new Map([
      ["", [child(1, true), child(2, true)]],
      ["1", [child(1, true)]],
    ]);
    const rows = treeRows(children, new Set(["1", "1.1", "7"]));
    expect(rows.map((row) => [row.key, row.depth, row.open, row.waiting])).toEqual([
      ["1", 0, true, false],
      ["1.1", 1, true, true],
      ["2", 0, false, false],
    ]);
    expect(parentKey("1.1")).toBe("1");
    expect(parentKey("1")).toBe("");
    expect(isHot(child(1, true), 20)).toBe(true);
    expect(isHot(child(1, true), 100)).toBe(false);
  });
});
