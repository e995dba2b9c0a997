import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Compile } from 'typebox/compile';
import { parseAllDocuments } from 'yaml';
import { FrameworkSpec } from '../../../common/api/framework.ts';
import { NamespacePolicySpec } from '../../../common/api/namespace-policy.ts';
import { SessionSpec } from '../../../common/api/session.ts';
import type { KubeObject } from '../../../common/api/kubernetes.ts';
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import type { Framework } from '../../../common/api/framework.ts';
import type { Session } from '../../../common/api/session.ts';
import type { PodSpec, WebhookConfiguration } from '../../../common/kube/core-types.ts';
import { admit } from '../../../common/rules/admission.ts';
import { policyMistakes } from '../../../common/rules/policy/config.ts';
import { WEBHOOKS } from '../../../operator/serve/admission/decide.ts';

interface Manifest {
  kind: string;
  metadata: { name?: string; namespace?: string; labels?: Record<string, string> };
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }[];
  spec?: { template?: { spec: PodSpec } };
  webhooks?: WebhookConfiguration['webhooks'];
}

const folder = (name: string): string => join(import.meta.dirname, '..', '..', '..', 'manifests', name);
const manifestsOf = (name: string): Manifest[] =>
  readdirSync(folder(name))
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) =>
      parseAllDocuments(readFileSync(join(folder(name), file), 'utf8')).map(
        (document) => document.toJS() as Manifest,
      ),
    );

