/** NamespacePolicy: what a tenant's sessions may do and cost. One per namespace, named `policy`. */
import Type from 'typebox';
import { TRIGGER_SOURCES, WEBHOOK_SOURCES } from './session.ts';
import { Condition, RuntimeClassName, Timestamp } from './kubernetes.ts';
import type { KubeObject, ValidationRule } from './kubernetes.ts';
import { MODEL_PROVIDERS } from './models.ts';
import { POLICY_NAME } from './names.ts';

export const POLICY_CONDITIONS = [
  'BudgetWarning',
  'BudgetExceeded',
  'PolicyViolation',
  'ConfigValid',
] as const;
export const NOTIFICATION_EVENTS = [
  'session.created',
  'session.started',
  'session.needs_input',
  'session.completed',
  'session.failed',
  'session.approved',
  'session.rejected',
  'budget.warning',
  'budget.exceeded',
] as const;

/** What the evaluator takes for the limit of a session where neither it nor its policy names one, USD. */
export const DEFAULT_SESSION_BUDGET = '5.00';
/** Sessions of a namespace that run at once where its policy says nothing. */
export const DEFAULT_MAX_SESSIONS = 50;

/** Digest of an API key. A key is 32 random bytes, which nobody guesses however fast the hash is. */
export const KEY_HASH_PATTERN = '^sha256:[0-9a-f]{64}$';
const KeyHash = (options: { description?: string } = {}) =>
  Type.String({ maxLength: 71, pattern: KEY_HASH_PATTERN, ...options });

/** A credential of senders of events. Two of one source may be valid at once, so that keys are changed without a gap. */
export const WebhookKey = Type.Object({
  id: Type.String({
    minLength: 1,
    maxLength: 63,
    pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
    description:
      'Public: the address of a signed webhook ends in ?key=ID. Random ids are never those of another namespace.',
  }),
  source: Type.Enum([...WEBHOOK_SOURCES]),
  hash: Type.Optional(KeyHash({ description: 'Of the key that is sent as X-API-Key.' })),
  signing: Type.Optional(
    Type.Object(
      {
        secretName: Type.String({ minLength: 1, maxLength: 253 }),
        key: Type.String({ minLength: 1, maxLength: 253, description: 'In the Secret.' }),
      },
      { description: "The Secret of this namespace with which the source signs; the operator's to read." },
    ),
  ),
  createdAt: Type.Optional(Timestamp()),
  expiresAt: Type.Optional(Timestamp('From then on it is refused.')),
});
export type WebhookKey = Type.Static<typeof WebhookKey>;
export const WEBHOOK_KEYS_MAX = 50;

export const WARM_PODS_MAX = 20;

/** stop: a session whose budget is spent ends; pause: its calls wait until somebody raises the budget or stops it. */
export const WHEN_SPENT = ['stop', 'pause'] as const;

/** Whom the gateway asks for models, with a key that no pod ever sees. */
export const ModelProviderAccess = Type.Object({
  name: Type.Enum([...MODEL_PROVIDERS]),
  baseUrl: Type.Optional(
    Type.String({
      maxLength: 2048,
      pattern: '^https?://[^\\s]+$',
      description: "Before the provider's own paths; absent: the provider's public address.",
    }),
  ),
  keySecret: Type.Object(
    {
      name: Type.String({ minLength: 1, maxLength: 253 }),
      key: Type.String({ minLength: 1, maxLength: 253, description: 'In the Secret.' }),
    },
    { description: "The Secret of this namespace with the provider's API key; the operator's to read." },
  ),
});
export type ModelProviderAccess = Type.Static<typeof ModelProviderAccess>;

/** By whom pull requests are opened: the operator, with a token that no pod ever sees. */
export const PullRequestAccess = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        maxLength: 2048,
        pattern: '^https?://[^\\s?#]+$',
        description:
          'The API of the GitHub server, as https://github.example.com/api/v3; absent: https://api.github.com.',
      }),
    ),
    credential: Type.Object(
      {
        secretName: Type.String({ minLength: 1, maxLength: 253 }),
        key: Type.String({ minLength: 1, maxLength: 253, description: 'In the Secret: the token.' }),
      },
      { description: "The Secret of this namespace with the tenant's own token; the operator's to read." },
    ),
  },
  { description: 'Sessions may ask for pull requests on this server; absent: for none.' },
);
export type PullRequestAccess = Type.Static<typeof PullRequestAccess>;

const Rate = (description: string) =>
  Type.String({ pattern: '^[0-9]{1,6}(\\.[0-9]{1,6})?$', maxLength: 13, description });

