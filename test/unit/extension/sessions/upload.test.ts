/** Sending a source over a bad line: a stand-in for the live API that loses, cuts and repeats at exact moments. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SOURCE_CHUNK_BYTES } from '../../../../common/api/live.ts';
import type { SourceState } from '../../../../common/api/live.ts';
import type { RequestOptions } from '../../../../common/kube/connection.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import { uploadSource } from '../../../../extension/sessions/upload.ts';

type Fault = (received: number, chunk: Buffer) => Error | 'stored, then lost' | undefined;

class LiveApi {
  received = Buffer.alloc(0);
  chunks: number[] = [];
  requests = 0;
  unknownFor = 0;
  fault: Fault = () => undefined;
  clock = 0;
  /** Pretended speed of the line. */
  bytesPerMs = Infinity;
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  readonly json = async <R>(path: string, options: RequestOptions = {}): Promise<R> => {
    this.requests += 1;
    options.signal?.throwIfAborted();
    if (options.method !== 'PUT') {
      if (this.unknownFor > 0) {
        this.unknownFor -= 1;
        throw notFound;
      }
      return this.#state() as R;
    }
    const offset = Number(new URL(path, 'http://x').searchParams.get('offset'));
    const chunk = options.body as Buffer;
    const fault = this.fault(this.received.length, chunk);
    if (fault instanceof Error) throw fault;
    if (offset !== this.received.length)
      throw new KubeError('elsewhere', { status: 409, reason: 'Conflict' });
    this.received = Buffer.concat([this.received, chunk]);
    this.chunks.push(chunk.length);
    this.clock += chunk.length / this.bytesPerMs;
    if (fault === 'stored, then lost') throw cut;
    return this.#state() as R;
  };

  #state(): SourceState {
    const received = this.received.length;
    return {
      kind: 'SourceState',
      apiVersion: 'live.ambient.ai/v1alpha1',
      received,
      sizeBytes: this.#size,
      complete: received === this.#size,
    };
  }
}

const cut = new KubeError('socket hang up', { status: 0, reason: 'Unreachable' });
const notFound = new KubeError('sessions "x" not found', {
  status: 404,
  reason: 'NotFound',
  kubeStatus: {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    details: { name: 'x', causes: [{ reason: 'not_found' }] },
  },
});

describe('sending the source', () => {
  let folder: string;
  let path: string;
  const size = 20 * 1024 * 1024 + 7;
  const bytes = Buffer.alloc(size, 'abcdefg');

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ambient-upload-'));
    path = join(folder, 'source');
    await writeFile(path, bytes);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function send(
    api: LiveApi,
    signal = new AbortController().signal,
  ): Promise<{ progress: number[]; pauses: number[] }> {
    const progress: number[] = [];
    const pauses: number[] = [];
    await uploadSource({
      connection: api,
      namespace: 'demo',
      name: 'x',
      archive: { path, sizeBytes: size },
      signal,
      onProgress: (sent) => progress.push(sent),
      now: () => api.clock,
      pause: async (ms) => void pauses.push(ms),
    });
    return { progress, pauses };
  }

  it('sends all bytes in growing chunks, none above the limit', async () => {
    const api = new LiveApi(size);
    const { progress } = await send(api);
    assert.equal(api.received.equals(bytes), true);
    assert.ok(Math.max(...api.chunks) <= SOURCE_CHUNK_BYTES);
    assert.equal(progress.at(-1), size);
    assert.ok(api.requests <= 8, `${api.requests} requests`);
  });

  it('keeps each request far below the cut on a slow line', async () => {
    const api = new LiveApi(size);
    api.bytesPerMs = 50; // 50 KB/s
    await send(api);
    assert.ok(
      api.chunks.slice(1).every((chunk) => chunk / api.bytesPerMs <= 11_000),
      api.chunks.join(),
    );
  });

  it('goes on where the operator stands after a cut, and does not send twice what had arrived', async () => {
    const api = new LiveApi(size);
    let faults = 0;
    api.fault = (received) => (received > 3_000_000 && faults++ === 0 ? 'stored, then lost' : undefined);
    const { pauses } = await send(api);
    assert.equal(api.received.equals(bytes), true);
    assert.equal(pauses.length, 1);
  });

  it('resumes an upload that was begun before', async () => {
    const api = new LiveApi(size);
    api.received = bytes.subarray(0, 5_000_000);
    await send(api);
    assert.equal(api.received.equals(bytes), true);
  });

  it('waits until the operator has seen the new session', async () => {
    const api = new LiveApi(size);
    api.unknownFor = 3;
    assert.equal((await send(api)).pauses.length, 3);
  });

  it('gives up on a line that stays dead, and at once on what trying again does not heal', async () => {
    const dead = new LiveApi(size);
    dead.fault = () => cut;
    await assert.rejects(send(dead), cut);
    for (const error of [
      new KubeError('no', { status: 403, reason: 'Forbidden' }),
      new KubeError('damaged', { status: 422, reason: 'Invalid' }),
      new KubeError('ended', {
        status: 409,
        reason: 'Conflict',
        kubeStatus: {
          kind: 'Status',
          apiVersion: 'v1',
          status: 'Failure',
          details: { causes: [{ reason: 'already_finished' }] },
        },
      }),
    ]) {
      const api = new LiveApi(size);
      api.fault = () => error;
      await assert.rejects(send(api), error);
      assert.equal(api.requests, 2);
    }
  });

  it('stops when cancelled', async () => {
    const api = new LiveApi(size);
    const controller = new AbortController();
    const reason = new Error('enough');
    api.fault = (received) => {
      if (received > 0) controller.abort(reason);
      return undefined;
    };
    await assert.rejects(send(api, controller.signal), (error) => error === reason);
    assert.ok(api.received.length < size);
  });
});
