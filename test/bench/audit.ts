/** What a record costs who waits for it, and how many the trail takes, on this machine's disk. */
import { aTrail, anEvent, TestBoard } from '../support/audit.ts';
import { temporaryStore } from '../support/temporary-store.ts';
import { percentile, pool, round } from './measure.ts';
import type { Figure, Section } from './measure.ts';

const ALONE = 500;
/** As the controllers' workers do by default. */
const WORKERS = 20;
const TOGETHER = 20_000;

export const audit: Section = {
  name: 'audit',
  async run() {
    await using temporary = await temporaryStore();
    const trail = aTrail(temporary.store, new TestBoard());
    const details = { phase: 'Running', from: 'Pending', events: [{ event: 'Started', actor: 'operator' }] };
    const timed = async (waits: number[]): Promise<void> => {
      const from = performance.now();
      await trail.record(anEvent(details));
      waits.push(performance.now() - from);
    };
    const figures: Figure[] = [];
    const measure = async (name: string, count: number, atOnce: number): Promise<void> => {
      const waits: number[] = [];
      const [from, cpu] = [performance.now(), process.cpuUsage()];
      await pool(count, atOnce, () => timed(waits));
      const rate = count / ((performance.now() - from) / 1000);
      const { user, system } = process.cpuUsage(cpu);
      figures.push(
        { name: `${name}: records`, value: round(rate, 0), unit: '/s' },
        { name: `${name}: until a record is durable, p50`, value: round(percentile(waits, 50)), unit: 'ms' },
        { name: `${name}: until a record is durable, p99`, value: round(percentile(waits, 99)), unit: 'ms' },
        { name: `${name}: CPU a record`, value: round((user + system) / 1000 / count, 2), unit: 'ms' },
      );
    };
    await measure('one after another', ALONE, 1);
    await measure(`${WORKERS} at a time`, TOGETHER / 4, WORKERS);
    await measure('1,000 at a time', TOGETHER, 1000);
    await trail[Symbol.asyncDispose]();
    return figures;
  },
};
