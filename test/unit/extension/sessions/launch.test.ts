/** Creating a session: whatever keeps it from being complete takes it away again. The cluster is a script here, for exact moments. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Session } from '../../../../common/api/session.ts';
import type { KubeClient } from '../../../../common/kube/client.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import { launchSession } from '../../../../extension/sessions/launch.ts';
import type { LaunchProgress } from '../../../../extension/sessions/launch.ts';

const session: Session = {
  apiVersion: 'ambient.ai/v1alpha1',
  kind: 'Session',
  metadata: { name: 'x', namespace: 'demo' },
  spec: { framework: { type: 'generic' } },
};
const refused = new KubeError('exceeded quota', { status: 403, reason: 'Forbidden' });

class Cluster {
  readonly calls: string[] = [];
  create: () => Promise<Session> = async () => ({ ...session, metadata: { ...session.metadata, uid: 'u1' } });
  request: (options: { method?: string }) => Promise<unknown> = async () => ({ received: 3, complete: true });
  delete: () => Promise<void> = async () => undefined;

  get client(): KubeClient {
    return {
      create: async () => {
        this.calls.push('create');
        return await this.create();
      },
      delete: async (_resource: unknown, _at: unknown, options: { preconditions?: { uid: string } }) => {
        this.calls.push(`delete ${options.preconditions?.uid ?? 'by name'}`);
        await this.delete();
      },
      connection: {
        json: async (_path: string, options: { method?: string }) => {
          this.calls.push(options.method ?? 'GET');
          return await this.request(options);
        },
      },
    } as unknown as KubeClient;
  }
}

describe('launching a session', () => {
  let folder: string;
  let archive: { path: string; sizeBytes: number };
  const signal = new AbortController().signal;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ambient-launch-'));
    archive = { path: join(folder, 'source'), sizeBytes: 3 };
    await writeFile(archive.path, 'abc');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('creates it, sends the source, and tells how far it is', async () => {
    const cluster = new Cluster();
    const progress: LaunchProgress[] = [];
    const created = await launchSession({
      client: cluster.client,
      session,
      archive,
      signal,
      onProgress: (step) => progress.push(step),
    });
    assert.equal(created.metadata.uid, 'u1');
    assert.deepEqual(cluster.calls, ['create', 'GET']);
    assert.deepEqual(progress.at(-1), { doing: 'uploading', sentBytes: 3, totalBytes: 3 });
  });

  it('leaves nothing to take back when the cluster refuses it', async () => {
    const cluster = new Cluster();
    cluster.create = () => Promise.reject(refused);
    await assert.rejects(launchSession({ client: cluster.client, session, signal }), refused);
    assert.deepEqual(cluster.calls, ['create']);
  });

  it('takes it back, and no other of its name, when the source cannot be sent', async () => {
    const cluster = new Cluster();
    cluster.request = () => Promise.reject(refused);
    await assert.rejects(launchSession({ client: cluster.client, session, archive, signal }), refused);
    assert.deepEqual(cluster.calls, ['create', 'GET', 'delete u1']);
  });

  it('takes it back when cancelled while sending, and while the creation is under way', async () => {
    const reason = new Error('cancelled');
    const sending = new AbortController();
    const half = new Cluster();
    half.request = async () => {
      sending.abort(reason);
      return await Promise.reject(reason);
    };
    await assert.rejects(
      launchSession({ client: half.client, session, archive, signal: sending.signal }),
      (error) => error === reason,
    );
    assert.equal(half.calls.at(-1), 'delete u1');
    const creating = new AbortController();
    const unknown = new Cluster();
    unknown.create = () => {
      creating.abort(reason);
      return Promise.reject(reason);
    };
    await assert.rejects(
      launchSession({ client: unknown.client, session, signal: creating.signal }),
      (error) => error === reason,
    );
    assert.deepEqual(unknown.calls, ['create', 'delete by name']);
  });

  it('says so when it could not be taken back', async () => {
    const cluster = new Cluster();
    cluster.request = () => Promise.reject(refused);
    cluster.delete = () => Promise.reject(new KubeError('gone dark', { status: 0, reason: 'Unreachable' }));
    await assert.rejects(
      launchSession({ client: cluster.client, session, archive, signal }),
      /created but could not be completed nor deleted/,
    );
  });
});
