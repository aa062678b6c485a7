/** The known name that a misspelt one probably means. */

/** Letters to insert, drop, replace or swap with their neighbour. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

const plain = (name: string): string => name.slice(0, 100).toLowerCase().replace(/[-_]/g, '');

/** Undefined where none is near: a wild guess helps nobody. A name in the wrong section is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const each of known) {
    const whole = distance(plain(name), plain(each));
    const [lastOfName, lastOfKnown] = [name, each].map((path) => plain(path.slice(path.lastIndexOf('.') + 1)));
    const last = each.includes('.') || name.includes('.') ? distance(lastOfName ?? '', lastOfKnown ?? '') + 0.5 : whole;
    const far = Math.min(whole, last);
    if (far < least && far <= Math.max(1, (far === whole ? each : (lastOfKnown ?? '')).length / 3)) {
      best = each;
      least = far;
    }
  }
  return best;
}
