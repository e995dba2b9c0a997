/**
 * Whether a namespace's policy lets a session be launched: the one answer that admission, the controller, REST and the launch
 * form give. Pure, and nothing is compiled or kept between calls.
 *
 * What a session asks for stands in its own `spec.policy` and, by convention of all frameworks, in two fields of
 * `spec.framework.config`: `model`, a string, and `tools`, a list of strings. A tool with an argument, `Bash(git *)`, is
 * allowed where the tool is, and blocked where the tool is.
 *
 * Restrictions: `network` leaves the pod nothing but the operator, so a source that must be cloned is refused; `execution`
 * refuses frameworks that execute commands and the tools by which agents run them; `fileSystem` forbids nothing a session can ask for, the pod enforces it.
 */
import type { SessionSpec } from '../../api/session.ts';
import { inputsOf } from '../inputs.ts';
import { formatMoney, parseMoney } from '../money.ts';
import { resultBreaches } from '../results.ts';
import type { EffectivePolicy, NameRules } from './effective.ts';
import { coversGlob, matchesAny, matchesGlob } from './glob.ts';
import { narrowedPolicy } from './narrow.ts';
import type { SessionPolicy } from './narrow.ts';
import { executionBreach } from './restrictions.ts';
import { violation } from './violation.ts';
import type { Violation } from './violation.ts';

export interface Verdict {
  /** Empty: allowed. The first VIOLATIONS_MAX. */
  violations: Violation[];
  /** What the session may do, if it is allowed to run. */
  session: SessionPolicy;
}

/** Named in one verdict; a list of thousands helps nobody. */
export const VIOLATIONS_MAX = 20;
/** Entries of config.tools where a policy has something to say about them. */
export const TOOLS_MAX = 200;
/** Longer is no name of a model or tool. */
const NAME_MAX = 253;

/** By which the agents' command line tools let a model execute commands. */
const EXECUTING_TOOLS = [
  ...['Bash', 'bash', 'Shell', 'shell', 'local_shell', 'exec_command', 'execute_command'],
  ...['run_command', 'run_shell_command', 'run_in_terminal', 'terminal', 'Execute', 'execute'],
];

/** @param isExecuting whether the session's framework executes commands; undefined where that is not known */
export function evaluate(spec: SessionSpec, policy: EffectivePolicy, isExecuting?: boolean): Verdict {
  const { modelConstraints, toolConstraints } = spec.policy ?? {};
  const violations = [
    ...asked('frameworks', spec.framework.type, policy.frameworks, undefined),
    ...asked('models', spec.framework.config?.['model'], policy.models, modelConstraints?.allowed),
    ...constrained('models', modelConstraints?.allowed, policy.models),
    ...constrained('tools', toolConstraints?.allowed, policy.tools),
    ...tools(spec, policy),
    ...budget(modelConstraints?.budget, policy),
    ...approval(spec.policy?.approvalRequired, policy),
    ...network(spec, policy),
    ...execution(spec, policy, isExecuting),
    ...runtimeClass(spec, policy),
    ...inputs(spec, policy),
    ...resultBreaches(spec, policy).map(violation),
  ];
  return { violations: violations.slice(0, VIOLATIONS_MAX), session: narrowedPolicy(spec, policy) };
}

type Kind = 'models' | 'tools' | 'frameworks';

const FIELDS = {
  models: { asked: 'spec.framework.config.model', own: 'spec.policy.modelConstraints' },
  tools: { asked: 'spec.framework.config.tools', own: 'spec.policy.toolConstraints' },
  // A session has no list of its own.
  frameworks: { asked: 'spec.framework.type', own: 'spec.policy' },
} as const satisfies Record<Kind, object>;

