/** Session: one piece of work given to one agent. The schema is the source of the CRD and of the types. */
import Type from 'typebox';
import { IS_SEEN_RULE, SEEN_MESSAGE } from './display-name.ts';
import { ATOMIC, Condition, FreeObject, Quantity, RuntimeClassName, Timestamp } from './kubernetes.ts';
import type { KubeObject, ValidationRule } from './kubernetes.ts';
import { USER_MAX } from './names.ts';

/** Where events come from that start sessions. */
export const WEBHOOK_SOURCES = ['github', 'jira', 'slack', 'generic'] as const;
export type WebhookSource = (typeof WEBHOOK_SOURCES)[number];
export const TRIGGER_SOURCES = [...WEBHOOK_SOURCES, 'manual'] as const;
export const PHASES = ['Pending', 'Running', 'Completed', 'Failed'] as const;
export const TERMINAL_PHASES = ['Completed', 'Failed'] as const;
export const SESSION_CONDITIONS = [
  'PolicyValidated',
  'Approved',
  'SourceReady',
  'Admitted',
  'WorkloadCreated',
  'BudgetExceeded',
  'BudgetPaused',
  'NeedsInput',
  'ArtifactsGenerated',
  'ArtifactsDelivered',
  'ResultPushed',
  'PullRequestOpened',
  'Completed',
  'Failed',
] as const;
export const ARTIFACT_TYPES = ['log', 'output', 'intermediate', 'error'] as const;
export const APPROVAL_DECISIONS = ['Approved', 'Rejected'] as const;
/** What a session waits for before its workload is made: fewer running ones, or free budget. */
export const QUEUE_REASONS = ['Concurrency', 'Budget'] as const;
export const STORAGE_TYPES = ['s3', 'pvc', 'external'] as const;

/** Entries kept in the object; older ones are archived in the artifact store. */
export const HISTORY_MAX = 1000;
/** The newest entries that a trim must leave in place. */
export const HISTORY_KEEP = 500;
/** Artifacts listed in status; the live API lists all of them. */
export const ARTIFACTS_IN_STATUS_MAX = 100;
/** Bytes of a Session's JSON above which the operator refuses it: etcd takes 1.5 MiB a request, status needs room. */
export const SESSION_BYTES_MAX = 512 * 1024;
/** Bytes of an uploaded source archive. */
export const SOURCE_BYTES_MAX = 2 * 1024 ** 3;

/** Messages and interrupts that one session takes. */
export const MESSAGES_MAX = 200;
/** UTF-8 bytes of one: as much as one log record holds. */
export const MESSAGE_BYTES_MAX = 16 * 1024;
export const MESSAGE_KINDS = ['message', 'interrupt'] as const;

export const DEFAULT_TIMEOUT_SECONDS = 3600;
/** Of a session that takes messages and names no idle time-out: it must not keep its place for nobody. */
export const DEFAULT_IDLE_SECONDS = 900;
export const DEFAULT_GRACE_SECONDS = 30;

const immutable = (what: string): ValidationRule[] => [
  {
    rule: 'self == oldSelf',
    message: `${what} cannot be changed after creation`,
    reason: 'FieldValueForbidden',
  },
];

const Globs = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { maxItems: 100, description });

