import { describe, expect, it } from "vitest";
import { filterQuery, throughQuery } from "../../src/api/query.ts";
import { decode, encode, URL_VERSION } from "../../src/state/url.ts";
import { changed, filterOf, INITIAL, toggledState, type ViewState } from "../../src/state/view-state.ts";

const full: ViewState = {
  rec: 2,
  tab: "source",
  range: [1_000_000_000, 2_500_000_000],
  processes: [1],
  threads: [3, 14],
  states: ["cpu", "gil-wait"],
  gil: true,
  focus: 7,
  search: "a.b|c (x)&é#",
  only: true,
  pick: 9,
  window: [5, 6_000_000_000_000],
  folds: [0, 4],
  quiet: true,
  tracks: ["cpu", "io.read"],
  order: "time",
  inverted: true,
  upwards: true,
  byLine: true,
  colour: "self",
  zoom: { x0: 12, x1: 99, depth: 4 },
  sort: "name",
  descending: false,
  treeInverted: true,
  file: 0,
  zone: 12_000_000,
  site: 4,
  inside: "site",
  said: "locks",
  zoneSort: "p95",
  zoneAscending: true,
  deep: [3],
  level: 4,
  asTable: true,
};

describe("links", () => {
  it("bring every field back", () => {
    expect(decode(encode(full))).toEqual({ view: full, problem: null });
    expect(decode(encode(INITIAL))).toEqual({ view: INITIAL, problem: null });
    expect(decode(encode({ ...INITIAL, tracks: [] })).view.tracks).toEqual([]);
  });
  it("bring every single field back", () => {
    for (const key of Object.keys(full) as (keyof ViewState)[]) {
      const one = { ...INITIAL, [key]: full[key] };
      expect(decode(encode(one)).view, key).toEqual(one);
      expect(encode(one), key).not.toBe(encode(INITIAL));
    }
  });
  it("survive nonsense", () => {
    for (const hash of [
      "#v1?range=9-3&zoom=1-2&threads=a.b&states=x&tab=nope&pick=-1",
      "#v1?range=%%%",
      "#v1",
      "#",
      "",
    ]) {
      expect(decode(hash).view).toEqual(INITIAL);
    }
  });
  it("say when they cannot be read", () => {
    expect(decode("#hello").problem).not.toBeNull();
    expect(decode(`#v${String(URL_VERSION + 1)}?tab=tree`).problem).toContain("newer");
  });
  it("of version 1 stay what they are", () => {
    expect(encode(full)).toMatchInlineSnapshot(
      `"#v1?rec=2&tab=source&range=1000000000-2500000000&processes=1&threads=3.14&states=cpu.gil-wait&gil=1&focus=7&search=a.b%7Cc+%28x%29%26%C3%A9%23&only=1&pick=9&window=5-6000000000000&folds=0.4&quiet=1&tracks=cpu%7Eio.read&order=time&inverted=1&up=1&lines=1&colour=self&zoom=12-99-4&sort=name&asc=1&leaves=1&file=0&zone=12000000&site=4&inside=site&said=locks&zsort=p95&zasc=1&deep=3&level=4&table=1"`,
    );
  });
});

describe("the selection", () => {
  it("is asked for as docs/api.md says", () => {
    expect(filterQuery(filterOf(full))).toBe(
      "rec=2&from=1000000000&to=2500000000&processes=1&threads=3%2C14&states=cpu%2Cgil-wait&gil=1&function=7&search=a.b%7Cc%20(x)%26%C3%A9%23&site=4",
    );
    expect(filterQuery(filterOf({ ...full, only: false }))).not.toContain("search");
    expect(filterQuery(filterOf(INITIAL))).toBe("rec=0");
    expect(throughQuery(filterQuery(filterOf({ ...INITIAL, focus: 7 })))).toBe("rec=0&through=7");
    expect(throughQuery("function=7&rec=0")).toBe("through=7&rec=0");
  });
  it("takes a zoom with it when it changes, and only then", () => {
    const zoomed = { ...INITIAL, zoom: { x0: 1, x1: 2, depth: 0 } };
    expect(changed(zoomed, { tab: "tree" }).zoom).not.toBeNull();
    expect(changed(zoomed, { search: "x" }).zoom).not.toBeNull();
    expect(changed(zoomed, { search: "x", only: true }).zoom).toBeNull();
    expect(changed(zoomed, { range: [0, 5] }).zoom).toBeNull();
    expect(changed(zoomed, { inverted: true }).zoom).toBeNull();
  });
  it("of states is the default again when it is back there", () => {
    const without = toggledState(null, "cpu");
    expect(without).not.toContain("cpu");
    expect(toggledState(without, "cpu")).toBeNull();
    expect(toggledState(["cpu"], "cpu")).toBeNull();
  });
});