/** One name the session asks for: by the namespace's rules, and by the session's own. */
function asked(
  kind: Kind,
  value: unknown,
  rules: NameRules,
  own: readonly string[] | undefined,
  ownBlocked: readonly string[] = [],
  field: string = FIELDS[kind].asked,
): Violation[] {
  const isFree = rules.allowed === undefined && rules.blocked.length === 0;
  if (value === undefined || (isFree && own === undefined && ownBlocked.length === 0)) return [];
  if (typeof value !== 'string' || value.length > NAME_MAX) {
    const because = `it must be a string of at most ${NAME_MAX} characters`;
    return [violation({ rule: `spec.${kind}`, field, value, allowed: openOf(rules), because })];
  }
  const found = byRules(kind, value, rules, field);
  if (found !== undefined) return [found];
  const { own: path } = FIELDS[kind];
  const mine = { field, value, allowed: own ?? ['*'], whose: 'the session itself' };
  if (own !== undefined && !covered(kind, own, value))
    return [violation({ ...mine, rule: `${path}.allowed`, because: 'does not list it' })];
  if (covered(kind, ownBlocked, value))
    return [violation({ ...mine, rule: `${path}.blocked`, because: 'blocks it' })];
  return [];
}

/** What a session allows itself must be within what its namespace allows. */
const constrained = (kind: Kind, own: readonly string[] | undefined, rules: NameRules): Violation[] =>
  (own ?? [])
    .map((glob, index) => byRules(kind, glob, rules, `${FIELDS[kind].own}.allowed[${index}]`))
    .filter((found) => found !== undefined);

function byRules(kind: Kind, glob: string, rules: NameRules, field: string): Violation | undefined {
  const against = (list: keyof NameRules, because: string): Violation =>
    violation({ rule: `spec.${kind}.${list}`, field, value: glob, allowed: openOf(rules), because });
  // Blocked wins, and is named first for that.
  const blocking = rules.blocked.find((outer) => covered(kind, [outer], glob));
  if (blocking !== undefined) return against('blocked', `blocks it by "${blocking}"`);
  if (rules.allowed !== undefined && !covered(kind, rules.allowed, glob))
    return against('allowed', 'does not cover it');
  return undefined;
}

/** `Bash(git *)` as it stands, and as the tool it is. */
const readings = (kind: Kind, name: string): string[] => {
  const paren = kind === 'tools' ? name.indexOf('(') : -1;
  return paren > 0 ? [name, name.slice(0, paren)] : [name];
};
/** By one of the globs alone: what only several together cover is refused. */
const covered = (kind: Kind, globs: readonly string[], name: string): boolean =>
  readings(kind, name).some((each) => globs.some((glob) => coversGlob(glob, each)));

/** The globs that blocked ones leave something of. */
const openOf = ({ allowed, blocked }: NameRules): string[] =>
  (allowed ?? ['*']).filter((glob) => !blocked.some((outer) => coversGlob(outer, glob)));

function tools({ framework, policy: own }: SessionSpec, { tools: rules, restrictions }: EffectivePolicy) {
  const wanted = framework.config?.['tools'];
  const { allowed, blocked } = own?.toolConstraints ?? {};
  const isFree = rules.allowed === undefined && rules.blocked.length === 0 && !restrictions.execution;
  if (wanted === undefined || (isFree && allowed === undefined && blocked === undefined)) return [];
  const { asked: field } = FIELDS.tools;
  if (!Array.isArray(wanted) || wanted.length > TOOLS_MAX) {
    const because = `it must be a list of at most ${TOOLS_MAX} strings`;
    return [violation({ rule: 'spec.tools', field, value: wanted, allowed: openOf(rules), because })];
  }
  return wanted.flatMap((tool: unknown, index) => {
    const at = `${field}[${index}]`;
    const found = asked('tools', tool, rules, allowed, blocked, at);
    if (!restrictions.execution || typeof tool !== 'string' || found.length > 0) return found;
    const executes = EXECUTING_TOOLS.some((name) =>
      readings('tools', tool).some((each) => matchesGlob(each, name)),
    );
    if (!executes) return found;
    const rule = 'spec.tools.restrictions.execution';
    const because = 'is true, and it executes commands';
    return [violation({ rule, field: at, value: tool, allowed: ['tools that execute nothing'], because })];
  });
}