describe('manifests', () => {
  const operator = manifestsOf('operator');
  const roles = operator.filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role');

  it('give rights without wildcards', () => {
    assert.ok(roles.length >= 4);
    for (const { metadata, rules = [] } of roles)
      for (const { apiGroups, resources, verbs } of rules)
        assert.ok(![...apiGroups, ...resources, ...verbs].includes('*'), metadata.name);
  });

  it('let the operator read Secrets in its own namespace only, and there its own only', () => {
    for (const { kind, metadata, rules = [] } of roles)
      for (const { resources, verbs, resourceNames } of rules) {
        if (!resources.includes('secrets')) continue;
        assert.equal(kind, 'Role', metadata.name);
        assert.equal(metadata.namespace, 'ambient-system');
        if (verbs.join() !== 'create')
          assert.ok(
            ['ambient-operator-tls', 'ambient-provenance-key'].includes(resourceNames?.join() ?? ''),
            String(resourceNames),
          );
      }
  });

  it('give nobody a way to change the spec or the status of a session', () => {
    for (const { metadata, rules = [] } of roles)
      for (const { resources, verbs } of rules) {
        // The operator sets and removes the finalizer; the spec is immutable for it too.
        if (resources.includes('sessions'))
          assert.deepEqual(
            verbs.filter((verb) => ['update', 'patch'].includes(verb)),
            metadata.name === 'ambient-operator' && verbs.includes('delete') ? ['patch'] : [],
            metadata.name,
          );
        if (resources.includes('sessions/status')) assert.equal(metadata.name, 'ambient-operator');
      }
  });

  it('give each role of people all that the lesser one has', () => {
    const rightsOf = (name: string): string[] =>
      (roles.find(({ metadata }) => metadata.name === name)?.rules ?? [])
        .flatMap(({ apiGroups, resources, verbs }) =>
          apiGroups.flatMap((group) =>
            resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
          ),
        )
        .sort();
    const viewer = rightsOf('ambient-viewer');
    assert.ok(viewer.length > 0);
    for (const [more, less] of [
      ['ambient-editor', 'ambient-viewer'],
      ['ambient-approver', 'ambient-viewer'],
      ['ambient-admin', 'ambient-editor'],
      ['ambient-admin', 'ambient-approver'],
    ] as const)
      assert.deepEqual(
        rightsOf(less).filter((right) => !rightsOf(more).includes(right)),
        [],
        `${more} lacks what ${less} has`,
      );
  });

  it('run the operator as nobody, with a read-only root and no privileges', () => {
    const spec = operator.find(({ kind }) => kind === 'Deployment')?.spec?.template?.spec;
    assert.equal(spec?.securityContext?.runAsNonRoot, true);
    assert.equal(spec.securityContext.seccompProfile?.type, 'RuntimeDefault');
    for (const { securityContext } of spec.containers)
      assert.deepEqual(securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    const namespace = operator.find(({ kind }) => kind === 'Namespace');
    assert.equal(namespace?.metadata.labels?.['pod-security.kubernetes.io/enforce'], 'restricted');
  });

  it('ask the operator only about what is ours, never in kube-system or its own namespace', () => {
    const webhooks = operator.flatMap(({ webhooks: all = [] }) => all);
    assert.deepEqual(
      webhooks.map(({ name }) => name).toSorted(),
      [...WEBHOOKS].toSorted(),
      'one for each answer the door has',
    );
    for (const {
      name,
      rules,
      namespaceSelector,
      failurePolicy,
      timeoutSeconds = 10,
      clientConfig,
    } of webhooks) {
      assert.deepEqual(namespaceSelector, {
        matchExpressions: [
          {
            key: 'kubernetes.io/metadata.name',
            operator: 'NotIn',
            values: ['kube-system', 'ambient-system'],
          },
        ],
      });
      for (const rule of rules as { apiGroups: string[]; resources: string[]; operations: string[] }[]) {
        assert.deepEqual(rule.apiGroups, ['ambient.ai'], name);
        assert.ok(!rule.resources.some((each) => each.includes('*') || each.includes('/')), name);
        if (failurePolicy === 'Fail')
          assert.deepEqual([rule.resources, rule.operations], [['sessions'], ['CREATE']], name);
      }
      assert.ok(timeoutSeconds <= 5, name);
      // Filled in by the operator; here they would undo it whenever the file is applied anew.
      assert.deepEqual([clientConfig.caBundle, clientConfig.service?.path], [undefined, undefined], name);
    }
  });

  const frameworks = manifestsOf('frameworks') as unknown as Framework[];

  it('hold frameworks that fit their schema', () => {
    const validator = Compile(FrameworkSpec);
    for (const { metadata, spec } of frameworks)
      assert.deepEqual(
        [...validator.Errors(spec)].map(
          ({ instancePath, message }) => `${metadata.name}${instancePath} ${message}`,
        ),
        [],
      );
  });

  it('hold sample policies without a mistake', () => {
    const validator = Compile(NamespacePolicySpec);
    const samples = (manifestsOf('samples') as unknown as KubeObject[]).filter(
      (object): object is NamespacePolicy => object.kind === 'NamespacePolicy',
    );
    assert.ok(samples.length >= 2);
    for (const { spec } of samples)
      assert.deepEqual([[...validator.Errors(spec)], policyMistakes(spec)], [[], []]);
  });

  it('hold samples that these frameworks accept', () => {
    const validator = Compile(SessionSpec);
    const samples = (manifestsOf('samples') as unknown as KubeObject[]).filter(
      (object): object is Session => object.kind === 'Session',
    );
    assert.ok(samples.length >= 2);
    for (const { metadata, spec } of samples) {
      const name = metadata.name ?? metadata.generateName;
      assert.deepEqual(
        [...validator.Errors(spec)].map(({ instancePath, message }) => `${name}${instancePath} ${message}`),
        [],
      );
      const admission = admit(spec, JSON.stringify(spec).length, frameworks);
      assert.ok(admission.accepted, admission.accepted ? '' : `${name}: ${admission.message}`);
    }
  });

  it("hold a tenant's sample that fits the schema of a policy", () => {
    const validator = Compile(NamespacePolicySpec);
    const policies = manifestsOf('samples/tenant').filter(({ kind }) => kind === 'NamespacePolicy');
    assert.equal(policies.length, 3);
    for (const { spec } of policies)
      assert.deepEqual(
        [...validator.Errors(spec)].map(({ instancePath, message }) => `${instancePath} ${message}`),
        [],
      );
  });

  it('run a generic command with its arguments behind it', () => {
    const admission = admit(
      { framework: { type: 'generic', config: { command: 'echo "$1"', args: ['a b'] } } },
      1,
      frameworks,
    );
    assert.deepEqual(admission.accepted && admission.plan.command, [
      '/bin/bash',
      '-c',
      'echo "$1"',
      'session',
      'a b',
    ]);
  });
});
