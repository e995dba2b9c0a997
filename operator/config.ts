/** The operator's settings: one table of options, each a flag and an environment variable, checked before anything starts. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { HAND_IN_SECONDS } from '../common/api/runner.ts';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../common/api/names.ts';
import { AmbientError } from '../common/errors.ts';
import { parseCidr } from '../common/rules/cidr.ts';
import type { AddressRules } from './record/notifications/addresses.ts';
import { listOf } from './record/notifications/addresses.ts';
import { isMailAddress, SMTP_SECURITY } from './record/notifications/mail.ts';
import type { SmtpSettings } from './record/notifications/mail.ts';
import { OIDC_ALGORITHMS } from './serve/identity/oidc.ts';
import type { OidcSettings } from './serve/identity/oidc.ts';
import { readStoreConfig, STORE_OPTIONS } from './store-config.ts';
import type { StoreConfig } from './store-config.ts';

const ON_AUDIT_FAILURE = ['stop', 'continue'] as const;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

/** Times in seconds. `undefined` defaults are computed from other options or the environment. */
const OPTIONS = {
  kubeconfig: { kind: 'text', about: 'Path of a kubeconfig; absent: the ServiceAccount of the pod.' },
  context: { kind: 'text', about: 'Context of the kubeconfig; absent: its current one.' },
  namespace: {
    kind: 'text',
    about: `Of the operator itself. Default: POD_NAMESPACE, or ${OPERATOR_NAMESPACE}.`,
  },
  ...STORE_OPTIONS,
  'listen-address': { kind: 'text', default: '0.0.0.0', about: 'Address all doors listen on.' },
  'live-port': {
    kind: 'port',
    default: 8443,
    about: 'The aggregated API, called by kube-apiserver. 0: any free port.',
  },
  'runner-port': { kind: 'port', default: 8444, about: 'Where runner pods report. 0: any free port.' },
  'admission-port': {
    kind: 'port',
    default: 9443,
    about: 'Admission, called by kube-apiserver. 0: any free port.',
  },
  'rest-port': {
    kind: 'port',
    default: 8447,
    about: 'The REST API, for people and tools without a kubeconfig. 0: any free port.',
  },
  'rest-url': {
    kind: 'text',
    about: 'How people reach the REST API, for links in its answers. Default: as each request says.',
  },
  'rest-per-second': {
    kind: 'count',
    default: 500,
    about: 'Requests of one address that the REST API takes in a second; four times as many at once.',
  },
  'rest-trusted-proxies': {
    kind: 'text',
    about: 'Comma-separated CIDRs of proxies whose X-Forwarded-For the REST API believes.',
  },
  'oidc-issuer-url': {
    kind: 'text',
    about: 'OpenID Connect provider whose tokens the REST API takes, beside those of the cluster.',
  },
  'oidc-client-id': {
    kind: 'text',
    about: 'For whom its tokens must be meant (aud); several with commas in between.',
  },
  'oidc-username-claim': { kind: 'text', default: 'sub', about: 'Claim that names the user.' },
  'oidc-username-prefix': {
    kind: 'text',
    about: 'Before user names; - for none. Default: none for email, else the issuer and #.',
  },
  'oidc-groups-claim': { kind: 'text', about: 'Claim with the groups of the user; absent: no groups.' },
  'oidc-groups-prefix': { kind: 'text', about: 'Before the names of groups.' },
  'oidc-ca-file': { kind: 'text', about: 'PEM file of whom to trust at the provider.' },
  'oidc-signing-algs': {
    kind: 'text',
    default: 'RS256',
    about: `Comma-separated, of ${OIDC_ALGORITHMS.join(', ')}.`,
  },
  'health-port': { kind: 'port', default: 8080, about: 'Liveness, readiness and metrics. 0: any free port.' },
  'runner-url': {
    kind: 'text',
    about: `How pods reach the runner port. Default: https://${OPERATOR_NAME}.NAMESPACE.svc:RUNNER-PORT.`,
  },
  'runner-egress': {
    kind: 'text',
    default: '0.0.0.0/0,::/0',
    about:
      "Comma-separated CIDRs that runner pods reach where their namespace's policy has no network.egress; none: only the operator and DNS.",
  },
  'runner-closed-cidrs': {
    kind: 'text',
    about:
      'Comma-separated CIDRs that runner pods do not reach whatever is opened, such as those of pods, services and nodes. The API server, link-local addresses and those of cloud metadata they never reach.',
  },
  workers: { kind: 'count', default: 20, about: 'Sessions that are looked at at the same time.' },
  'leader-election': {
    kind: 'switch',
    default: true,
    about: 'Only one of several operators runs the controllers.',
  },
  identity: {
    kind: 'text',
    about: 'Name in the lease. Default: POD_NAME, or the host name and random letters.',
  },
  'lease-seconds': { kind: 'seconds', default: 15, about: 'How long a leader that died is waited for.' },
  'drain-seconds': { kind: 'seconds', default: 20, about: 'How long work under way may take after SIGTERM.' },
  'start-patience-seconds': {
    kind: 'seconds',
    default: 300,
    about: 'How long an image may fail to be pulled before the session fails.',
  },
  'source-patience-seconds': {
    kind: 'seconds',
    default: 900,
    about: 'How long a session waits for its upload.',
  },
  'framework-patience-seconds': {
    kind: 'seconds',
    default: 3,
    about: 'How long a session waits for a framework that does not exist.',
  },
  'stop-slack-seconds': {
    kind: 'seconds',
    default: HAND_IN_SECONDS + 30,
    about: 'Beyond the grace period of a stop, until the pod is taken away.',
  },
  'sweep-seconds': {
    kind: 'seconds',
    default: 600,
    about: 'How often data is looked for whose session is gone, and how old it must be.',
  },
  'audit-failure': {
    kind: 'choice',
    default: 'stop',
    about:
      'When a record cannot be written. stop: nothing is decided or shown; continue: it goes on, and the gap is recorded.',
  },
  provenance: {
    kind: 'switch',
    default: true,
    about: 'What sessions make is vouched for by a signed statement beside it.',
  },
  'retention-per-second': {
    kind: 'count',
    default: 10,
    about: 'Sessions that retention takes something of in a second, at most.',
  },
  'notify-allow': {
    kind: 'text',
    about:
      'Networks that webhooks may go to although they are not of the public internet, such as 10.1.0.0/16,fd00:1::/64.',
  },
  'notify-http': {
    kind: 'switch',
    default: false,
    about: 'Webhooks may go to http:// URLs: what they say can be read on the way.',
  },
  'models-allow': {
    kind: 'text',
    about:
      'Networks in which providers of models may be although they are not of the public internet, such as 10.1.0.0/16,fd00:1::/64.',
  },
  'models-http': {
    kind: 'switch',
    default: false,
    about: 'Providers of models may have http:// addresses: prompts and keys can be read on the way.',
  },
  'smtp-host': { kind: 'text', about: 'Mail server for notifications; absent: no email.' },
  'smtp-port': { kind: 'port', default: 587, about: 'Of the mail server.' },
  'smtp-security': {
    kind: 'text',
    default: 'starttls',
    about: `${SMTP_SECURITY.join(', ')}: starttls never falls back to sending in the clear.`,
  },
  'smtp-user': {
    kind: 'text',
    about: 'For the mail server; its password comes from the environment alone [AMBIENT_SMTP_PASSWORD].',
  },
  'smtp-from': { kind: 'text', about: 'Address that email comes from.' },
  'log-level': { kind: 'level', default: 'info', about: LOG_LEVELS.join(', ') },
} as const satisfies Record<string, Option>;

