/** Writers killed at any moment: what they were told is durable is there, and the chains are whole. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { AuditRecord } from '../../../../../common/api/audit.ts';
import { chainLines } from '../../../../../operator/record/audit/segments.ts';
import { verifyStore } from '../../../../../operator/record/audit/verify.ts';
import { temporaryStore } from '../../../../support/temporary-store.ts';

const fixture = join(import.meta.dirname, 'recorder.fixture.ts');

describe('a writer of audit records that is killed', function () {
  this.timeout(60_000);

  it('has lost nothing of what was durable, and left every chain whole', async () => {
    await using temporary = await temporaryStore();
    for (let round = 0; round < 6; round++) {
      const writer = `operator-${round}`;
      const child = spawn(process.execPath, [fixture, temporary.root, writer], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const said = text(child.stdout);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      // Not a wait for anything: the moment of the kill is what changes from round to round.
      await new Promise((resolve) => setTimeout(resolve, 37 * round));
      child.kill('SIGKILL');
      const acknowledged = (await said).split('\n').slice(0, -1).map(Number);
      assert.ok(acknowledged.length > 0);
      const found = new Set<unknown>();
      for await (const line of chainLines(temporary.store, { namespace: 'team-a', writer }))
        found.add((JSON.parse(line) as AuditRecord).details?.['index']);
      assert.deepEqual(
        acknowledged.filter((index) => !found.has(index)),
        [],
      );
    }
    let chains = 0;
    for await (const report of verifyStore(temporary.store, undefined, { operatorNamespace: 'none' })) {
      assert.equal(report.ok, true, JSON.stringify(report));
      chains++;
    }
    assert.equal(chains, 6);
  });
});
