/** The admission webhooks of the operator: applied for a process on this machine, and waited for wherever it runs. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { API_VERSION, OPERATOR_NAME } from '../../common/api/names.ts';
import type { WebhookConfiguration } from '../../common/kube/core-types.ts';
import type { Cluster } from '../cluster/index.ts';
import { until } from './until.ts';

const MANIFEST = join(import.meta.dirname, '..', '..', 'manifests', 'operator', '60-admission.yaml');
const KINDS = [
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
];

/** Of the manifests, with a URL instead of the Service where one is given. */
export async function admissionObjects(url?: string): Promise<{ kind: string }[]> {
  const objects = parseAllDocuments(await readFile(MANIFEST, 'utf8')).map(
    (document) => document.toJS() as { kind: string } & Partial<WebhookConfiguration>,
  );
  if (url !== undefined)
    for (const { webhooks } of objects) for (const webhook of webhooks ?? []) webhook.clientConfig = { url };
  return objects;
}

/** Until it is disposed of, launching sessions needs the operator at this URL. */
export async function applyAdmission(cluster: Cluster, url: string): Promise<AsyncDisposable> {
  await removeAdmission(cluster);
  const list = { apiVersion: 'v1', kind: 'List', items: await admissionObjects(url) };
  await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) });
  return { [Symbol.asyncDispose]: () => removeAdmission(cluster) };
}

/** Nobody is asked any more, so that sessions can be created while no operator runs. */
export async function removeAdmission(cluster: Cluster): Promise<void> {
  const kinds = KINDS.map((kind) => kind.toLowerCase()).join();
  await cluster.kubectl([
    ...['delete', kinds, '--ignore-not-found', '-l', `app.kubernetes.io/name=${OPERATOR_NAME}`],
  ]);
}

/** Forbidden whatever the policy: it asks for a model that it does not allow itself. */
const CONTRADICTORY = {
  apiVersion: API_VERSION,
  kind: 'Session',
  metadata: { generateName: 'probe-', namespace: 'default' },
  spec: {
    framework: { type: 'generic', config: { command: 'true', model: 'b' } },
    policy: { modelConstraints: { allowed: ['a'] } },
  },
};

/** Waits until the API server asks the operator, and gets an answer. Throws with what it says instead. */
export async function admissionAnswers(cluster: Cluster, timeoutMs = 60_000): Promise<void> {
  let said = '';
  try {
    await until(
      async () => {
        said = await cluster
          .kubectl(['create', '--dry-run=server', '-f', '-'], { input: JSON.stringify(CONTRADICTORY) })
          .catch((error: unknown) => String(error));
        return said.includes('does not list it');
      },
      'the admission webhooks answer',
      timeoutMs,
      200,
    );
  } catch (error) {
    throw new Error(`${String(error)}; the API server says: ${said}`, { cause: error });
  }
}
