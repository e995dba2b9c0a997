/** A process that records without end, and prints the index of each record that it was told is durable. */
import { DirectoryStore } from '../../../../../operator/store/directory.ts';
import { aTrail, anEvent, TestBoard } from '../../../../support/audit.ts';

const [root = '', writer = ''] = process.argv.slice(2);
const trail = aTrail(new DirectoryStore({ root }), new TestBoard(), { writer });
let next = 0;
await Promise.all(
  Array.from({ length: 20 }, async () => {
    for (;;) {
      const index = next++;
      await trail.record(anEvent({ index, text: 'x'.repeat(index % 200) }));
      process.stdout.write(`${index}\n`);
    }
  }),
);
