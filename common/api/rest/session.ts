/** Sessions and namespaces as the REST API shows them. */
import Type from 'typebox';
import {
  APPROVAL_DECISIONS,
  ARTIFACT_TYPES,
  SessionResult,
  SessionSource,
  SessionSpec,
  SessionStatus,
  TRIGGER_SOURCES,
} from '../session.ts';

export const SESSION_STATES = ['pending', 'running', 'completed', 'failed'] as const;
export const PERMISSIONS = ['viewer', 'editor'] as const;

const Time = (description?: string) =>
  Type.String({ format: 'date-time', ...(description === undefined ? {} : { description }) });

const summary = {
  id: Type.String({ description: 'A UUID for sessions made through this API; the name of the object.' }),
  namespace: Type.String(),
  status: Type.Enum([...SESSION_STATES]),
  framework: Type.String({ description: 'Name of the framework.' }),
  trigger: Type.Object({
    source: Type.Enum([...TRIGGER_SOURCES]),
    event: Type.Optional(Type.String()),
  }),
  createdAt: Time(),
  updatedAt: Time('When its state last changed.'),
  artifactCount: Type.Integer({
    minimum: 0,
    description: 'Without what the operator keeps beside them, below .ambient/.',
  }),
  displayName: Type.Optional(Type.String()),
  message: Type.Optional(Type.String({ description: 'One line about what goes on.' })),
};

export const SessionSummary = Type.Object(summary, { description: 'A session in a list.' });
export type SessionSummary = Type.Static<typeof SessionSummary>;

export const HistoryItem = Type.Object({
  timestamp: Time(),
  event: Type.String(),
  data: Type.Record(Type.String(), Type.Unknown()),
  actor: Type.String(),
});

export const SessionArtifact = Type.Object(
  {
    type: Type.Enum([...ARTIFACT_TYPES]),
    location: Type.String({ description: 'Path of the artifact in its session.' }),
    downloadUrl: Type.Optional(
      Type.String({
        format: 'uri',
        description:
          'Works without a token until it expires, for as long as its owner may see artifacts. Absent for those who may not.',
      }),
    ),
    size: Type.Integer({ minimum: 0, description: 'Bytes.' }),
    contentType: Type.String(),
    createdAt: Time(),
    metadata: Type.Record(Type.String(), Type.String(), { description: 'digest, for one.' }),
  },
  { description: 'A file that a session made.' },
);
export type SessionArtifact = Type.Static<typeof SessionArtifact>;

export const Workload = Type.Object(
  {
    podName: Type.Optional(Type.String()),
    jobName: Type.Optional(Type.String()),
    resources: Type.Record(Type.String(), Type.String(), { description: 'Limits of the pod.' }),
    runtimeClassName: Type.Optional(
      Type.String({ description: "Of the pod; absent: the nodes' own runtime." }),
    ),
    startTime: Type.Optional(Time()),
    completionTime: Type.Optional(Time()),
    exitCode: Type.Optional(Type.Integer()),
  },
  { description: 'Where it runs or ran; empty before.' },
);

export const SessionDetail = Type.Object(
  {
    ...summary,
    spec: SessionSpec,
    history: Type.Array(HistoryItem, { description: 'Oldest first; empty when not asked for.' }),
    artifacts: Type.Array(SessionArtifact, {
      description: 'At most 100; …/artifacts lists all of them. Empty when not asked for.',
    }),
    workload: Workload,
    result: SessionStatus.properties.result,
    cost: Type.Optional(
      Type.Object({
        total: Type.String({ description: 'USD.' }),
        breakdown: Type.Optional(Type.Record(Type.String(), Type.String())),
      }),
    ),
  },
  { description: 'All of a session.' },
);
export type SessionDetail = Type.Static<typeof SessionDetail>;

export const SessionPage = Type.Object({
  sessions: Type.Array(SessionSummary),
  total: Type.Integer({ minimum: 0, description: 'Of all pages.' }),
  hasMore: Type.Boolean(),
  next: Type.Optional(
    Type.String({
      description:
        'For the parameter after: the next page begins behind the last session of this one, whatever was launched or deleted meanwhile. Absent on the last page.',
    }),
  ),
});
export type SessionPage = Type.Static<typeof SessionPage>;

export const ArtifactPage = Type.Object({
  sessionId: Type.String(),
  artifacts: Type.Array(SessionArtifact),
  totalCount: Type.Integer({
    minimum: 0,
    description: 'Of all pages. Without type and include it is artifactCount, once the session has ended.',
  }),
  hasMore: Type.Boolean(),
});
export type ArtifactPage = Type.Static<typeof ArtifactPage>;