/** What a model costs, in USD per million tokens, where the operator's list has no price or another. */
export const ModelPrice = Type.Object({
  model: Type.String({
    minLength: 1,
    maxLength: 253,
    description: 'Glob of model names; the first that matches is taken.',
  }),
  input: Rate('USD per million tokens.'),
  output: Rate('Thinking included.'),
  cacheRead: Type.Optional(Rate('Absent: as input.')),
  cacheWrite5m: Type.Optional(Rate('Absent: as input.')),
  cacheWrite1h: Type.Optional(Rate('Absent: as cacheWrite5m.')),
  contextTokens: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 100_000_000, description: 'That go in at most; default 1000000.' }),
  ),
  maxOutputTokens: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 100_000_000, description: 'That come out at most; default 128000.' }),
  ),
});
export type ModelPrice = Type.Static<typeof ModelPrice>;

/** An IPv4 address is read whole; of IPv6 only what it is made of (common/rules/cidr.ts reads the rest). */
const Cidr = (description: string) =>
  Type.String({
    maxLength: 43,
    pattern:
      '^(((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}/(3[0-2]|[12]?[0-9]))|([0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{1,34}/(12[0-8]|1[01][0-9]|[1-9]?[0-9])))$',
    description,
  });
const Port = (description: string) => Type.Integer({ minimum: 1, maximum: 65535, description });

/** Some of the network that agents reach, as a rule of a NetworkPolicy. Names of hosts are not possible there. */
export const EgressRule = Type.Object({
  cidr: Cidr('Such as 192.0.2.0/24 or 2001:db8::/32.'),
  except: Type.Optional(Type.Array(Cidr('Within cidr, and closed.'), { maxItems: 50 })),
  ports: Type.Optional(
    Type.Array(
      Type.Object(
        {
          port: Port('The only one, or the first.'),
          endPort: Type.Optional(Port('The last one.')),
          protocol: Type.Optional(Type.Enum(['TCP', 'UDP', 'SCTP'], { default: 'TCP' })),
        },
        {
          'x-kubernetes-validations': [
            {
              rule: '!has(self.endPort) || self.endPort >= self.port',
              message: 'endPort comes after port',
            },
          ] satisfies ValidationRule[],
        },
      ),
      { minItems: 1, maxItems: 50, description: 'Absent: all.' },
    ),
  ),
});
export type EgressRule = Type.Static<typeof EgressRule>;

const Globs = (what: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { maxItems: 200, description: what });
const Money = (description: string) =>
  Type.String({ pattern: '^[0-9]+\\.[0-9]{2}$', maxLength: 16, description: `${description}, USD.` });
const Period = (value: string, description: string) =>
  Type.String({ pattern: '^[0-9]+[dwmy]$', maxLength: 8, default: value, description });
const Events = () =>
  Type.Array(Type.Enum([...NOTIFICATION_EVENTS]), { maxItems: NOTIFICATION_EVENTS.length });

