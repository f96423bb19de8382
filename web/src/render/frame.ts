/** One flush an animation frame, however often painting was asked for. */

type Paint = () => void;

const asked = new Set<Paint>();
let frame = 0;

/** Paints in the next animation frame; asking again before then changes nothing. */
export function inNextFrame(paint: Paint): void {
  asked.add(paint);
  if (frame === 0) frame = requestAnimationFrame(flush);
}

/** Takes back what {@link inNextFrame} asked for. */
export function notAnyMore(paint: Paint): void {
  asked.delete(paint);
}

function flush(): void {
  frame = 0;
  const now = [...asked];
  asked.clear();
  for (const paint of now) paint();
}