const Labels = (description: string) =>
  Type.Record(Type.String({ maxLength: 317 }), Type.String({ maxLength: 4096 }), {
    maxProperties: 50,
    description,
  });

const { framework, trigger, policy, limits, artifacts, runtimeClassName } = SessionSpec.properties;

/** What may be sent is checked to the last field: a misspelt limit must not go unnoticed. */
export const NewSession = Type.Object(
  {
    framework: Type.Object(framework.properties, { additionalProperties: false }),
    // What has a default in the CRD may be left out.
    trigger: Type.Optional(
      Type.Object(Type.Partial(Type.Object(trigger.properties)).properties, { additionalProperties: false }),
    ),
    metadata: Type.Optional(
      Type.Object(
        {
          displayName: SessionSpec.properties.displayName,
          labels: Type.Optional(Labels('Labels of the Session object.')),
          annotations: Type.Optional(Labels('Annotations of the Session object.')),
        },
        { additionalProperties: false },
      ),
    ),
    source: Type.Optional(Type.Object(SessionSource.properties, { additionalProperties: false })),
    result: Type.Optional(Type.Object(SessionResult.properties, { additionalProperties: false })),
    policy,
    limits: Type.Optional(
      Type.Object(Type.Partial(Type.Object(limits.properties)).properties, { additionalProperties: false }),
    ),
    artifacts,
    runtimeClassName,
  },
  {
    additionalProperties: false,
    description: 'A session to launch.',
    examples: [{ framework: { type: 'generic', config: { command: 'echo hello' } } }],
  },
);
export type NewSession = Type.Static<typeof NewSession>;

export const NamespaceEntry = Type.Object({
  namespace: Type.String(),
  permission: Type.Enum([...PERMISSIONS], {
    description: 'viewer: sees sessions; editor: launches them, too.',
  }),
  policy: Type.Object(
    {
      name: Type.Optional(Type.String({ description: 'Absent where no policy is set: the defaults hold.' })),
      models: Type.Object({
        allowed: Type.Optional(Type.Array(Type.String(), { description: 'Absent: all.' })),
        blocked: Type.Array(Type.String()),
      }),
      tools: Type.Object({
        allowed: Type.Optional(Type.Array(Type.String(), { description: 'Absent: all.' })),
        blocked: Type.Array(Type.String()),
      }),
      budget: Type.Optional(
        Type.Object({
          monthly: Type.String({ description: 'USD.' }),
          currentMonth: Type.Optional(Type.String({ description: 'USD spent.' })),
          percentUsed: Type.Optional(Type.Number()),
        }),
      ),
      approvalRequired: Type.Boolean(),
      maxSessions: Type.Integer({ minimum: 0 }),
    },
    { description: 'What holds there, in short.' },
  ),
  stats: Type.Optional(
    Type.Object(
      {
        total: Type.Integer({ minimum: 0 }),
        pending: Type.Integer({ minimum: 0 }),
        running: Type.Integer({ minimum: 0 }),
        completed: Type.Integer({ minimum: 0 }),
        failed: Type.Integer({ minimum: 0 }),
      },
      { description: 'Sessions there are; with include=stats.' },
    ),
  ),
});
export type NamespaceEntry = Type.Static<typeof NamespaceEntry>;

export const NamespaceList = Type.Object({
  namespaces: Type.Array(NamespaceEntry),
  totalCount: Type.Integer({ minimum: 0 }),
  user: Type.Object({ username: Type.String(), groups: Type.Array(Type.String()) }),
});
export type NamespaceList = Type.Static<typeof NamespaceList>;

export const StopWish = Type.Object({
  requestedAt: Time(),
  requestedBy: Type.String(),
  gracePeriodSeconds: Type.Integer({ minimum: 0, description: 'Until it is ended by force.' }),
});

export const Decision = Type.Object({
  decision: Type.Enum([...APPROVAL_DECISIONS]),
  by: Type.String(),
  at: Time(),
  reason: Type.Optional(Type.String()),
});

export const RaisedBudget = Type.Object({
  limit: Type.String({ description: 'USD that the session may spend in all.' }),
  by: Type.String(),
  at: Time(),
});

export const Said = Type.Object({
  seq: Type.Integer({ minimum: 1, description: 'Its number among what was said to the session.' }),
  id: Type.String({ description: 'As it was sent, or made.' }),
  by: Type.String(),
  at: Time(),
});

export const ResumedSession = Type.Object({ id: Type.String(), namespace: Type.String() });