export const NamespacePolicySpec = Type.Object({
  models: Type.Optional(
    Type.Object({
      allowed: Type.Optional(Globs('Globs of model names; absent allows all.')),
      blocked: Type.Optional(Globs('Globs of model names; blocked wins.')),
      budget: Type.Optional(
        Type.Object({
          monthly: Money('Per month'),
          perSession: Type.Optional(
            Money(
              'Limit of a session that sets none itself; absent: DEFAULT_SESSION_BUDGET, at most the monthly one',
            ),
          ),
          currency: Type.Optional(Type.Enum(['USD'], { default: 'USD' })),
          resetDay: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 28, default: 1, description: 'Day of month, UTC.' }),
          ),
        }),
      ),
      providers: Type.Optional(
        Type.Array(ModelProviderAccess, {
          maxItems: 10,
          description: 'Through whom models are reached; a provider that is not here is not reached.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
        }),
      ),
      prices: Type.Optional(
        Type.Array(ModelPrice, {
          maxItems: 100,
          description: "Before the operator's own list. A model without any price is refused.",
        }),
      ),
      whenSpent: Type.Optional(
        Type.Enum([...WHEN_SPENT], {
          default: 'stop',
          description:
            'What becomes of a session that has spent its budget. pause: its calls to models wait for a raise or a stop.',
        }),
      ),
      logPrompts: Type.Optional(
        Type.Boolean({
          default: false,
          description: "Requests to models go into the operator's log, shortened.",
        }),
      ),
    }),
  ),
  tools: Type.Optional(
    Type.Object({
      allowed: Type.Optional(Globs('Tool names; absent allows all.')),
      blocked: Type.Optional(Globs('Tool names; blocked wins.')),
      restrictions: Type.Optional(
        Type.Object({
          network: Type.Optional(
            Type.Boolean({ description: 'No network but the gateway, whatever network.egress opens.' }),
          ),
          fileSystem: Type.Optional(Type.Boolean({ description: 'Writes only below the workspace.' })),
          execution: Type.Optional(Type.Boolean({ description: 'No execution of commands by the agent.' })),
        }),
      ),
    }),
  ),
  network: Type.Optional(
    Type.Object({
      egress: Type.Optional(
        Type.Array(EgressRule, {
          maxItems: 50,
          description:
            "What sessions reach besides the operator and DNS; absent: what the operator's --runner-egress says. The API server and metadata services of clouds are never opened.",
        }),
      ),
    }),
  ),
  isolation: Type.Optional(
    Type.Object({
      runtimeClasses: Type.Optional(
        Type.Object(
          {
            default: Type.Optional(
              RuntimeClassName("Of sessions that name none; absent: the nodes' own runtime."),
            ),
            allowed: Type.Optional(
              Globs('Globs of RuntimeClasses that sessions may name instead; absent: none but the default.'),
            ),
          },
          { description: 'What containers of sessions run in, such as gVisor or Kata Containers.' },
        ),
      ),
    }),
  ),
  inputs: Type.Optional(
    Type.Object({
      claims: Type.Optional(
        Globs('Globs of PersistentVolumeClaims that sessions may read as inputs; absent: none.'),
      ),
    }),
  ),
  results: Type.Optional(
    Type.Object({
      branches: Type.Optional(
        Globs(
          'Globs of new branches that completed sessions may push their changes to, as ambient/*; absent: none.',
        ),
      ),
      pullRequests: Type.Optional(PullRequestAccess),
    }),
  ),
  approval: Type.Optional(
    Type.Object({
      required: Type.Optional(Type.Boolean({ default: false })),
      approvers: Type.Optional(
        Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
          maxItems: 100,
          description: 'Users or groups.',
        }),
      ),
      allowSelfApproval: Type.Optional(
        Type.Boolean({ default: false, description: 'Whoever launched a session may approve it too.' }),
      ),
      autoApprove: Type.Optional(
        Type.Object({
          triggers: Type.Optional(
            Type.Array(Type.Enum([...TRIGGER_SOURCES]), { maxItems: TRIGGER_SOURCES.length }),
          ),
          budget: Type.Optional(Money('Sessions up to this cost')),
        }),
      ),
    }),
  ),
  retention: Type.Optional(
    Type.Object({
      sessions: Type.Optional(Period('90d', 'Finished Session objects.')),
      artifacts: Type.Optional(Period('30d', 'Logs and artifacts.')),
      auditLogs: Type.Optional(Period('7y', 'Audit records.')),
    }),
  ),
  notifications: Type.Optional(
    Type.Object({
      webhooks: Type.Optional(
        Type.Array(
          Type.Object({
            url: Type.String({ maxLength: 2048, pattern: '^https?://[^\\s]+$' }),
            events: Events(),
            headers: Type.Optional(
              Type.Record(Type.String(), Type.String({ maxLength: 4096 }), { maxProperties: 20 }),
            ),
            secret: Type.Optional(
              Type.String({ maxLength: 253, description: 'Secret whose key `secret` signs the body.' }),
            ),
          }),
          { maxItems: 20 },
        ),
      ),
      email: Type.Optional(
        Type.Object({
          enabled: Type.Optional(Type.Boolean({ default: false })),
          recipients: Type.Optional(Type.Array(Type.String({ maxLength: 320 }), { maxItems: 50 })),
          events: Type.Optional(Events()),
        }),
      ),
    }),
  ),
  webhookAuth: Type.Optional(
    Type.Object({
      apiKeys: Type.Optional(
        Type.Record(Type.String(), KeyHash(), {
          maxProperties: 50,
          description: 'Source to digest of its key; never the key.',
        }),
      ),
      keys: Type.Optional(
        Type.Array(WebhookKey, {
          maxItems: WEBHOOK_KEYS_MAX,
          description: 'Keys that are named, may expire, or sign.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['id'],
        }),
      ),
      rateLimit: Type.Optional(
        Type.Object({
          requestsPerMinute: Type.Optional(Type.Integer({ minimum: 1, maximum: 100000, default: 10 })),
          burstSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 100000, default: 20 })),
        }),
      ),
    }),
  ),
  concurrency: Type.Optional(
    Type.Object({
      maxSessions: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: 10000,
          default: DEFAULT_MAX_SESSIONS,
          description: 'Sessions that run at once; more wait.',
        }),
      ),
    }),
  ),
  frameworks: Type.Optional(
    Type.Object({
      allowed: Type.Optional(Globs('Globs of names of frameworks; absent allows all.')),
      blocked: Type.Optional(Globs('Globs of names of frameworks; blocked wins.')),
    }),
  ),
  warmPods: Type.Optional(
    Type.Array(
      Type.Object({
        framework: Type.String({ minLength: 1, maxLength: 63 }),
        version: Type.Optional(
          Type.String({ minLength: 1, maxLength: 63, description: "Absent: the framework's first." }),
        ),
        count: Type.Integer({ minimum: 1, maximum: WARM_PODS_MAX, description: 'Kept ready at a time.' }),
      }),
      {
        maxItems: 10,
        description:
          'Pods that wait for sessions, which then start at once. Each holds what a pod of a session requests, all the time.',
      },
    ),
  ),
});
export type NamespacePolicySpec = Type.Static<typeof NamespacePolicySpec>;