interface Option {
  kind: 'text' | 'port' | 'count' | 'switch' | 'seconds' | 'level' | 'choice';
  default?: string | number | boolean;
  about: string;
}

type OptionName = keyof typeof OPTIONS;

export interface Config {
  kubeconfig: string | undefined;
  context: string | undefined;
  namespace: string;
  store: StoreConfig;
  listenAddress: string;
  livePort: number;
  runnerPort: number;
  admissionPort: number;
  restPort: number;
  /** Undefined: as each request says. */
  restUrl: string | undefined;
  restPerSecond: number;
  restTrustedProxies: string[];
  oidc: OidcConfig | undefined;
  healthPort: number;
  /** Undefined until the port is known, when that is 0. */
  runnerUrl: string | undefined;
  runnerEgress: string[];
  runnerClosedCidrs: string[];
  workers: number;
  leaderElection: boolean;
  identity: string;
  leaseMs: number;
  drainMs: number;
  startPatienceMs: number;
  sourcePatienceMs: number;
  frameworkPatienceMs: number;
  stopSlackMs: number;
  sweepMs: number;
  auditFailure: (typeof ON_AUDIT_FAILURE)[number];
  provenance: boolean;
  retentionPerSecond: number;
  notify: AddressRules;
  models: AddressRules;
  smtp: SmtpSettings | undefined;
  logLevel: (typeof LOG_LEVELS)[number];
}

