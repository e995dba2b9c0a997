import assert from 'node:assert/strict';
import { Answers } from '../../../../../operator/serve/identity/answers.ts';
import { ReviewedTokens } from '../../../../../operator/serve/identity/token-review.ts';
import { AccessReviews } from '../../../../../operator/serve/identity/access.ts';

describe('remembered answers', () => {
  it('are given again for as long as they are kept, and asked for once at a time', async () => {
    let time = 0;
    let asked = 0;
    const answers = new Answers<number>({ most: 10, elapsed: () => time });
    const ask = async () => ({ value: ++asked, forMs: 100 });
    assert.deepEqual(await Promise.all([answers.of('a', ask), answers.of('a', ask)]), [1, 1]);
    time = 99;
    assert.equal(await answers.of('a', ask), 1);
    time = 100;
    assert.equal(await answers.of('a', ask), 2);
  });

  it('are not more than they may be, and the least used goes first', async () => {
    const answers = new Answers<string>({ most: 2, elapsed: () => 0 });
    const ask = (value: string) => async () => ({ value, forMs: 100 });
    for (const key of ['a', 'b']) await answers.of(key, ask(key));
    await answers.of('a', ask('again'));
    await answers.of('c', ask('c'));
    assert.equal(answers.size, 2);
    assert.equal(await answers.of('a', ask('new')), 'a');
    assert.equal(await answers.of('b', ask('new')), 'new');
  });

  it('that failed are not kept', async () => {
    const answers = new Answers<number>({ most: 2, elapsed: () => 0 });
    await assert.rejects(
      answers.of('a', async () => {
        throw new Error('away');
      }),
    );
    assert.equal(await answers.of('a', async () => ({ value: 1, forMs: 1 })), 1);
  });
});

describe('tokens of the cluster', () => {
  it('are reviewed once for a while, unknown ones for a shorter one, and never remembered themselves', async () => {
    let time = 0;
    const reviewed: string[] = [];
    const tokens = new ReviewedTokens({
      reviewer: {
        tokenReview: async (token, audiences) => {
          reviewed.push(token);
          assert.deepEqual(audiences, []);
          return token === 'good'
            ? { authenticated: true, user: { username: 'ann', uid: 'u', groups: ['dev'] } }
            : { authenticated: false };
        },
      },
      now: () => new Date(time),
      elapsed: () => time,
    });
    const ann = { name: 'ann', uid: 'u', groups: ['dev'], extra: {} };
    assert.deepEqual(await tokens.callerOf('good'), ann);
    await assert.rejects(tokens.callerOf('bad'), /does not know the token/);
    time = 1999;
    await tokens.callerOf('good');
    await assert.rejects(tokens.callerOf('bad'));
    assert.deepEqual(reviewed, ['good', 'bad']);
    time = 2000;
    await tokens.callerOf('good');
    await assert.rejects(tokens.callerOf('bad'));
    assert.deepEqual(reviewed, ['good', 'bad', 'bad']);
    time = 10_000;
    await tokens.callerOf('good');
    assert.deepEqual(reviewed, ['good', 'bad', 'bad', 'good']);
  });
});

describe('rights', () => {
  it('are asked for each person, verb and namespace, and remembered for ten seconds at most', async () => {
    let time = 0;
    let asked = 0;
    const reviews = new AccessReviews({
      reviewer: {
        subjectAccessReview: async ({ user }) => {
          asked++;
          return { allowed: user === 'ann' };
        },
      },
      elapsed: () => time,
    });
    const get = { verb: 'get', group: 'ambient.ai', resource: 'sessions', namespace: 'a' };
    const who = (name: string, groups: string[] = []) => ({ name, groups, extra: {} });
    assert.equal(await reviews.allows(who('ann'), get), true);
    assert.equal(await reviews.allows(who('ben'), get), false);
    assert.equal(await reviews.allows(who('ann'), { ...get, namespace: 'b' }), true);
    assert.equal(await reviews.allows(who('ann', ['dev']), get), true);
    assert.equal(asked, 4);
    time = 9999;
    assert.equal(await reviews.allows(who('ann'), get), true);
    assert.equal(asked, 4);
    time = 10_000;
    assert.equal(await reviews.allows(who('ann'), get), true);
    assert.equal(asked, 5);
  });
});
