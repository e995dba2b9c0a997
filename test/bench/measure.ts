/** What a bench section gives back, and the arithmetic all of them share. */

export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** The bar and which side of it is good; absent for what is only told. */
  bar?: { atMost: number } | { atLeast: number };
  note?: string;
}

export interface Section {
  name: string;
  /** Why it cannot run here, instead of figures. */
  run(log: (line: string) => void): Promise<Figure[] | string>;
}

/** Nearest-rank percentile, 0 < p ≤ 100. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
}

export const round = (value: number, digits = 1): number => Number(value.toFixed(digits));

export function meetsBar({ value, bar }: Figure): boolean | undefined {
  if (bar === undefined) return undefined;
  return 'atMost' in bar ? value <= bar.atMost : value >= bar.atLeast;
}

/** Runs `work` for 0..count-1 with so many at once. */
export async function pool(
  count: number,
  atOnce: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(atOnce, count) }, async () => {
      for (let index = next++; index < count; index = next++) await work(index);
    }),
  );
}