export const SessionSource = Type.Object(
  {
    type: Type.Enum(['none', 'upload', 'git'], {
      default: 'none',
      description: 'none: an empty workspace; upload: an archive sent through the live API; git: a clone.',
    }),
    upload: Type.Optional(
      Type.Object(
        {
          sizeBytes: Type.Integer({ minimum: 1, maximum: SOURCE_BYTES_MAX }),
          digest: Type.String({
            pattern: '^sha256:[0-9a-f]{64}$',
            description: 'Of the archive as uploaded.',
          }),
          name: Type.Optional(
            Type.String({ maxLength: 253, description: 'What was packed, to show to people.' }),
          ),
        },
        {
          description:
            'The archive that PUT …/sessions/{name}/source must deliver before the session starts.',
        },
      ),
    ),
    git: Type.Optional(
      Type.Object({
        url: Type.String({
          minLength: 1,
          maxLength: 2048,
          pattern: '^(https?|git|ssh)://[^\\s]+$',
          description: 'Repository URL without credentials.',
        }),
        ref: Type.Optional(
          Type.String({
            minLength: 1,
            maxLength: 255,
            pattern: '^[^-\\s~^:?*\\[\\\\][^\\s~^:?*\\[\\\\]*$',
            description: 'Branch, tag or commit; the default branch when absent.',
          }),
        ),
        credentials: Type.Optional(
          Type.String({
            maxLength: 253,
            pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
            description:
              'Secret with password (or token), perhaps username, and url: what addresses must begin with to be given them. The agent never sees it.',
          }),
        ),
      }),
    ),
  },
  {
    description: 'What the agent finds in its workspace.',
    'x-kubernetes-validations': [
      {
        rule: "(self.type == 'upload') == has(self.upload)",
        message: 'type upload and the field upload go together',
      },
      { rule: "(self.type == 'git') == has(self.git)", message: 'type git and the field git go together' },
    ] satisfies ValidationRule[],
  },
);

export const BRANCH_MAX = 200;
const Branch = (description: string) => Type.String({ minLength: 1, maxLength: BRANCH_MAX, description });

/** What becomes of the changes once the session is completed. */
export const SessionResult = Type.Object(
  {
    branch: Type.Optional(
      Branch('A branch that is not there yet; default ambient/NAME, with the name of the session.'),
    ),
    credentials: Type.Optional(
      Type.String({
        maxLength: 253,
        pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
        description:
          'Secret to push with, as that of source.git.credentials, which is taken when absent. Neither agent nor operator sees it.',
      }),
    ),
    pullRequest: Type.Optional(
      Type.Object(
        {
          title: Type.Optional(
            Type.String({ minLength: 1, maxLength: 200, description: "Default: the session's own title." }),
          ),
          draft: Type.Optional(Type.Boolean({ default: false })),
          base: Type.Optional(
            Branch('What it wants to change; default: the branch that was cloned, else the default branch.'),
          ),
        },
        { description: 'Opened for the branch on GitHub; absent: none.' },
      ),
    ),
  },
  { description: 'The changes of a completed session are pushed to a branch of its repository.' },
);
export type SessionResult = Type.Static<typeof SessionResult>;

/** Which agent, and what it is told. */
export const SessionFramework = Type.Object({
  type: Type.String({
    minLength: 1,
    maxLength: 63,
    pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
    description: 'Name of a Framework object.',
  }),
  version: Type.Optional(
    Type.String({ minLength: 1, maxLength: 63, description: 'The default version when absent.' }),
  ),
  config: Type.Optional(
    FreeObject({ maxProperties: 100, description: "Validated by the framework's own configSchema." }),
  ),
});

/** What a session may not do although its namespace may. */
export const SessionPolicy = Type.Object(
  {
    modelConstraints: Type.Optional(
      Type.Object({
        allowed: Type.Optional(Globs('Models this session may use.')),
        budget: Type.Optional(
          Type.String({
            pattern: '^[0-9]{1,9}(\\.[0-9]{1,2})?$',
            maxLength: 12,
            description: 'USD for this session.',
          }),
        ),
      }),
    ),
    toolConstraints: Type.Optional(
      Type.Object({ allowed: Type.Optional(Globs('Tools.')), blocked: Type.Optional(Globs('Tools.')) }),
    ),
    approvalRequired: Type.Optional(
      Type.Boolean({ description: 'Waits for an approver even if the namespace would not.' }),
    ),
  },
  { description: "May only narrow the namespace's policy." },
);

/** Of the pod, and of time. */
export const SESSION_LIMITS = {
  timeoutSeconds: Type.Integer({
    minimum: 1,
    maximum: 604800,
    default: DEFAULT_TIMEOUT_SECONDS,
    description: 'From the start of the pod.',
  }),
  gracePeriodSeconds: Type.Integer({
    minimum: 0,
    maximum: 600,
    default: DEFAULT_GRACE_SECONDS,
    description: 'Between the request to stop and the kill.',
  }),
  idleSeconds: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 604800,
      description:
        'Of a session that takes messages: it ends once neither output nor message has come for so long; 900 when absent.',
    }),
  ),
  cpu: Type.Optional(Quantity('CPU limit of the pod.')),
  memory: Type.Optional(Quantity('Memory limit of the pod.')),
  storage: Type.Optional(Quantity('Ephemeral storage limit of the pod.')),
};

