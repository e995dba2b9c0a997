/** Objects for tests, said in a sentence: `aSession('s1').in('team-a').running().build()`. */
import { API_VERSION, LABEL_SESSION, LABEL_SESSION_UID, POLICY_NAME } from '../../common/api/names.ts';
import type { Framework, FrameworkSpec } from '../../common/api/framework.ts';
import type { NamespacePolicy, NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type { RunResult } from '../../common/api/runner.ts';
import type { Session, SessionSpec, SessionStatus } from '../../common/api/session.ts';
import type { ContainerState, Job, Pod } from '../../common/kube/core-types.ts';

export const NOW = '2030-01-01T00:00:00Z';

export class SessionBuilder {
  readonly #session: Session & { status: SessionStatus };

  constructor(name: string) {
    this.#session = {
      apiVersion: API_VERSION,
      kind: 'Session',
      metadata: {
        name,
        namespace: 'default',
        uid: `uid-of-${name}`,
        resourceVersion: '1',
        generation: 1,
        creationTimestamp: NOW,
      },
      spec: { framework: { type: 'generic', config: { command: 'true' } } },
      status: {},
    };
  }

  in(namespace: string): this {
    this.#session.metadata.namespace = namespace;
    return this;
  }

  labelled(labels: Record<string, string>): this {
    this.#session.metadata.labels = { ...this.#session.metadata.labels, ...labels };
    return this;
  }

  spec(spec: Partial<SessionSpec>): this {
    this.#session.spec = { ...this.#session.spec, ...spec };
    return this;
  }

  of(framework: string, config: Record<string, unknown> = {}): this {
    return this.spec({ framework: { type: framework, config } });
  }

  status(status: SessionStatus): this {
    this.#session.status = { ...this.#session.status, ...status };
    return this;
  }

  pending(): this {
    return this.status({ phase: 'Pending' });
  }

  running(): this {
    return this.status({
      phase: 'Running',
      workload: { jobName: `ambient-${this.#session.metadata.uid}`, startTime: NOW },
    });
  }

  stopRequested(by = 'ann', gracePeriodSeconds = 10): this {
    return this.status({ stop: { requestedAt: NOW, requestedBy: by, gracePeriodSeconds } });
  }

  build(): Session {
    return structuredClone(this.#session);
  }

  /** What a client sends to create it: without what the API server sets. */
  toCreate(): Session {
    const { status: _, ...session } = this.build();
    const { name, namespace, labels } = session.metadata;
    return {
      ...session,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(labels === undefined ? {} : { labels }),
      },
    };
  }
}

export const aSession = (name = 's1'): SessionBuilder => new SessionBuilder(name);

export const aFramework = (name = 'generic', spec: Partial<FrameworkSpec> = {}): Framework => ({
  apiVersion: API_VERSION,
  kind: 'Framework',
  metadata: { name },
  spec: {
    versions: [{ name: '1', image: 'ambient-runner:test' }],
    command: ['/bin/bash', '-c', '{{config.command}}'],
    ...spec,
  },
});

export const aPolicy = (namespace = 'default', spec: NamespacePolicySpec = {}): NamespacePolicy => ({
  apiVersion: API_VERSION,
  kind: 'NamespacePolicy',
  metadata: {
    name: POLICY_NAME,
    namespace,
    uid: `policy-of-${namespace}`,
    resourceVersion: '1',
    generation: 1,
  },
  spec,
});

const ofSession = ({ metadata }: Session) => ({
  namespace: metadata.namespace ?? '',
  labels: { [LABEL_SESSION]: metadata.name, [LABEL_SESSION_UID]: metadata.uid ?? '' },
});

export const aJob = (session: Session, status: NonNullable<Job['status']> = { active: 1 }): Job => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: {
    name: `ambient-${session.metadata.uid}`,
    uid: 'job-uid',
    resourceVersion: '1',
    ...ofSession(session),
  },
  spec: {
    template: {
      spec: {
        containers: [
          { name: 'runner', image: 'ambient-runner:test', resources: { limits: { memory: '1Gi' } } },
        ],
      },
    },
  },
  status,
});

export class PodBuilder {
  readonly #pod: Pod;

  constructor(session: Session) {
    this.#pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `ambient-${session.metadata.uid}-abcde`,
        creationTimestamp: NOW,
        ...ofSession(session),
      },
      spec: { containers: [{ name: 'runner', image: 'ambient-runner:test' }], nodeName: 'node-1' },
      status: { phase: 'Pending' },
    };
  }

  #set(status: NonNullable<Pod['status']>, state?: ContainerState): this {
    this.#pod.status = {
      ...this.#pod.status,
      ...status,
      ...(state === undefined ? {} : { containerStatuses: [{ name: 'runner', state }] }),
    };
    return this;
  }

  waiting(reason: string, message = ''): this {
    return this.#set({ phase: 'Pending' }, { waiting: { reason, message } });
  }

  unschedulable(message: string): this {
    delete this.#pod.spec.nodeName;
    return this.#set({
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
    });
  }

  running(): this {
    return this.#set({ phase: 'Running' }, { running: { startedAt: NOW } });
  }

  ended(exitCode: number, reason = exitCode === 0 ? 'Completed' : 'Error', message = ''): this {
    const terminated = { exitCode, reason, message, startedAt: NOW, finishedAt: '2030-01-01T00:01:00Z' };
    return this.#set({ phase: exitCode === 0 ? 'Succeeded' : 'Failed' }, { terminated });
  }

  failed(reason: string, message = ''): this {
    return this.#set({ phase: 'Failed', reason, message });
  }

  disrupted(reason: string, message = ''): this {
    return this.#set({ conditions: [{ type: 'DisruptionTarget', status: 'True', reason, message }] });
  }

  deleting(at = NOW): this {
    this.#pod.metadata.deletionTimestamp = at;
    return this;
  }

  build(): Pod {
    return structuredClone(this.#pod);
  }
}

export const aPod = (session: Session): PodBuilder => new PodBuilder(session);

export const aResult = (outcome: RunResult['outcome'], more: Partial<RunResult> = {}): RunResult => ({
  outcome,
  message: outcome === 'Succeeded' ? 'The command ended with exit code 0.' : `It was ${outcome}.`,
  startedAt: NOW,
  finishedAt: '2030-01-01T00:01:00Z',
  lastSeq: 1,
  ...more,
});
