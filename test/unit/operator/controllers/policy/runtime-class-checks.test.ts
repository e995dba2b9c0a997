/** What only the cluster can tell of the RuntimeClasses that a policy names. */
import assert from 'node:assert/strict';
import { RuntimeClassChecks } from '../../../../../operator/controllers/policy/runtime-class-checks.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { aPolicy } from '../../../../support/fixtures.ts';

const { signal } = new AbortController();

describe('the RuntimeClasses of a policy, in the cluster', () => {
  const policy = aPolicy('team-a', {
    isolation: { runtimeClasses: { default: 'gvisor', allowed: ['kata', 'kata-*'] } },
  });

  it('are told when they are missing, and looked for until they are there', async () => {
    const clock = new FakeClock();
    let has = ['gvisor'];
    const asked: string[] = [];
    const checks = new RuntimeClassChecks({
      exists: async (name) => {
        asked.push(name);
        return has.includes(name);
      },
      clock,
    });
    const paths = async (): Promise<string[]> => (await checks.of(policy, signal)).map(({ path }) => path);
    assert.deepEqual(await paths(), ['spec.isolation.runtimeClasses.allowed[0]']);
    assert.deepEqual(asked, ['gvisor', 'kata'], 'a glob names none');
    assert.equal(checks.againMs(policy), 15_000);
    await paths();
    assert.equal(asked.length, 2);
    has = ['gvisor', 'kata'];
    await clock.advance(15_000);
    assert.deepEqual(await paths(), []);
    assert.equal(checks.againMs(policy), 300_000);
    assert.equal(checks.againMs(aPolicy()), undefined);
  });

  it('are left alone where the operator may not know', async () => {
    const checks = new RuntimeClassChecks({ exists: async () => undefined, clock: new FakeClock() });
    assert.deepEqual(await checks.of(policy, signal), []);
  });
});
