/** A run that goes on from another one: real git, real processes, the operator's side in memory. */
import assert from 'node:assert/strict';
import { RunnerEndpoint } from '../../support/runner-endpoint.ts';
import { RunnerPod } from '../../support/runner-process.ts';

const resume = { session: 'old' };

describe('a resumed run', function () {
  this.timeout(120_000); // real processes on a machine that may be busy

  it('begins with the changes and the log of the one before, and hands in what both changed', async () => {
    await using endpoint = await RunnerEndpoint.start();
    {
      await using pod = await RunnerPod.make({ endpoint });
      await pod.run('sh', '-c', 'echo one > a.txt; printf "\\0bin" > b.bin; echo "I made a"');
    }
    const patch = endpoint.artifacts.get('changes.patch')?.content;
    assert.ok(patch);
    const log = endpoint.records.map((record) => JSON.stringify(record)).join('\n');

    await using second = await RunnerEndpoint.start();
    second.resumed.set('changes.patch', patch);
    second.resumed.set('log', Buffer.from(`${log}\n`));
    await using pod = await RunnerPod.make({ endpoint: second, description: { resume } });
    const { code } = await pod.run(
      'sh',
      '-c',
      'cat a.txt; wc -c < b.bin; grep -c \'"text":"I made a"\' "$AMBIENT_RESUME"; echo two >> a.txt; echo new > c.txt',
    );
    assert.equal(code, 0);
    assert.deepEqual(second.texts('output'), ['one', '4', '1']);
    assert.ok(second.texts('status').includes('goes on from session old, with its changes'));
    const both = second.artifacts.get('changes.patch')?.content?.toString('utf8') ?? '';
    assert.match(both, /\+one\n\+two/);
    assert.match(both, /c\.txt/);
    assert.match(both, /b\.bin/);
    assert.deepEqual(second.violations, []);
  });

  it('begins with nothing where the one before left nothing', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint, description: { resume } });
    const { code } = await pod.run('sh', '-c', 'ls | wc -l; echo "${AMBIENT_RESUME:-none}"');
    assert.equal(code, 0);
    assert.deepEqual(endpoint.texts('output'), ['0', 'none']);
  });

  it('fails with the reason where the changes do not fit the source any more', async () => {
    await using endpoint = await RunnerEndpoint.start();
    endpoint.resumed.set(
      'changes.patch',
      Buffer.from('diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\n'),
    );
    await using pod = await RunnerPod.make({ endpoint, description: { resume } });
    const { code } = await pod.run('true');
    assert.equal(code, 70);
    assert.match(
      endpoint.results[0]?.message ?? '',
      /changes of session old do not fit its source any more/i,
    );
  });
});