/** As it is configured: the authority is still a file. */
export type OidcConfig = Omit<OidcSettings, 'ca'> & { caFile: string | undefined };

export type Environment = Readonly<Record<string, string | undefined>>;

const variableOf = (name: string): string => `AMBIENT_${name.toUpperCase().replaceAll('-', '_')}`;

/** A flag wins over its variable. Throws AmbientError `invalid_request` that names every option that is wrong. */
export function readConfig(args: readonly string[], env: Environment): Config {
  const problems: string[] = [];
  const flags = readFlags(args, problems);
  const raw = (name: OptionName): string | undefined => {
    const value = flags[name] ?? env[variableOf(name)];
    return value === '' ? undefined : value;
  };
  const fallback = (name: OptionName): unknown => (OPTIONS[name] as Option).default;
  const wrong = (name: OptionName, value: string, expected: string): void => {
    problems.push(`--${name} (${variableOf(name)}) is ${JSON.stringify(value)}, but must be ${expected}`);
  };
  const text = (name: OptionName): string | undefined => raw(name) ?? (fallback(name) as string | undefined);
  const number = (name: OptionName, min: number, max: number, whole: boolean): number => {
    const value = raw(name);
    if (value === undefined) return fallback(name) as number;
    const parsed = Number(value);
    if (!Number.isFinite(parsed) || parsed < min || parsed > max || (whole && !Number.isInteger(parsed)))
      wrong(name, value, `a ${whole ? 'whole ' : ''}number from ${min} to ${max}`);
    return parsed;
  };
  const port = (name: OptionName): number => number(name, 0, 65535, true);
  const milliseconds = (name: OptionName): number => number(name, 0, 31_536_000, false) * 1000;
  const choice = <T extends string>(name: OptionName, choices: readonly T[]): T => {
    const value = text(name) ?? '';
    const found = choices.find((candidate) => candidate === value);
    if (found === undefined) wrong(name, value, `one of ${choices.join(', ')}`);
    return found ?? (choices[0] as T);
  };

  const namespace = text('namespace') ?? env['POD_NAMESPACE'] ?? OPERATOR_NAMESPACE;
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace))
    wrong('namespace', namespace, 'the name of a namespace');
  const runnerPort = port('runner-port');
  const runnerUrl =
    text('runner-url') ??
    (runnerPort === 0 ? undefined : `https://${OPERATOR_NAME}.${namespace}.svc:${runnerPort}`);
  if (runnerUrl !== undefined && !(URL.canParse(runnerUrl) && runnerUrl.startsWith('https://')))
    wrong('runner-url', runnerUrl, 'an https:// URL');
  const listed = (name: OptionName): string[] =>
    (text(name) ?? '').split(',').flatMap((each) => (each.trim() === '' ? [] : [each.trim()]));
  const cidrs = (name: OptionName): string[] => {
    const noCidr = listed(name).find((each) => parseCidr(each) === undefined);
    if (noCidr !== undefined) wrong(name, noCidr, 'CIDRs such as 10.0.0.0/8,fd00::/8');
    return listed(name);
  };
  const restUrl = text('rest-url');
  if (restUrl !== undefined && !(URL.canParse(restUrl) && /^https?:\/\//.test(restUrl)))
    wrong('rest-url', restUrl, 'an https:// URL');
  const oidc = (): OidcConfig | undefined => {
    const issuer = text('oidc-issuer-url');
    if (issuer === undefined) return undefined;
    const audiences = listed('oidc-client-id');
    const algorithms = listed('oidc-signing-algs');
    const usernameClaim = text('oidc-username-claim') ?? '';
    const prefix = text('oidc-username-prefix') ?? (usernameClaim === 'email' ? '-' : `${issuer}#`);
    const groupsPrefix = text('oidc-groups-prefix') ?? '';
    if (!(URL.canParse(issuer) && issuer.startsWith('https://')))
      wrong('oidc-issuer-url', issuer, 'an https:// URL');
    if (audiences.length === 0) wrong('oidc-client-id', '', 'set when there is an oidc-issuer-url');
    const unknown = algorithms.find((each) => !OIDC_ALGORITHMS.includes(each));
    if (unknown !== undefined || algorithms.length === 0)
      wrong('oidc-signing-algs', unknown ?? '', `of ${OIDC_ALGORITHMS.join(', ')}`);
    for (const [name, value] of [
      ['oidc-username-prefix', prefix],
      ['oidc-groups-prefix', groupsPrefix],
    ] as const)
      if (value.startsWith('system:')) wrong(name, value, 'something that does not begin with system:');
    return {
      issuer,
      audiences,
      usernameClaim,
      usernamePrefix: prefix === '-' ? '' : prefix,
      groupsClaim: text('oidc-groups-claim'),
      groupsPrefix,
      caFile: text('oidc-ca-file'),
      algorithms,
    };
  };
  const networks = (name: OptionName): AddressRules['allowed'] => {
    const value = text(name) ?? '';
    try {
      return listOf(value.split(',').flatMap((each) => (each.trim() === '' ? [] : [each.trim()])));
    } catch {
      wrong(name, value, 'networks such as 10.1.0.0/16, with commas in between');
      return listOf([]);
    }
  };
  const smtp = (): SmtpSettings | undefined => {
    const host = text('smtp-host');
    if (host === undefined) return undefined;
    const from = text('smtp-from') ?? '';
    if (!isMailAddress(from)) wrong('smtp-from', from, 'an email address when there is an smtp-host');
    return {
      host,
      port: port('smtp-port'),
      security: choice('smtp-security', SMTP_SECURITY),
      user: text('smtp-user'),
      // Flags can be read by every process of the machine.
      password: env['AMBIENT_SMTP_PASSWORD'],
      from,
    };
  };
  const config: Config = {
    kubeconfig: text('kubeconfig'),
    context: text('context'),
    namespace,
    store: readStoreConfig(raw, wrong, env),
    listenAddress: text('listen-address') ?? '',
    livePort: port('live-port'),
    runnerPort,
    admissionPort: port('admission-port'),
    restPort: port('rest-port'),
    restUrl: restUrl?.replace(/\/+$/, ''),
    restPerSecond: number('rest-per-second', 1, 1_000_000, true),
    restTrustedProxies: cidrs('rest-trusted-proxies'),
    oidc: oidc(),
    healthPort: port('health-port'),
    runnerUrl: runnerUrl?.replace(/\/+$/, ''),
    runnerEgress: text('runner-egress') === 'none' ? [] : cidrs('runner-egress'),
    runnerClosedCidrs: cidrs('runner-closed-cidrs'),
    workers: number('workers', 1, 1000, true),
    leaderElection: choiceOf(raw('leader-election') ?? 'true', (value) =>
      wrong('leader-election', value, 'true or false'),
    ),
    identity: text('identity') ?? env['POD_NAME'] ?? `${hostname()}-${randomBytes(4).toString('hex')}`,
    leaseMs: number('lease-seconds', 1, 3600, false) * 1000,
    drainMs: milliseconds('drain-seconds'),
    startPatienceMs: milliseconds('start-patience-seconds'),
    sourcePatienceMs: milliseconds('source-patience-seconds'),
    frameworkPatienceMs: milliseconds('framework-patience-seconds'),
    stopSlackMs: milliseconds('stop-slack-seconds'),
    sweepMs: milliseconds('sweep-seconds'),
    auditFailure: choice('audit-failure', ON_AUDIT_FAILURE),
    provenance: choiceOf(raw('provenance') ?? 'true', (value) => wrong('provenance', value, 'true or false')),
    retentionPerSecond: number('retention-per-second', 1, 1000, true),
    notify: {
      allowed: networks('notify-allow'),
      plainHttp: choiceOf(raw('notify-http') ?? 'false', (value) =>
        wrong('notify-http', value, 'true or false'),
      ),
    },
    models: {
      allowed: networks('models-allow'),
      plainHttp: choiceOf(raw('models-http') ?? 'false', (value) =>
        wrong('models-http', value, 'true or false'),
      ),
    },
    smtp: smtp(),
    logLevel: choice('log-level', LOG_LEVELS),
  };
  if (problems.length > 0) throw new AmbientError('invalid_request', problems.join('; '));
  return config;
}

const choiceOf = (value: string, wrong: (value: string) => void): boolean => {
  if (value !== 'true' && value !== 'false') wrong(value);
  return value !== 'false';
};

function readFlags(args: readonly string[], problems: string[]): Partial<Record<OptionName, string>> {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: Object.fromEntries(Object.keys(OPTIONS).map((name) => [name, { type: 'string' as const }])),
      strict: true,
      allowPositionals: false,
    });
    return values;
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
    return {};
  }
}

/** For --help. */
export function describeOptions(): string {
  return Object.entries(OPTIONS as Record<string, Option>)
    .map(([name, { default: value, about }]) => {
      const usual = value === undefined ? '' : ` Default: ${value}.`;
      return `  --${name.padEnd(28)} ${about}${usual} [${variableOf(name)}]`;
    })
    .join('\n');
}
