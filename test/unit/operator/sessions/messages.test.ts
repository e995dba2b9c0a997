/** What is said to a session: numbered without a gap, each once, whatever races, repeats and replicas do. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MESSAGE_BYTES_MAX, MESSAGES_MAX } from '../../../../common/api/session.ts';
import type { SessionStatus } from '../../../../common/api/session.ts';
import { AmbientError } from '../../../../common/errors.ts';
import { Messages } from '../../../../operator/sessions/messages.ts';
import { Questions } from '../../../../operator/sessions/questions.ts';
import { aSession } from '../../../support/fixtures.ts';
import type { SessionBuilder } from '../../../support/fixtures.ts';
import { RacingApi } from '../../../support/racing-api.ts';
import { temporaryStore } from '../../../support/temporary-store.ts';

const open = (builder: SessionBuilder): SessionBuilder => builder.status({ input: { open: true } });
const now = (): Date => new Date('2030-01-01T00:00:00.500Z');

describe('messages to a session', () => {
  const cleanup = new AsyncDisposableStack();
  after(() => cleanup.disposeAsync());

  async function aTalk(builder: SessionBuilder = open(aSession().running())) {
    const { store } = cleanup.use(await temporaryStore());
    const api = new RacingApi(builder.build());
    let made = 0;
    const replica = (): Messages =>
      new Messages({
        client: api.client,
        store,
        newId: () => `made-${++made}`,
        now,
      });
    return { api, replica, messages: replica() };
  }
  const claims = ({ truth }: RacingApi) => truth.status?.input?.messages ?? [];
  const refused = (work: Promise<unknown>, code: string, message: RegExp): Promise<void> =>
    assert.rejects(work, (error: unknown) => {
      assert.ok(error instanceof AmbientError && error.code === code, String(error));
      assert.match(error.message, message);
      return true;
    });

  it('are numbered, kept, and handed out after the one that is known', async () => {
    const { api, messages } = await aTalk();
    const first = await messages.send(api.truth, 'ann', { id: 'a', text: 'one' });
    assert.deepEqual(first, {
      kind: 'MessageAccepted',
      apiVersion: 'live.ambient.ai/v1alpha1',
      seq: 1,
      id: 'a',
      by: 'ann',
      at: '2030-01-01T00:00:00Z',
    });
    assert.equal((await messages.interrupt(api.truth, 'bob', {})).id, 'made-1');
    await messages.send(api.truth, 'ann', { text: 'three' });
    assert.deepEqual(await messages.after(api.truth, 0), [
      { seq: 1, id: 'a', kind: 'message', by: 'ann', text: 'one' },
      { seq: 2, id: 'made-1', kind: 'interrupt', by: 'bob', text: '' },
      { seq: 3, id: 'made-2', kind: 'message', by: 'ann', text: 'three' },
    ]);
    assert.deepEqual(await messages.after(api.truth, 3), []);
    assert.doesNotMatch(JSON.stringify(api.truth.status), /three/);
  });

  it('are taken once by their id, and not for other words or of another person', async () => {
    const { api, messages } = await aTalk();
    const first = await messages.send(api.truth, 'ann', { id: 'a', text: 'one' });
    assert.deepEqual(await messages.send(api.truth, 'ann', { id: 'a', text: 'one' }), first);
    await refused(messages.send(api.truth, 'ann', { id: 'a', text: 'two' }), 'conflict', /something else/);
    await refused(messages.send(api.truth, 'bob', { id: 'a', text: 'one' }), 'conflict', /something else/);
    await refused(messages.interrupt(api.truth, 'ann', { id: 'a' }), 'conflict', /something else/);
    assert.equal(claims(api).length, 1);
  });

  it('are refused where nobody hears them, with the reason', async () => {
    const say = async (builder: SessionBuilder): Promise<unknown> => {
      const { api, messages } = await aTalk(builder);
      return await messages.send(api.truth, 'ann', { text: 'hello' });
    };
    await refused(say(aSession().pending()), 'conflict', /does not run yet/);
    await refused(say(aSession().status({ phase: 'Completed' })), 'already_finished', /is Completed/);
    await refused(say(aSession().running().stopRequested()), 'already_finished', /being stopped/);
    await refused(say(aSession().running()), 'conflict', /framework generic takes no messages/);
    const { api, messages } = await aTalk();
    for (const body of [
      {},
      { text: '' },
      { text: ' \n' },
      { text: 1 },
      { text: 'x', id: '-' },
      { text: 'x', to: 'y' },
    ])
      await refused(messages.send(api.truth, 'ann', body), 'invalid_request', /./);
    await refused(
      messages.send(api.truth, 'ann', { text: 'ü'.repeat(MESSAGE_BYTES_MAX / 2 + 1) }),
      'too_large',
      /16384/,
    );
    api.isGone = true;
    await refused(messages.send(api.truth, 'ann', { text: 'hello' }), 'not_found', /gone/);
  });

  it('are no more than a session may have', async () => {
    const { api, messages } = await aTalk();
    const each = { kind: 'message', by: 'ann', at: '2030-01-01T00:00:00Z', digest: 'x' } as const;
    api.truth.status = {
      ...api.truth.status,
      input: {
        open: true,
        messages: Array.from({ length: MESSAGES_MAX }, (_, i) => ({ ...each, seq: i + 1, id: `m${i}` })),
      },
    };
    await refused(messages.send(api.truth, 'ann', { text: 'more' }), 'conflict', /taken 200 messages/);
  });

  it('come in answers that a runner can read, however long they are', async () => {
    const { api, messages } = await aTalk();
    for (let i = 0; i < 12; i++)
      await messages.send(api.truth, 'ann', { text: `${i}`.padEnd(MESSAGE_BYTES_MAX, '\u0001') });
    let after = 0;
    for (let answers = 0; after < 12; answers++) {
      assert.ok(answers < 12);
      const said = await messages.after(api.truth, after);
      assert.ok(Buffer.byteLength(JSON.stringify(said)) < 512 * 1024);
      assert.equal(said[0]?.seq, after + 1);
      after = said.at(-1)?.seq ?? Infinity;
    }
  });

  it('lose no race, take none twice and leave no gap, from several replicas at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd', 'e'), replica: fc.nat(1) }), {
          minLength: 1,
          maxLength: 12,
        }),
        async (sent) => {
          const { api, replica, messages } = await aTalk();
          const replicas = [messages, replica()];
          const session = structuredClone(api.truth);
          const answers = await Promise.allSettled(
            sent.map(({ id, replica: by }) =>
              (replicas[by] ?? messages).send(session, 'ann', { id, text: `of ${id}` }),
            ),
          );
          const taken = claims(api);
          assert.deepEqual(
            taken.map(({ seq }) => seq),
            taken.map((_, index) => index + 1),
          );
          assert.equal(new Set(taken.map(({ id }) => id)).size, taken.length);
          for (const [index, { id }] of sent.entries()) {
            const answer = answers[index];
            if (answer?.status === 'fulfilled')
              assert.equal(answer.value.seq, taken.find((claim) => claim.id === id)?.seq);
            else assert.match(String(answer?.reason), /changed/);
          }
          for (const { id, text } of await messages.after(api.truth, 0)) assert.equal(text, `of ${id}`);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('answer a question, which is asked once however often its record comes', async () => {
    const { api, messages } = await aTalk();
    const questions = new Questions({ client: api.client, sessions: { get: () => api.truth }, now });
    const needsInput = (): string | undefined => {
      const found = api.truth.status?.conditions?.find(({ type }) => type === 'NeedsInput');
      return found && `${found.status} ${found.reason} ${found.message}`;
    };
    const asked = [{ seq: 7, line: '', question: 'Which\nbranch?' }];
    await questions.note(api.truth, [{ seq: 6, line: '' }]);
    assert.equal(api.writes, 0);
    api.meddle = (attempt) => (attempt === 1 ? { message: 'raced' } : undefined);
    await questions.note(api.truth, asked);
    assert.match(needsInput() ?? '', /^True Asked Which branch\?$/);
    await questions.note(api.truth, asked);
    assert.equal(api.writes, 2);
    await messages.interrupt(api.truth, 'ann', {});
    assert.match(needsInput() ?? '', /^True/);
    await messages.send(api.truth, 'ann', { text: 'main' });
    assert.equal(needsInput(), 'False Answered Answered by ann.');
    await questions.note(api.truth, asked);
    assert.match(needsInput() ?? '', /^False/);
    // What is taken back was perhaps answered before.
    await questions.note(api.truth, [{ seq: 8, line: '', isWithdrawal: true }]);
    assert.match(needsInput() ?? '', /^False Answered/);
    await questions.note(api.truth, [{ seq: 9, line: '', question: 'And now?' }]);
    assert.match(needsInput() ?? '', /^True/);
    await questions.note(api.truth, [{ seq: 10, line: '', isWithdrawal: true }]);
    assert.match(needsInput() ?? '', /^False Withdrawn/);
    await questions.note(api.truth, [{ seq: 9, line: '', question: 'And now?' }]);
    assert.match(needsInput() ?? '', /^False Withdrawn/);
    const over: SessionStatus = { ...api.truth.status, phase: 'Completed' };
    api.truth = { ...api.truth, status: over };
    await questions.note(api.truth, [{ seq: 11, line: '', question: 'Still there?' }]);
    assert.match(needsInput() ?? '', /^False/);
  });
});