/** Groups kept of the one who launched a session. */
export const GROUPS_MAX = 256;

/** Fields of a session that hold something from an event. */
export const OUTSIDE_MAX = 100;
/** Placeholders in one of them. */
export const OUTSIDE_FROM_MAX = 50;

const OutsideValue = Type.Object({
  field: Type.String({ maxLength: 1024, description: 'As spec.framework.config.prompt.' }),
  from: Type.Array(Type.String({ maxLength: 512 }), {
    maxItems: OUTSIDE_FROM_MAX,
    description: 'Placeholders that were filled in, as event.title.',
  }),
  delimiter: Type.Optional(
    Type.String({
      maxLength: 128,
      description: 'Name of the tags that mark it to the agent; absent where the whole value is data.',
    }),
  ),
});

export const SessionSpec = Type.Object(
  {
    createdBy: Type.Optional(
      Type.Object(
        {
          user: Type.String({ minLength: 1, maxLength: USER_MAX }),
          uid: Type.Optional(Type.String({ maxLength: USER_MAX })),
          groups: Type.Optional(Type.Array(Type.String({ maxLength: USER_MAX }), { maxItems: GROUPS_MAX })),
        },
        {
          description:
            'Who launched it, as the API server authenticated them. Set by admission; what is sent is overwritten.',
        },
      ),
    ),
    displayName: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'Shown to people instead of the name: one line, without characters that are not seen.',
        'x-kubernetes-validations': [
          { rule: IS_SEEN_RULE, message: SEEN_MESSAGE },
        ] satisfies ValidationRule[],
      }),
    ),
    trigger: Type.Optional(
      Type.Object(
        {
          source: Type.Enum([...TRIGGER_SOURCES], { default: 'manual' }),
          event: Type.Optional(Type.String({ maxLength: 253, description: 'For example pull_request.' })),
          payload: Type.Optional(
            FreeObject({
              maxProperties: 200,
              description: 'The original event, capped; the full one is an artifact.',
            }),
          ),
          action: Type.Optional(Type.String({ maxLength: 253, description: 'For example opened.' })),
          name: Type.Optional(
            Type.String({ maxLength: 253, description: 'The SessionTrigger that made this session.' }),
          ),
          delivery: Type.Optional(
            Type.String({ maxLength: 253, description: "The sender's own id of this event." }),
          ),
          origin: Type.Optional(
            Type.Object(
              {
                repository: Type.Optional(
                  Type.String({ maxLength: 253, description: "owner/name; of Slack the channel's id." }),
                ),
                number: Type.Optional(
                  Type.String({
                    maxLength: 64,
                    description: "Of the issue or pull request; the Jira issue's key; the Slack thread.",
                  }),
                ),
                commit: Type.Optional(Type.String({ maxLength: 64 })),
              },
              { description: 'Where an answer to the event goes. Set by the operator.' },
            ),
          ),
          received: Type.Optional(
            Type.Object(
              {
                key: Type.Optional(
                  Type.String({ maxLength: 63, description: 'Id of the key that let it in.' }),
                ),
                digest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
                sizeBytes: Type.Integer({ minimum: 0 }),
                artifact: Type.String({ maxLength: 1024, description: 'Path of the artifact that is it.' }),
              },
              { description: 'The whole body that came in. Set by the operator.' },
            ),
          ),
          outside: Type.Optional(
            Type.Array(OutsideValue, {
              maxItems: OUTSIDE_MAX,
              description:
                'What of this spec was written by whoever caused the event, not by this namespace.',
            }),
          ),
        },
        { default: { source: 'manual' }, description: 'What caused the session.' },
      ),
    ),
    framework: SessionFramework,
    resume: Type.Optional(
      Type.Object(
        {
          session: Type.String({
            minLength: 1,
            maxLength: 253,
            description: 'Name of the session it goes on from.',
          }),
          uid: Type.String({
            minLength: 1,
            maxLength: 64,
            description: 'Of that session: its changes and its log.',
          }),
          source: Type.String({
            minLength: 1,
            maxLength: 64,
            description: 'UID of the session to which an uploaded source was sent.',
          }),
          ref: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 255,
              description: 'Branch, tag or commit that was cloned first, where source.git.ref is a commit.',
            }),
          ),
        },
        {
          description:
            'It begins with the source, the changes and the conversation of a finished session. Set by the operator, which takes …/sessions/{name}/resume.',
        },
      ),
    ),
    source: Type.Optional(SessionSource),
    result: Type.Optional(SessionResult),
    policy: Type.Optional(SessionPolicy),
    artifacts: Type.Optional(
      Type.Object({
        references: Type.Optional(
          Type.Array(
            Type.Object({
              type: Type.Enum([...STORAGE_TYPES]),
              location: Type.String({
                minLength: 1,
                maxLength: 2048,
                description:
                  's3://BUCKET/KEY, or with a / at its end all below; CLAIM or CLAIM/PATH of a PersistentVolumeClaim; an https:// URL.',
              }),
              name: Type.Optional(
                Type.String({
                  minLength: 1,
                  maxLength: 64,
                  description: 'Below /inputs; default: the last part of the location.',
                }),
              ),
              credentials: Type.Optional(
                Type.String({
                  maxLength: 253,
                  pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
                  description:
                    'Of s3: Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and url, what locations must begin with; perhaps AWS_ENDPOINT_URL and AWS_REGION. The agent never sees it.',
                }),
              ),
              digest: Type.Optional(
                Type.String({
                  pattern: '^sha256:[0-9a-f]{64}$',
                  description: 'Of external: what the bytes must have.',
                }),
              ),
            }),
            { maxItems: 50, description: 'Inputs: read-only for the agent, each below /inputs.' },
          ),
        ),
        storage: Type.Optional(
          Type.Object(
            {
              type: Type.Enum([...STORAGE_TYPES]),
              location: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
              credentials: Type.Optional(
                Type.String({
                  maxLength: 253,
                  pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
                  description:
                    'Secret that the operator may read, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and url, what locations must begin with; perhaps AWS_ENDPOINT_URL and AWS_REGION.',
                }),
              ),
            },
            {
              description:
                'Where artifacts are delivered to after the end, beside where the operator keeps them: s3 alone.',
            },
          ),
        ),
      }),
    ),
    limits: Type.Optional(
      Type.Object(SESSION_LIMITS, {
        default: { timeoutSeconds: DEFAULT_TIMEOUT_SECONDS, gracePeriodSeconds: DEFAULT_GRACE_SECONDS },
      }),
    ),
    runtimeClassName: Type.Optional(
      RuntimeClassName(
        'RuntimeClass of the pod, one that the namespace allows; absent: the default of its policy.',
      ),
    ),
  },
  {
    ...ATOMIC,
    'x-kubernetes-validations': [
      ...immutable('the spec of a Session'),
      {
        rule: "!has(self.result) || has(self.source) && self.source.type == 'git'",
        message: 'a result is pushed to where the source was cloned from: it needs a source of type git',
        fieldPath: '.result',
      },
    ] satisfies ValidationRule[],
  },
);
export type SessionSpec = Type.Static<typeof SessionSpec>;

