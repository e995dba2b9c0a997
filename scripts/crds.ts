/** Turns the schemas of common/api into CustomResourceDefinitions: one place says what a field is. */
import { stringify } from 'yaml';
import type { TSchema } from 'typebox';
import { FRAMEWORK_RULES, FrameworkSpec } from '../common/api/framework.ts';
import type { ValidationRule } from '../common/api/kubernetes.ts';
import { GROUP, VERSION } from '../common/api/names.ts';
import {
  NAMESPACE_POLICY_RULES,
  NamespacePolicySpec,
  NamespacePolicyStatus,
} from '../common/api/namespace-policy.ts';
import { SESSION_RULES, SessionSpec, SessionStatus } from '../common/api/session.ts';
import {
  SESSION_TRIGGER_RULES,
  SessionTriggerSpec,
  SessionTriggerStatus,
} from '../common/api/session-trigger.ts';

interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'date' | 'number' | 'boolean';
  jsonPath: string;
  description?: string;
  priority?: number;
}

interface Definition {
  kind: string;
  plural: string;
  singular: string;
  shortNames: string[];
  scope: 'Namespaced' | 'Cluster';
  description: string;
  spec: TSchema;
  status?: TSchema;
  rules: ValidationRule[];
  columns: PrinterColumn[];
}

const age: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

const definitions: Definition[] = [
  {
    kind: 'Session',
    plural: 'sessions',
    singular: 'session',
    shortNames: ['sess'],
    scope: 'Namespaced',
    description:
      'One piece of work given to one agent: run as a Job, with its log, artifacts and record kept.',
    spec: SessionSpec,
    status: SessionStatus,
    rules: SESSION_RULES,
    columns: [
      { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
      { name: 'Framework', type: 'string', jsonPath: '.spec.framework.type' },
      { name: 'Trigger', type: 'string', jsonPath: '.spec.trigger.source' },
      { name: 'Title', type: 'string', jsonPath: '.spec.displayName', priority: 1 },
      { name: 'Message', type: 'string', jsonPath: '.status.message', priority: 1 },
      age,
    ],
  },
  {
    kind: 'NamespacePolicy',
    plural: 'namespacepolicies',
    singular: 'namespacepolicy',
    shortNames: ['nspolicy'],
    scope: 'Namespaced',
    description: "What a namespace's sessions may do and cost. One per namespace, named policy.",
    spec: NamespacePolicySpec,
    status: NamespacePolicyStatus,
    rules: NAMESPACE_POLICY_RULES,
    columns: [
      { name: 'Budget', type: 'string', jsonPath: '.spec.models.budget.monthly' },
      { name: 'Sessions', type: 'integer', jsonPath: '.status.usage.sessions.active' },
      {
        name: 'Budget Used',
        type: 'number',
        jsonPath: '.status.usage.budget.percentUsed',
        description: 'Percent',
      },
      age,
    ],
  },
  {
    kind: 'SessionTrigger',
    plural: 'sessiontriggers',
    singular: 'sessiontrigger',
    shortNames: ['strig'],
    scope: 'Namespaced',
    description: 'Which events of a source start a session in its namespace, and what that session is.',
    spec: SessionTriggerSpec,
    status: SessionTriggerStatus,
    rules: SESSION_TRIGGER_RULES,
    columns: [
      { name: 'Source', type: 'string', jsonPath: '.spec.source' },
      { name: 'Events', type: 'string', jsonPath: '.spec.when.events' },
      { name: 'Framework', type: 'string', jsonPath: '.spec.session.framework.type' },
      { name: 'Enabled', type: 'boolean', jsonPath: '.spec.enabled' },
      { name: 'Valid', type: 'string', jsonPath: ".status.conditions[?(@.type=='Valid')].status" },
      { name: 'Last Matched', type: 'date', jsonPath: '.status.lastMatched.time' },
      { name: 'Sessions', type: 'integer', jsonPath: '.status.sessions.total', priority: 1 },
      age,
    ],
  },
  {
    kind: 'Framework',
    plural: 'frameworks',
    singular: 'framework',
    shortNames: ['fw'],
    scope: 'Cluster',
    description:
      'An entry of the registry of what can run a session: image, versions, command, config schema.',
    spec: FrameworkSpec,
    rules: FRAMEWORK_RULES,
    columns: [
      {
        name: 'Version',
        type: 'string',
        jsonPath: '.spec.versions[0].name',
        description: 'The default version',
      },
      { name: 'Image', type: 'string', jsonPath: '.spec.versions[0].image' },
      age,
    ],
  },
];

/** JSON Schema as TypeBox writes it → the structural subset that apiextensions.k8s.io/v1 accepts. */
export function structural(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(structural);
  if (typeof schema !== 'object' || schema === null) return schema;
  const source = schema as Record<string, unknown>;
  const result: Record<string, unknown> = {};
  if (source.enum !== undefined && source.type === undefined) result.type = 'string';
  for (const [key, value] of Object.entries(source)) {
    if (key === 'properties') {
      result.properties = Object.fromEntries(
        Object.entries(value as Record<string, unknown>).map(([name, property]) => [
          name,
          structural(property),
        ]),
      );
    } else if (key === 'patternProperties') {
      // TypeBox writes a record of strings so; Kubernetes knows only additionalProperties
      result.additionalProperties = structural(Object.values(value as Record<string, unknown>)[0]);
    } else if (key === 'items' || key === 'additionalProperties') {
      result[key] = structural(value);
    } else {
      result[key] = value;
    }
  }
  return result;
}

function definitionOf(d: Definition): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${d.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: d.scope,
      names: {
        kind: d.kind,
        listKind: `${d.kind}List`,
        plural: d.plural,
        singular: d.singular,
        shortNames: d.shortNames,
        categories: ['ambient'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          ...(d.status ? { subresources: { status: {} } } : {}),
          additionalPrinterColumns: d.columns,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description: d.description,
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec: structural(d.spec),
                ...(d.status ? { status: structural(d.status) } : {}),
              },
              'x-kubernetes-validations': d.rules,
            },
          },
        },
      ],
    },
  };
}

/** File name below manifests/crds → content. */
export function crdFiles(): Map<string, string> {
  return new Map(
    definitions.map((d) => [
      `${d.plural}.${GROUP}.yaml`,
      `# Generated from common/api by npm run generate; a test fails when it is stale.\n${stringify(definitionOf(d), { aliasDuplicateObjects: false, lineWidth: 0 })}`,
    ]),
  );
}
