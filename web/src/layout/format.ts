/** Figures as people read them. Nanoseconds in, text out. */

const THIN = "\u2009";

/** Three significant digits of `value`, without an exponent. */
function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1);
  return value.toFixed(2);
}

/** `1.23 s`, `45.6 ms`, `12.0 µs`, `850 ns`, `2 min 05 s`, `3 h 12 min`. */
export function duration(nanos: number): string {
  const size = Math.abs(nanos);
  if (size < 0.5) return `0${THIN}s`;
  // The bounds are where three digits round up to the next unit.
  if (size < 999.5) return `${String(Math.round(nanos))}${THIN}ns`;
  if (size < 999.5e3) return `${digits(nanos / 1e3)}${THIN}µs`;
  if (size < 999.5e6) return `${digits(nanos / 1e6)}${THIN}ms`;
  if (size < 119.95e9) return `${digits(nanos / 1e9)}${THIN}s`;
  const seconds = Math.round(size / 1e9);
  const sign = nanos < 0 ? "−" : "";
  if (seconds < 7200) {
    return `${sign}${String(Math.floor(seconds / 60))}${THIN}min ${two(seconds % 60)}${THIN}s`;
  }
  const minutes = Math.round(seconds / 60);
  return `${sign}${String(Math.floor(minutes / 60))}${THIN}h ${two(minutes % 60)}${THIN}min`;
}

/** A point in time, precise to `step` nanoseconds, in the unit that suits the step. */
export function instant(nanos: number, step: number): string {
  if (nanos === 0) return `0${THIN}s`;
  if (nanos >= 120e9 && step >= 1e9) {
    const seconds = Math.round(nanos / 1e9);
    const hours = Math.floor(seconds / 3600);
    const rest = `${hours > 0 ? two(Math.floor((seconds % 3600) / 60)) : String(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
    return hours > 0 ? `${String(hours)}:${rest}` : rest;
  }
  const unit = nanos >= 1e9 ? SECOND : nanos >= 1e6 ? MILLI : nanos >= 1e3 ? MICRO : NANO;
  const places = Math.max(0, Math.min(9, Math.ceil(Math.log10(unit.size / Math.max(step, 1)) - 1e-9)));
  return `${(nanos / unit.size).toFixed(places)}${THIN}${unit.name}`;
}

const SECOND = { size: 1e9, name: "s" };
const MILLI = { size: 1e6, name: "ms" };
const MICRO = { size: 1e3, name: "µs" };
const NANO = { size: 1, name: "ns" };

/** `37.2%`, `4.1%`, `0.52%`, `<0.01%`; `–` of nothing. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return "–";
  const share = (part / whole) * 100;
  if (share === 0) return "0%";
  if (share >= 99.95) return "100%";
  if (share >= 10) return `${share.toFixed(1)}%`;
  if (share >= 1) return `${share.toFixed(1)}%`;
  if (share >= 0.01) return `${share.toFixed(2)}%`;
  return "<0.01%";
}

/** `12,345`. */
export function count(value: number): string {
  return GROUPED.format(Math.round(value));
}

const GROUPED = new Intl.NumberFormat("en-US");

/** `1 sample`, `12,345 samples`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `512 B`, `1.50 KiB`, `12.3 MiB`. */
export function bytes(value: number): string {
  let size = Math.abs(value);
  let unit = 0;
  while (size >= 999.5 && unit < BYTES.length - 1) {
    size /= 1024;
    unit++;
  }
  const text = unit === 0 ? String(Math.round(size)) : digits(size);
  return `${value < 0 ? "−" : ""}${text}${THIN}${BYTES[unit] ?? ""}`;
}
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** A plain figure: `0.93`, `12.5`, `1,234`, `1.2 M`. */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${digits(value / 1e6)}${THIN}M`;
  if (size >= 1000) return count(value);
  if (Number.isInteger(value)) return String(value);
  return digits(value);
}

/** `app.py:12`, or the file alone where the line is not known. */
export function place(short: string, line: number): string {
  return line > 0 && short !== "" ? `${short}:${String(line)}` : short;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
