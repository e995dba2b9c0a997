/** Signed statements of what a session made: made twice they are the same, and whatever is changed is found. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Session } from '../../../common/api/session.ts';
import type { ProvenanceStatement } from '../../../common/rules/provenance.ts';
import { runProvenanceCommand } from '../../../operator/provenance-command.ts';
import { keyIdOf, seal } from '../../../operator/record/provenance/envelope.ts';
import { ProvenanceRecorder } from '../../../operator/record/provenance/recorder.ts';
import { Artifacts } from '../../../operator/sessions/artifacts.ts';
import { keys, PROVENANCE_ARTIFACT, refOf } from '../../../operator/store/keys.ts';
import { temporaryStore } from '../../support/temporary-store.ts';
import type { TemporaryStore } from '../../support/temporary-store.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const session: Session = {
  apiVersion: 'ambient.ai/v1alpha1',
  kind: 'Session',
  metadata: { name: 's1', namespace: 'team-a', uid: '4f6d8a2e-0000-4000-8000-000000000001' },
  spec: {
    createdBy: { user: 'ann' },
    trigger: { source: 'github', event: 'pull_request' },
    framework: { type: 'generic', version: '1', config: { command: 'make', nested: { b: 1, a: 2 } } },
    source: { type: 'git', git: { url: 'https://git.example.com/team/repo.git', ref: 'main' } },
  },
  status: {
    phase: 'Running',
    workload: {
      image: 'registry.example/runner:1',
      startTime: '2030-01-01T00:00:00Z',
      policy: { uid: 'p-1', generation: 7 },
    },
  },
};
const run = {
  outcome: 'Succeeded',
  exitCode: 0,
  finishedAt: '2030-01-01T00:01:00Z',
  imageId: `registry.example/runner@${DIGEST}`,
  commit: 'c'.repeat(40),
};

describe('provenance', () => {
  let temporary: TemporaryStore;
  let key: KeyObject;
  const ref = refOf(session);

  beforeEach(async () => {
    temporary = await temporaryStore();
    key = generateKeyPairSync('ed25519').privateKey;
    const { store } = temporary;
    for (const path of ['report.md', 'deep/größe.txt', '.ambient/event.json'])
      await store.put(keys.artifact(ref, path), Buffer.from(path), { contentType: 'text/plain' });
  });
  afterEach(() => temporary[Symbol.asyncDispose]());

  const record = async (by = key) => {
    const { products } = await new Artifacts(temporary.store).summary(session);
    return await new ProvenanceRecorder(temporary.store, async () => by).record(session, products, run);
  };
  const envelope = async (): Promise<string> =>
    await text((await temporary.store.get(keys.artifact(ref, PROVENANCE_ARTIFACT))).body);
  const statement = async (): Promise<ProvenanceStatement> => {
    const { payload } = JSON.parse(await envelope()) as { payload: string };
    return JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as ProvenanceStatement;
  };
  const put = (path: string, bytes: string): Promise<unknown> =>
    temporary.store.put(keys.artifact(ref, path), Buffer.from(bytes), { contentType: 'text/plain' });

  async function verify(published: KeyObject[] = [key], args?: string[]) {
    const lines = { out: '', error: '' };
    const data = Object.fromEntries(
      published.map((each) => [
        `${keyIdOf(each)}.pem`,
        createPublicKey(each).export({ type: 'spki', format: 'pem' }),
      ]),
    );
    const where = args ?? ['--store-dir', temporary.root, '--session', `${ref.namespace}/${ref.uid}`];
    const code = await runProvenanceCommand(
      ['verify', '--keys', '-', ...where],
      {},
      {
        out: (line) => (lines.out += `${line}\n`),
        error: (line) => (lines.error += `${line}\n`),
        input: Readable.from([JSON.stringify({ data })]),
      },
    );
    return { code, ...lines };
  }

  it('says who had what run, on which inputs, under which policy, and what came of it', async () => {
    const voucher = await record();
    const { location, keyId } = voucher?.provenance ?? {};
    assert.deepEqual([location, keyId], [PROVENANCE_ARTIFACT, keyIdOf(key)]);
    const { subject, predicate, ...types } = await statement();
    assert.deepEqual(types, {
      _type: 'https://in-toto.io/Statement/v1',
      predicateType: 'https://slsa.dev/provenance/v1',
    });
    assert.deepEqual(
      subject.map(({ name }) => name),
      ['deep/größe.txt', 'report.md'],
    );
    const { externalParameters, internalParameters, resolvedDependencies } = predicate.buildDefinition;
    assert.deepEqual(externalParameters['session'], {
      namespace: 'team-a',
      name: 's1',
      uid: session.metadata.uid,
    });
    assert.equal(externalParameters['launchedBy'], 'ann');
    assert.deepEqual(externalParameters['source'], {
      type: 'git',
      url: 'https://git.example.com/team/repo.git',
      ref: 'main',
    });
    assert.deepEqual(internalParameters, {
      policy: { uid: 'p-1', generation: 7 },
      image: 'registry.example/runner:1',
    });
    assert.deepEqual(resolvedDependencies, [
      { uri: 'git+https://git.example.com/team/repo.git', digest: { gitCommit: 'c'.repeat(40) } },
      { uri: `oci://registry.example/runner@${DIGEST}`, digest: { sha256: 'ab'.repeat(32) } },
    ]);
    assert.deepEqual(predicate.runDetails.metadata, {
      invocationId: session.metadata.uid,
      startedOn: '2030-01-01T00:00:00Z',
      finishedOn: '2030-01-01T00:01:00Z',
      outcome: 'Succeeded',
      exitCode: 0,
    });
  });

  it('is the same byte for byte when it is made again, and not counted among the artifacts', async () => {
    const first = await record();
    const { count, generated } = await new Artifacts(temporary.store).summary(session);
    assert.equal(count, 2, 'nor is anything else that the operator puts there');
    assert.ok(generated.every(({ location }) => !location.startsWith('.ambient/')));
    assert.deepEqual(await record(), first);
  });

  it('vouches for nothing where nothing was made', async () => {
    await temporary.store.remove(keys.artifacts(ref));
    assert.equal(await record(), undefined);
    const { code, out } = await verify();
    assert.match(out, /there is no signed statement/);
    assert.equal(code, 1);
  });

  it('verifies in the store, with keys of before among those published', async () => {
    await record();
    const other = generateKeyPairSync('ed25519').privateKey;
    const { code, out, error } = await verify([other, key]);
    assert.equal(error, '');
    assert.match(out, /launchedBy: "ann"[\s\S]*OK: signed with [0-9a-f]{64}\n$/);
    assert.equal(code, 0);
  });

  it('verifies a folder that everything was saved to', async () => {
    await record();
    const folder = await mkdtemp(join(tmpdir(), 'ambient-saved-'));
    try {
      await mkdir(join(folder, '.ambient'));
      await mkdir(join(folder, 'deep'));
      for (const path of ['report.md', 'deep/größe.txt']) await writeFile(join(folder, path), path);
      await writeFile(join(folder, PROVENANCE_ARTIFACT), await envelope());
      assert.equal((await verify([key], ['--dir', folder])).code, 0);
      await writeFile(join(folder, 'report.md'), 'forged');
      const { code, out } = await verify([key], ['--dir', folder]);
      assert.match(out, /^CHANGED {2}report\.md: sha256:[0-9a-f]{64}, signed was sha256:[0-9a-f]{64}\n/);
      assert.equal(code, 1);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  const tamperings: [string, () => Promise<unknown>, RegExp][] = [
    ['an artifact was changed', () => put('report.md', 'forged'), /^CHANGED {2}report\.md/],
    [
      'one is missing',
      () => temporary.store.remove(keys.artifact(ref, 'report.md')),
      /^MISSING {2}report\.md/,
    ],
    ['one was added', () => put('new\u001b[31m.txt', 'x'), /^EXTRA {4}"new\\u001b\[31m\.txt"/],
    [
      'the statement was changed',
      async () => {
        const line = JSON.parse(await envelope()) as { payload: string };
        const changed = { ...(await statement()) };
        changed.predicate.buildDefinition.externalParameters['launchedBy'] = 'somebody else';
        line.payload = Buffer.from(JSON.stringify(changed)).toString('base64');
        await put(PROVENANCE_ARTIFACT, JSON.stringify(line));
      },
      /the statement was changed: its signature does not fit/,
    ],
    [
      'it is signed with a key of somebody else',
      () => record(generateKeyPairSync('ed25519').privateKey),
      /signed with a key that was not published/,
    ],
    [
      'it is signed with a key that pretends to be ours',
      async () => {
        const line = JSON.parse(seal(await statement(), generateKeyPairSync('ed25519').privateKey)) as {
          signatures: { keyid: string }[];
        };
        for (const signature of line.signatures) signature.keyid = keyIdOf(key);
        await put(PROVENANCE_ARTIFACT, JSON.stringify(line));
      },
      /signature does not fit/,
    ],
    [
      'it is the statement of another session',
      async () => {
        const other = await statement();
        other.predicate.runDetails.metadata.invocationId = 'another';
        await put(PROVENANCE_ARTIFACT, seal(other, key));
      },
      /the statement is about another session: another/,
    ],
    ['it is garbage', () => put(PROVENANCE_ARTIFACT, 'garbage'), /it is not a signed statement/],
  ];
  for (const [what, tamper, expected] of tamperings)
    it(`names it when ${what}`, async () => {
      await record();
      await tamper();
      const { code, out } = await verify();
      assert.match(out, expected);
      assert.match(out, /NOT what was signed/);
      assert.equal(code, 1);
    });

  it('ends with 2 when it cannot find out', async () => {
    assert.equal((await verify([key], ['--store-dir', '/nonexistent', '--session', 'a/b'])).code, 2);
    assert.match((await verify([key], ['--session', 'nobody'])).error, /--session NAMESPACE\/UID/);
    assert.equal((await verify([], ['--nonsense'])).code, 2);
  });
});
