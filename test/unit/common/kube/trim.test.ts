import assert from 'node:assert/strict';
import type { Session } from '../../../../common/api/session.ts';
import { dropManagedFields, trimSession } from '../../../../common/kube/trim.ts';

const session = (): Session => ({
  apiVersion: 'ambient.ai/v1alpha1',
  kind: 'Session',
  metadata: { name: 'a', managedFields: [{ manager: 'm' }], namespace: 'n' },
  spec: {
    framework: { type: 'generic' },
    trigger: { source: 'github', event: 'push', payload: { much: 'text' } },
  },
});

describe('trimming', () => {
  it('drops managedFields and nothing else', () => {
    const { metadata, spec } = dropManagedFields(session());
    assert.deepEqual(metadata, { name: 'a', namespace: 'n' });
    assert.deepEqual(spec, session().spec);
  });

  it('drops the event that caused a session, too', () => {
    const { metadata, spec } = trimSession(session());
    assert.deepEqual(metadata, { name: 'a', namespace: 'n' });
    assert.deepEqual(spec, { framework: { type: 'generic' }, trigger: { source: 'github', event: 'push' } });
  });
});