export const HistoryEntry = Type.Object(
  {
    seq: Type.Integer({ minimum: 1, description: 'Gap-free number of the entry, from 1.' }),
    timestamp: Timestamp(),
    event: Type.String({ minLength: 1, maxLength: 128 }),
    actor: Type.String({
      minLength: 1,
      maxLength: 512,
      description: 'User name, or system:ambient-operator.',
    }),
    data: Type.Optional(FreeObject({ maxProperties: 50, description: 'Details of the event.' })),
  },
  { ...ATOMIC, 'x-kubernetes-validations': immutable('a history entry') },
);
export type HistoryEntry = Type.Static<typeof HistoryEntry>;

export const GeneratedArtifact = Type.Object({
  type: Type.Enum([...ARTIFACT_TYPES]),
  location: Type.String({
    minLength: 1,
    maxLength: 4096,
    description: 'Path for …/sessions/{name}/artifacts/{path}.',
  }),
  size: Type.Integer({ minimum: 0, description: 'Bytes.' }),
  contentType: Type.String({ maxLength: 255 }),
  createdAt: Timestamp(),
  metadata: Type.Optional(
    Type.Record(Type.String(), Type.String({ maxLength: 4096 }), {
      maxProperties: 20,
      description: 'For example digest.',
    }),
  ),
});
export type GeneratedArtifact = Type.Static<typeof GeneratedArtifact>;

