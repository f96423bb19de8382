import { describe, expect, it } from "vitest";
import { bytes, count, duration, figure, instant, percent } from "../../src/layout/format.ts";

const plain = (text: string) => text.replace(/\u2009/g, " ");

describe("duration", () => {
  it.each([
    [0, "0 s"],
    [1, "1 ns"],
    [850, "850 ns"],
    [999.6, "1.00 µs"],
    [12_000, "12.0 µs"],
    [45_600_000, "45.6 ms"],
    [999_499_999, "999 ms"],
    [999_500_000, "1.00 s"],
    [1_230_000_000, "1.23 s"],
    [119_900_000_000, "120 s"],
    [125_000_000_000, "2 min 05 s"],
    [11_520_000_000_000, "3 h 12 min"],
    [-45_600_000, "-45.6 ms"],
  ])("%d ns is %s", (nanos, text) => {
    expect(plain(duration(nanos))).toBe(text);
  });

  it("never shows four digits or an exponent", () => {
    for (let exponent = 0; exponent < 11; exponent += 0.01) {
      const text = plain(duration(10 ** exponent));
      expect(text).not.toMatch(/e/);
      expect(text.replace(/[^\d]/g, "").length).toBeLessThanOrEqual(3);
    }
  });
});

describe("instant", () => {
  it("shows as many digits as the step needs", () => {
    expect(plain(instant(1_500_000_000, 500_000_000))).toBe("1.5 s");
    expect(plain(instant(1_500_000_000, 1_000_000))).toBe("1.500 s");
    expect(plain(instant(500_000_000, 500_000_000))).toBe("500 ms");
    expect(plain(instant(3_700_000_000_000, 60_000_000_000))).toBe("1:01:40");
  });

  it("tells neighbouring ticks apart", () => {
    for (const step of [1, 2, 5, 10, 1e3, 2e4, 5e5, 1e6, 2e8, 1e9]) {
      const texts = Array.from({ length: 50 }, (_, n) => instant(7 * step + n * step, step));
      expect(new Set(texts).size).toBe(50);
    }
  });
});

describe("percent", () => {
  it.each([
    [0, 100, "0%"],
    [1, 0, "–"],
    [100, 100, "100%"],
    [99.96, 100, "100%"],
    [37.24, 100, "37.2%"],
    [4.12, 100, "4.1%"],
    [0.52, 100, "0.52%"],
    [0.001, 100, "<0.01%"],
  ])("%d of %d is %s", (part, whole, text) => {
    expect(percent(part, whole)).toBe(text);
  });
});

it("bytes, counts and figures", () => {
  expect(plain(bytes(512))).toBe("512 B");
  expect(plain(bytes(1536))).toBe("1.50 KiB");
  expect(plain(bytes(123 * 2 ** 20))).toBe("123 MiB");
  expect(count(1234567)).toBe("1,234,567");
  expect(figure(4)).toBe("4");
  expect(figure(0.931)).toBe("0.93");
});
