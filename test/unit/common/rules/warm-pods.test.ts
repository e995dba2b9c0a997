import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Framework, FrameworkSpec } from '../../../../common/api/framework.ts';
import { effectivePolicy } from '../../../../common/rules/policy/effective.ts';
import { tend, WARM_AGE_MS, WARM_OVERLAP_MS, warmPlan } from '../../../../common/rules/warm-pods.ts';
import type { KeptPod } from '../../../../common/rules/warm-pods.ts';

const framework = (spec: Partial<FrameworkSpec> = {}): Framework => ({
  apiVersion: 'ambient.ai/v1alpha1',
  kind: 'Framework',
  metadata: { name: 'generic' },
  spec: {
    versions: [
      { name: '2', image: 'example/two' },
      { name: '1', image: 'example/one' },
    ],
    command: ['{{config.command}}'],
    configSchema: { type: 'object', required: ['command'] },
    ...spec,
  },
});

describe('the plan of pods kept ready', () => {
  const OPEN = effectivePolicy(undefined);
  const messageFor = (...args: Parameters<typeof warmPlan>): string => {
    const planned = warmPlan(...args);
    return 'message' in planned ? planned.message : '';
  };

  it('is that of a session which says nothing but its framework, though such a one would be refused', () => {
    const planned = warmPlan({ framework: 'generic', count: 1 }, [framework()], OPEN);
    assert.ok('plan' in planned);
    assert.equal(planned.plan.image, 'example/two');
    const older = warmPlan({ framework: 'generic', version: '1', count: 1 }, [framework()], OPEN);
    assert.ok('plan' in older);
    assert.equal(older.plan.image, 'example/one');
  });

  it('says why there can be none', () => {
    const wish = { framework: 'generic', count: 1 };
    const stories: [string, RegExp][] = [
      [messageFor(wish, [], OPEN), /There is no framework "generic"/],
      [messageFor({ ...wish, version: '3' }, [framework()], OPEN), /has no version "3"/],
      [messageFor(wish, [framework({ sidecar: { image: 'example/runner' } })], OPEN), /have no runner/],
      [
        messageFor(wish, [framework({ versions: [{ name: '1', image: '{{config.image}}' }] })], OPEN),
        /chooses its own image/,
      ],
      [
        messageFor(wish, [framework()], effectivePolicy({ frameworks: { blocked: ['gen*'] } })),
        /spec\.frameworks\.blocked/,
      ],
    ];
    for (const [message, expected] of stories) assert.match(message, expected);
  });
});

describe('tending pods kept ready', () => {
  const pod = (name: string, state: KeptPod['state'], ageMs = 0): KeptPod => ({ name, state, ageMs });
  const OLD = WARM_AGE_MS;

  const table: [string, KeptPod[], number, ReturnType<typeof tend>][] = [
    ['makes what is missing', [pod('a', 'ready')], 3, { make: 2, remove: [] }],
    ['counts those that start', [pod('a', 'starting')], 1, { make: 0, remove: [] }],
    [
      'takes the surplus, first what is not ready',
      [pod('a', 'starting'), pod('b', 'ready')],
      1,
      { make: 0, remove: ['a'] },
    ],
    ['takes what has ended', [pod('a', 'over')], 1, { make: 1, remove: ['a'] }],
    ['keeps an old one until its successor is ready', [pod('a', 'ready', OLD)], 1, { make: 1, remove: [] }],
    [
      'keeps it while the successor starts',
      [pod('a', 'ready', OLD), pod('b', 'starting')],
      1,
      { make: 0, remove: [] },
    ],
    [
      'takes it when the successor is ready',
      [pod('a', 'ready', OLD), pod('b', 'ready')],
      1,
      { make: 0, remove: ['a'] },
    ],
    [
      'takes it anyway when it is too old',
      [pod('a', 'ready', OLD + WARM_OVERLAP_MS)],
      1,
      { make: 1, remove: ['a'] },
    ],
    [
      'takes all that nobody wants',
      [pod('a', 'ready'), pod('b', 'starting')],
      0,
      { make: 0, remove: ['a', 'b'] },
    ],
  ];
  for (const [what, pods, wanted, expected] of table)
    it(what, () => assert.deepEqual(tend(pods, wanted), expected));

  it('comes to rest at what is wanted, and never gives up what is ready and young without need', () => {
    const anyPod = fc.record({
      name: fc.uuid(),
      ageMs: fc.integer({ min: 0, max: WARM_AGE_MS + 2 * WARM_OVERLAP_MS }),
      state: fc.constantFrom('starting', 'ready', 'over'),
    }) as fc.Arbitrary<KeptPod>;
    const anyPods = fc.uniqueArray(anyPod, { selector: ({ name }) => name, maxLength: 30 });
    fc.assert(
      fc.property(anyPods, fc.integer({ min: 0, max: 20 }), (pods, wanted) => {
        const { make, remove } = tend(pods, wanted);
        const left = pods.filter(({ name }) => !remove.includes(name));
        const isFresh = ({ ageMs }: KeptPod): boolean => ageMs < WARM_AGE_MS;
        const ready = (list: readonly KeptPod[]): number =>
          list.filter(({ state }) => state === 'ready').length;
        assert.equal(left.filter(isFresh).length + make, wanted);
        assert.ok(left.length + make <= 2 * wanted);
        assert.ok(ready(left) >= Math.min(wanted, ready(pods.filter(isFresh))));
        const made = Array.from({ length: make }, (_, index) => pod(`made-${index}`, 'starting'));
        const again = tend([...left, ...made], wanted);
        assert.deepEqual(again, { make: 0, remove: [] });
      }),
    );
  });
});