export const SessionStatus = Type.Object(
  {
    phase: Type.Optional(Type.Enum([...PHASES])),
    observedGeneration: Type.Optional(Type.Integer({ minimum: 0 })),
    conditions: Type.Optional(
      Type.Array(Condition(SESSION_CONDITIONS), {
        maxItems: 16,
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['type'],
      }),
    ),
    history: Type.Optional(
      Type.Array(HistoryEntry, {
        maxItems: HISTORY_MAX,
        description: 'Append-only; the API server refuses any change to what stands.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['seq'],
        'x-kubernetes-validations': [
          // Sorted unique integers whose ends are size-1 apart are gap-free: linear where comparing neighbours is not.
          {
            rule: 'self.map(e, e.seq).isSorted() && (size(self) == 0 || self[size(self) - 1].seq - self[0].seq == size(self) - 1)',
            message: 'history is numbered without a gap, in order',
          },
          {
            rule: 'size(oldSelf) == 0 || (size(self) > 0 && self[size(self) - 1].seq >= oldSelf[size(oldSelf) - 1].seq)',
            message: 'history entries cannot be removed from the end',
          },
          {
            rule: `size(oldSelf) == 0 || (size(self) > 0 && (self[0].seq == oldSelf[0].seq || (self[0].seq > oldSelf[0].seq && size(oldSelf) == ${HISTORY_MAX} && size(self) >= ${HISTORY_KEEP})))`,
            message: `history entries can be trimmed from the front only when ${HISTORY_MAX} are kept, and only down to ${HISTORY_KEEP}`,
          },
        ] satisfies ValidationRule[],
      }),
    ),
    artifacts: Type.Optional(
      Type.Object(
        {
          generated: Type.Optional(Type.Array(GeneratedArtifact, { maxItems: ARTIFACTS_IN_STATUS_MAX })),
          count: Type.Optional(
            Type.Integer({ minimum: 0, description: 'All of them, also those not listed here.' }),
          ),
          totalBytes: Type.Optional(Type.Integer({ minimum: 0 })),
          storedBytes: Type.Optional(
            Type.Integer({
              minimum: 0,
              description: 'With what is kept beside them below .ambient/, which is not counted among them.',
            }),
          ),
          provenance: Type.Optional(
            Type.Object(
              {
                location: Type.String({ maxLength: 1024, description: 'Path of the artifact that it is.' }),
                digest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
                keyId: Type.String({ maxLength: 128, description: 'Of the key that has signed it.' }),
              },
              {
                description:
                  'The signed statement of how the artifacts came about; it is not counted among them.',
              },
            ),
          ),
        },
        ATOMIC,
      ),
    ),
    result: Type.Optional(
      Type.Object(
        {
          branch: Type.Optional(Type.String({ maxLength: 255, description: 'That holds the changes.' })),
          commit: Type.Optional(Type.String({ pattern: '^[0-9a-f]{40,64}$' })),
          base: Type.Optional(
            Type.String({ maxLength: 255, description: 'The branch that the session began on.' }),
          ),
          pullRequest: Type.Optional(Type.String({ maxLength: 2048, description: 'Its page.' })),
        },
        { description: 'Where the changes are in the repository; set once they are there.' },
      ),
    ),
    workload: Type.Optional(
      Type.Object(
        {
          jobName: Type.Optional(Type.String({ maxLength: 253 })),
          podName: Type.Optional(Type.String({ maxLength: 253 })),
          nodeName: Type.Optional(Type.String({ maxLength: 253 })),
          image: Type.Optional(Type.String({ maxLength: 1024 })),
          policy: Type.Optional(
            Type.Object(
              {
                uid: Type.String({ maxLength: 128 }),
                generation: Type.Integer({ minimum: 0 }),
              },
              { description: 'The NamespacePolicy that it was started under; absent: there was none.' },
            ),
          ),
          resources: Type.Optional(
            Type.Record(Type.String(), Type.String({ maxLength: 64 }), {
              maxProperties: 10,
              description: 'Limits of the pod.',
            }),
          ),
          runtimeClassName: Type.Optional(RuntimeClassName("Of the pod; absent: the nodes' own runtime.")),
          startTime: Type.Optional(Timestamp()),
          completionTime: Type.Optional(Timestamp()),
          exitCode: Type.Optional(Type.Integer()),
          cluster: Type.Optional(Type.String({ maxLength: 253 })),
        },
        ATOMIC,
      ),
    ),
    warmPod: Type.Optional(
      Type.Object(
        {
          jobName: Type.String({ maxLength: 253 }),
          podName: Type.String({ maxLength: 253 }),
          claimedAt: Timestamp(),
        },
        {
          ...ATOMIC,
          description:
            "A pod that was kept ready and is this session's now, or is about to be; absent: its pod is made for it.",
        },
      ),
    ),
    budget: Type.Optional(
      Type.Object(
        {
          limit: Type.String({
            pattern: '^[0-9]+(\\.[0-9]+)?$',
            maxLength: 32,
            description: 'USD: what the session may spend in all.',
          }),
          by: Type.String({ maxLength: 512 }),
          at: Timestamp(),
        },
        { description: 'Raised beyond what the session was launched with; absent: it was not.' },
      ),
    ),
    cost: Type.Optional(
      Type.Object(
        {
          total: Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?$', maxLength: 32, description: 'USD.' }),
          breakdown: Type.Optional(
            Type.Record(Type.String(), Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?$', maxLength: 32 }), {
              maxProperties: 50,
            }),
          ),
          days: Type.Optional(
            Type.Record(Type.String(), Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?$', maxLength: 32 }), {
              maxProperties: 50,
              description:
                'The total by the day in UTC on which it was reported: which budget month it counts to.',
            }),
          ),
        },
        ATOMIC,
      ),
    ),
    stop: Type.Optional(
      Type.Object(
        {
          requestedAt: Timestamp(),
          requestedBy: Type.String({ maxLength: 512 }),
          reason: Type.Optional(Type.String({ maxLength: 1024 })),
          gracePeriodSeconds: Type.Integer({ minimum: 0, maximum: 600 }),
        },
        { ...ATOMIC, 'x-kubernetes-validations': immutable('a request to stop') },
      ),
    ),
    approval: Type.Optional(
      Type.Object(
        {
          decision: Type.Enum([...APPROVAL_DECISIONS]),
          by: Type.String({ maxLength: USER_MAX, description: 'User name, or system:ambient-operator.' }),
          at: Timestamp(),
          reason: Type.Optional(Type.String({ maxLength: 1024 })),
        },
        {
          description: 'The decision; final.',
          'x-kubernetes-validations': immutable('an approval decision'),
        },
      ),
    ),
    input: Type.Optional(
      Type.Object(
        {
          open: Type.Optional(
            Type.Boolean({
              description: 'Whether its command takes messages; set when its workload is made.',
            }),
          ),
          messages: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  seq: Type.Integer({ minimum: 1, description: 'Gap-free number, from 1.' }),
                  id: Type.String({ maxLength: 64, description: "The sender's own." }),
                  kind: Type.Enum([...MESSAGE_KINDS]),
                  by: Type.String({ maxLength: USER_MAX }),
                  at: Timestamp(),
                  digest: Type.String({ maxLength: 64, description: 'Names what was said, in the store.' }),
                },
                ATOMIC,
              ),
              {
                maxItems: MESSAGES_MAX,
                description: 'What was said to the running session, in order; the words are in its log.',
                'x-kubernetes-list-type': 'map',
                'x-kubernetes-list-map-keys': ['seq'],
              },
            ),
          ),
          asked: Type.Optional(
            Type.Integer({
              minimum: 1,
              description: "Number of the log record with the agent's last question.",
            }),
          ),
        },
        { description: 'Between people and the running session.' },
      ),
    ),
    queue: Type.Optional(
      Type.Object(
        {
          reason: Type.Enum([...QUEUE_REASONS]),
          position: Type.Integer({ minimum: 1, description: '1 is the next to start. As of the last look.' }),
          since: Timestamp(),
        },
        { description: 'Why and where a session waits for its turn; absent once it has had it.' },
      ),
    ),
    message: Type.Optional(
      Type.String({ maxLength: 4096, description: 'One line about what goes on, for lists.' }),
    ),
  },
  {
    'x-kubernetes-validations': [
      {
        rule: "!has(oldSelf.phase) || !(oldSelf.phase in ['Completed', 'Failed']) || (has(self.phase) && self.phase == oldSelf.phase)",
        message: 'a terminal phase never changes',
        fieldPath: '.phase',
      },
      {
        rule: "!has(oldSelf.phase) || (has(self.phase) && (self.phase == oldSelf.phase || oldSelf.phase == 'Pending' && self.phase in ['Running', 'Failed'] || oldSelf.phase == 'Running' && self.phase in ['Completed', 'Failed']))",
        message:
          'phases go Pending, Running, then Completed or Failed; a Pending session can only start or fail',
        fieldPath: '.phase',
      },
      {
        rule: '!has(oldSelf.history) || has(self.history)',
        message: 'history cannot be removed',
        fieldPath: '.history',
      },
      {
        rule: '!has(oldSelf.stop) || has(self.stop)',
        message: 'a request to stop cannot be taken back',
        fieldPath: '.stop',
      },
      {
        rule: '!has(oldSelf.approval) || has(self.approval)',
        message: 'an approval decision cannot be taken back',
        fieldPath: '.approval',
      },
      {
        rule: "!has(oldSelf.phase) || !(oldSelf.phase in ['Completed', 'Failed']) || (has(self.workload) == has(oldSelf.workload) && (!has(self.workload) || self.workload == oldSelf.workload) && has(self.stop) == has(oldSelf.stop))",
        message: 'the workload of a finished session is final',
        fieldPath: '.workload',
      },
    ] satisfies ValidationRule[],
  },
);
export type SessionStatus = Type.Static<typeof SessionStatus>;