export const NamespacePolicyStatus = Type.Object({
  observedGeneration: Type.Optional(Type.Integer({ minimum: 0 })),
  usage: Type.Optional(
    Type.Object({
      budget: Type.Optional(
        Type.Object({
          currentMonth: Type.String({ maxLength: 32, description: 'USD spent since lastReset.' }),
          lastReset: Timestamp(),
          percentUsed: Type.Number({ minimum: 0 }),
          reserved: Type.Optional(
            Type.String({
              maxLength: 32,
              description: 'USD held for sessions that run, beyond what they have spent.',
            }),
          ),
          carried: Type.Optional(
            Type.String({
              maxLength: 32,
              description: 'The part of currentMonth that was spent by sessions deleted since.',
            }),
          ),
          carriedSessions: Type.Optional(
            Type.Array(Type.String({ maxLength: 64 }), {
              maxItems: 1000,
              description: 'UIDs of sessions counted in carried whose objects may still be there.',
            }),
          ),
        }),
      ),
      sessions: Type.Optional(
        Type.Object({
          active: Type.Integer({ minimum: 0 }),
          waiting: Type.Optional(Type.Integer({ minimum: 0 })),
          total: Type.Integer({ minimum: 0 }),
        }),
      ),
    }),
  ),
  notifications: Type.Optional(
    Type.Object({
      pending: Type.Integer({ minimum: 0 }),
      failed: Type.Integer({ minimum: 0, description: 'Given up since the policy exists.' }),
      deadLetters: Type.Optional(
        Type.Array(
          Type.Object({
            id: Type.String({ maxLength: 64 }),
            event: Type.String({ maxLength: 64 }),
            target: Type.String({ maxLength: 512, description: 'Without what may be secret in it.' }),
            session: Type.Optional(Type.String({ maxLength: 253 })),
            at: Timestamp(),
            reason: Type.String({ maxLength: 1024 }),
          }),
          { maxItems: 20, description: 'The newest.' },
        ),
      ),
      waiting: Type.Optional(
        Type.Array(
          Type.Object({
            target: Type.String({ maxLength: 512 }),
            reason: Type.String({ maxLength: 1024 }),
            since: Timestamp(),
          }),
          { maxItems: 20, description: 'Why some of the pending ones are not delivered yet.' },
        ),
      ),
    }),
  ),
  warmPods: Type.Optional(
    Type.Array(
      Type.Object({
        framework: Type.String({ maxLength: 63 }),
        version: Type.Optional(Type.String({ maxLength: 63 })),
        wanted: Type.Integer({ minimum: 0 }),
        ready: Type.Integer({ minimum: 0 }),
        message: Type.Optional(
          Type.String({ maxLength: 1024, description: 'Why fewer are ready than wanted.' }),
        ),
      }),
      { maxItems: 10, description: 'Of spec.warmPods, in its order.' },
    ),
  ),
  conditions: Type.Optional(
    Type.Array(Condition(POLICY_CONDITIONS), {
      maxItems: 8,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
  ),
});
export type NamespacePolicyStatus = Type.Static<typeof NamespacePolicyStatus>;

export const NAMESPACE_POLICY_RULES: ValidationRule[] = [
  {
    rule: `self.metadata.name == '${POLICY_NAME}'`,
    message: `a namespace has one NamespacePolicy, named ${POLICY_NAME}`,
  },
];

export interface NamespacePolicy extends KubeObject {
  kind: 'NamespacePolicy';
  spec: NamespacePolicySpec;
  status?: NamespacePolicyStatus;
}
