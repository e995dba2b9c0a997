/** Sessions that were launched from here, over a watch that does what the test says. */
import assert from 'node:assert/strict';
import type { Session } from '../../../../common/api/session.ts';
import { LaunchedSessions } from '../../../../extension/sessions/launched.ts';
import { aSession } from '../../../support/fixtures.ts';
import { Watched } from '../tree/fixture.ts';

const REF = { cluster: 'dev', namespace: 'team-a', name: 's1', uid: 'uid-of-s1' };

describe('sessions launched from here', () => {
  let watched: Watched;
  let launched: LaunchedSessions;
  let finished: string[];

  beforeEach(() => {
    watched = new Watched();
    watched.reads();
    finished = [];
    launched = new LaunchedSessions({ acquire: () => watched.hold() });
    launched.onDidFinish(({ session }) => finished.push(session.metadata.name));
    launched.follow(REF);
  });

  const s1 = (phase: 'Running' | 'Completed'): Session =>
    aSession('s1').in('team-a').status({ phase }).build();

  it('are followed until they end, which is told', () => {
    watched.set([s1('Running')]);
    watched.setState({ phase: 'synced' });
    assert.equal(launched.active, 1);
    watched.set([s1('Completed')]);
    assert.deepEqual([launched.active, watched.held, finished], [0, 0, ['s1']]);
  });

  it('are not followed any more when they were gone before they were first seen', () => {
    watched.setState({ phase: 'synced' });
    assert.deepEqual([launched.active, watched.held, finished], [0, 0, []]);
  });
});
