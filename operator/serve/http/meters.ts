/** Measurements of a door. Opening a door a second time in one process, after a failed start, goes on with the same ones. */
import { Counter, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

/** Seconds; from a read in memory to a proxy's patience. */
const BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];

export function durationHistogram<const L extends string>(
  registry: Registry,
  options: { name: string; help: string; labelNames: readonly L[] },
): Histogram<L> {
  const standing = registry.getSingleMetric(options.name) as Histogram<L> | undefined;
  return standing ?? new Histogram({ ...options, buckets: BUCKETS, registers: [registry] });
}

export function counter<const L extends string = never>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly L[] = [],
): Counter<L> {
  const standing = registry.getSingleMetric(name) as Counter<L> | undefined;
  return standing ?? new Counter({ name, help, labelNames, registers: [registry] });
}