/** Rules on the whole object, where the removal of a field can be seen. */
export const SESSION_RULES: ValidationRule[] = [
  // Rules with oldSelf below status do not run when status is set for the first time; here they do.
  {
    rule: "has(oldSelf.status) && has(oldSelf.status.phase) || !has(self.status) || !has(self.status.phase) || self.status.phase in ['Pending', 'Failed']",
    message: 'a session starts Pending',
    fieldPath: '.status.phase',
  },
  {
    rule: 'has(oldSelf.status) && has(oldSelf.status.history) && size(oldSelf.status.history) > 0 || !has(self.status) || !has(self.status.history) || size(self.status.history) == 0 || self.status.history[0].seq == 1',
    message: 'history starts at 1',
    fieldPath: '.status.history',
  },
  { rule: '!has(oldSelf.status) || has(self.status)', message: 'status cannot be removed' },
  {
    rule: 'size(self.metadata.name) <= 63',
    message: 'a Session name has at most 63 characters, as it becomes a label',
  },
];

export type SessionPhase = (typeof PHASES)[number];
export type SessionConditionType = (typeof SESSION_CONDITIONS)[number];

export interface Session extends KubeObject {
  kind: 'Session';
  spec: SessionSpec;
  status?: SessionStatus;
}

export const isTerminal = (phase: SessionPhase | undefined): phase is 'Completed' | 'Failed' =>
  phase === 'Completed' || phase === 'Failed';

/** What people read for a session: its display name, or else the object's name. */
export const displayNameOf = (session: Session): string => session.spec.displayName ?? session.metadata.name;