function budget(text: string | undefined, { budget: rules }: EffectivePolicy): Violation[] {
  if (text === undefined) return [];
  const about = { field: 'spec.policy.modelConstraints.budget', value: text };
  const amount = /^\d{1,9}(\.\d{1,2})?$/.test(text) ? parseMoney(text) : undefined;
  const most = rules === undefined ? '999999999.99' : formatMoney(rules.monthly);
  const allowed = [`an amount of USD such as 5.00, at most ${most}`];
  if (amount === undefined)
    return [violation({ ...about, rule: 'spec.models.budget', allowed, because: 'it is no amount' })];
  if (rules === undefined || amount <= rules.monthly) return [];
  const rule = 'spec.models.budget.monthly';
  return [violation({ ...about, rule, allowed, because: `is ${most}` })];
}

function approval(own: boolean | undefined, { approval: { required } }: EffectivePolicy): Violation[] {
  if (own !== false || !required) return [];
  const field = 'spec.policy.approvalRequired';
  const rule = 'spec.approval.required';
  return [violation({ rule, field, value: own, allowed: ['true', 'no value'], because: 'is true' })];
}

function network({ source }: SessionSpec, { restrictions }: EffectivePolicy): Violation[] {
  if (!restrictions.network || source?.type !== 'git') return [];
  const rule = 'spec.tools.restrictions.network';
  const because = 'is true, and a clone needs the network';
  return [violation({ rule, field: 'spec.source.type', value: 'git', allowed: ['none', 'upload'], because })];
}

function inputs(spec: SessionSpec, { claims, restrictions }: EffectivePolicy): Violation[] {
  const { inputs: all, mistakes } = inputsOf(spec);
  const at = 'spec.artifacts.references';
  const found = mistakes.map(({ at: where, value, expected }) =>
    violation({ rule: at, field: at + where, value, allowed: [expected], because: 'it cannot be read' }),
  );
  const { storage } = spec.artifacts ?? {};
  const about = { rule: 'spec.artifacts.storage', because: 'it cannot be delivered to' };
  if (storage !== undefined && storage.type !== 's3')
    found.push(
      violation({ ...about, field: 'spec.artifacts.storage.type', value: storage.type, allowed: ['s3'] }),
    );
  else if (storage !== undefined && storage.credentials === undefined)
    found.push(
      violation({
        ...about,
        field: 'spec.artifacts.storage.credentials',
        value: '',
        allowed: ['the name of a Secret'],
      }),
    );
  for (const input of all) {
    const about = { field: at, value: input.name };
    if (input.kind === 'pvc' && !claims.some((glob) => matchesGlob(glob, input.claim)))
      found.push(
        violation({
          ...about,
          rule: 'spec.inputs.claims',
          value: input.claim,
          allowed: claims,
          because: 'does not list it',
        }),
      );
    if (input.kind !== 'pvc' && restrictions.network)
      found.push(
        violation({
          ...about,
          rule: 'spec.tools.restrictions.network',
          allowed: ['inputs of type pvc'],
          because: 'is true, and bringing it needs the network',
        }),
      );
  }
  return found;
}

function execution(
  { framework }: SessionSpec,
  { restrictions }: EffectivePolicy,
  isExecuting: boolean | undefined,
): Violation[] {
  const breach = executionBreach({ name: framework.type, executes: isExecuting === true }, restrictions);
  return breach === undefined ? [] : [violation(breach)];
}

function runtimeClass({ runtimeClassName }: SessionSpec, { runtimeClasses }: EffectivePolicy): Violation[] {
  const { allowed } = runtimeClasses;
  if (runtimeClassName === undefined || matchesAny(allowed, runtimeClassName)) return [];
  const rule = 'spec.isolation.runtimeClasses.allowed';
  const because = 'does not list it';
  return [violation({ rule, field: 'spec.runtimeClassName', value: runtimeClassName, allowed, because })];
}
