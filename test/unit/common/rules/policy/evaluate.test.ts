/** What a policy allows and forbids, as a table to read; and that nothing a session says can widen its namespace's policy. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { NamespacePolicySpec } from '../../../../../common/api/namespace-policy.ts';
import type { SessionSpec } from '../../../../../common/api/session.ts';
import { formatMoney } from '../../../../../common/rules/money.ts';
import { effectivePolicy } from '../../../../../common/rules/policy/effective.ts';
import { evaluate, TOOLS_MAX, VIOLATIONS_MAX } from '../../../../../common/rules/policy/evaluate.ts';
import { allowsName } from '../../../../../common/rules/policy/narrow.ts';

type Config = Record<string, unknown>;
interface Ask {
  framework?: string;
  config?: Config;
  models?: string[];
  budget?: string;
  tools?: { allowed?: string[]; blocked?: string[] };
  approvalRequired?: boolean;
  source?: SessionSpec['source'];
  runtimeClass?: string;
}

const sessionOf = ({
  framework = 'generic',
  config,
  models,
  budget,
  tools,
  approvalRequired,
  source,
  runtimeClass,
}: Ask): SessionSpec => ({
  framework: { type: framework, ...(config && { config }) },
  policy: {
    modelConstraints: { ...(models && { allowed: models }), ...(budget !== undefined && { budget }) },
    ...(tools && { toolConstraints: tools }),
    ...(approvalRequired !== undefined && { approvalRequired }),
  },
  ...(source && { source }),
  ...(runtimeClass !== undefined && { runtimeClassName: runtimeClass }),
});

const model = (name: unknown): Ask => ({ config: { model: name } });
const tools = (...names: unknown[]): Ask => ({ config: { tools: names } });
const models = (allowed?: string[], blocked?: string[]): NamespacePolicySpec => ({
  models: { ...(allowed && { allowed }), ...(blocked && { blocked }) },
});
const toolRules = (allowed?: string[], blocked?: string[]): NamespacePolicySpec => ({
  tools: { ...(allowed && { allowed }), ...(blocked && { blocked }) },
});
const money = (monthly: string, perSession?: string): NamespacePolicySpec => ({
  models: { budget: { monthly, ...(perSession !== undefined && { perSession }) } },
});
const restricted = (name: 'network' | 'fileSystem' | 'execution'): NamespacePolicySpec => ({
  tools: { restrictions: { [name]: true } },
});
const runtimes = (standard?: string, allowed?: string[]): NamespacePolicySpec => ({
  isolation: { runtimeClasses: { ...(standard && { default: standard }), ...(allowed && { allowed }) } },
});
const git: Ask = { source: { type: 'git', git: { url: 'https://example.com/a.git' } } };
const none: Ask = { source: { type: 'none' } };

/** What it is about, the policy, what the session asks for, and `rule ← field` of each refusal; none: allowed. */
type Case = [about: string, policy: NamespacePolicySpec, ask: Ask, ...refusals: string[]];

const MODEL = 'spec.framework.config.model';
const TOOL = 'spec.framework.config.tools[0]';
const OWN_MODEL = 'spec.policy.modelConstraints.allowed[0]';
const OWN_TOOL = 'spec.policy.toolConstraints.allowed[0]';
const BUDGET = 'spec.policy.modelConstraints.budget';
const APPROVAL = 'spec.policy.approvalRequired';

const FRAMEWORK = 'spec.framework.type';

const TABLE: Record<string, Case[]> = {
  'its framework': [
    ['no rules, any framework', {}, { framework: 'x' }],
    ['one of those allowed', { frameworks: { allowed: ['gen*'] } }, {}],
    [
      'none of those allowed',
      { frameworks: { allowed: ['codex'] } },
      {},
      `spec.frameworks.allowed ← ${FRAMEWORK}`,
    ],
    [
      'allowed and blocked',
      { frameworks: { allowed: ['*'], blocked: ['gen*'] } },
      {},
      `spec.frameworks.blocked ← ${FRAMEWORK}`,
    ],
  ],
  'the model it asks for': [
    ['no rules, any model', {}, model('gpt-5')],
    ['no rules, no model', {}, {}],
    ['no rules, a model that is no string', {}, model(5)],
    ['rules, no model: the framework has its own', models(['claude-*']), {}],
    ['literal allowed', models(['claude-sonnet']), model('claude-sonnet')],
    [
      'literal, another model',
      models(['claude-sonnet']),
      model('claude-opus'),
      `spec.models.allowed ← ${MODEL}`,
    ],
    ['literal, a longer model', models(['claude']), model('claude-opus'), `spec.models.allowed ← ${MODEL}`],
    ['glob allowed', models(['claude-*']), model('claude-opus')],
    ['glob that ends otherwise', models(['*-mini']), model('gpt-5-mini')],
    ['glob in the middle', models(['claude-*-4']), model('claude-opus-4')],
    [
      'glob in the middle, another end',
      models(['claude-*-4']),
      model('claude-opus-5'),
      `spec.models.allowed ← ${MODEL}`,
    ],
    ['second of two globs', models(['gpt-*', 'claude-*']), model('claude-opus')],
    ['another case of letters', models(['claude-*']), model('Claude-opus'), `spec.models.allowed ← ${MODEL}`],
    ['nothing allowed', models([]), model('claude-opus'), `spec.models.allowed ← ${MODEL}`],
    ['blocked literal', models(undefined, ['gpt-5']), model('gpt-5'), `spec.models.blocked ← ${MODEL}`],
    ['blocked literal, another model', models(undefined, ['gpt-5']), model('gpt-4')],
    ['blocked glob', models(undefined, ['gpt-*']), model('gpt-4'), `spec.models.blocked ← ${MODEL}`],
    ['blocked wins over allowed', models(['*'], ['gpt-*']), model('gpt-4'), `spec.models.blocked ← ${MODEL}`],
    ['allowed and not blocked', models(['*'], ['gpt-*']), model('claude-opus')],
    [
      'a model that is a glob is no more than its rule',
      models(['claude-*']),
      model('*'),
      `spec.models.allowed ← ${MODEL}`,
    ],
    ['an empty model', models(['claude-*']), model(''), `spec.models.allowed ← ${MODEL}`],
    ['a model that is no string', models(['claude-*']), model(['claude-opus']), `spec.models ← ${MODEL}`],
    ['a model that is null', models(['*']), model(null), `spec.models ← ${MODEL}`],
    ['a model longer than any name', models(['*']), model('x'.repeat(300)), `spec.models ← ${MODEL}`],
    [
      'a model its own limit excludes',
      {},
      { ...model('b'), models: ['a'] },
      `spec.policy.modelConstraints.allowed ← ${MODEL}`,
    ],
    ['a model its own limit includes', {}, { ...model('a1'), models: ['a*'] }],
  ],
  'the models it limits itself to': [
    ['no rules, any limit', {}, { models: ['*'] }],
    ['the same literal', models(['a']), { models: ['a'] }],
    ['a literal within a glob', models(['claude-*']), { models: ['claude-opus'] }],
    ['a narrower glob', models(['claude-*']), { models: ['claude-o*'] }],
    ['the same glob', models(['claude-*']), { models: ['claude-*'] }],
    ['a wider glob', models(['claude-*']), { models: ['*'] }, `spec.models.allowed ← ${OWN_MODEL}`],
    [
      'a glob that only overlaps',
      models(['claude-*']),
      { models: ['*-opus'] },
      `spec.models.allowed ← ${OWN_MODEL}`,
    ],
    ['another literal', models(['a']), { models: ['b'] }, `spec.models.allowed ← ${OWN_MODEL}`],
    [
      'one of two',
      models(['a']),
      { models: ['a', 'b'] },
      'spec.models.allowed ← spec.policy.modelConstraints.allowed[1]',
    ],
    ['a blocked literal', models(undefined, ['a']), { models: ['a'] }, `spec.models.blocked ← ${OWN_MODEL}`],
    [
      'a glob wholly blocked',
      models(undefined, ['gpt-*']),
      { models: ['gpt-5*'] },
      `spec.models.blocked ← ${OWN_MODEL}`,
    ],
    ['a glob partly blocked: the rest may be used', models(undefined, ['gpt-5']), { models: ['gpt-*'] }],
    ['nothing: no model at all', models(['a']), { models: [] }],
  ],
  'the tools it asks for': [
    ['no rules, any tool', {}, tools('Bash')],
    ['no rules, no list', {}, { config: { tools: 'Bash' } }],
    ['a tool allowed', toolRules(['Read', 'Edit']), tools('Edit')],
    ['a tool not allowed', toolRules(['Read']), tools('Bash'), `spec.tools.allowed ← ${TOOL}`],
    ['a tool blocked', toolRules(undefined, ['Bash']), tools('Bash'), `spec.tools.blocked ← ${TOOL}`],
    ['blocked wins', toolRules(['*'], ['Ba*']), tools('Bash'), `spec.tools.blocked ← ${TOOL}`],
    ['a tool with an argument, allowed as the tool', toolRules(['Bash']), tools('Bash(git *)')],
    [
      'a tool with an argument, blocked as the tool',
      toolRules(undefined, ['Bash']),
      tools('Bash(git *)'),
      `spec.tools.blocked ← ${TOOL}`,
    ],
    [
      'one argument allowed, the whole tool asked',
      toolRules(['Bash(git *)']),
      tools('Bash'),
      `spec.tools.allowed ← ${TOOL}`,
    ],
    ['one argument allowed, that asked', toolRules(['Bash(git *)']), tools('Bash(git log)')],
    [
      'all tools asked where some are allowed',
      toolRules(['Read']),
      tools('*'),
      `spec.tools.allowed ← ${TOOL}`,
    ],
    [
      'each refused tool is named',
      toolRules(['R']),
      tools('R', 'B', 'C'),
      'spec.tools.allowed ← spec.framework.config.tools[1]',
      'spec.tools.allowed ← spec.framework.config.tools[2]',
    ],
    [
      'no list where there are rules',
      toolRules(['Read']),
      { config: { tools: 'Read' } },
      'spec.tools ← spec.framework.config.tools',
    ],
    ['something else than a string', toolRules(['Read']), tools({ name: 'Read' }), `spec.tools ← ${TOOL}`],
    [
      'a list beyond reason',
      toolRules(['R']),
      tools(...Array<string>(TOOLS_MAX + 1).fill('R')),
      'spec.tools ← spec.framework.config.tools',
    ],
    [
      'a tool it blocks itself',
      {},
      { ...tools('Bash'), tools: { blocked: ['Bash'] } },
      `spec.policy.toolConstraints.blocked ← ${TOOL}`,
    ],
    [
      'a tool its own limit excludes',
      {},
      { ...tools('Bash'), tools: { allowed: ['Read'] } },
      `spec.policy.toolConstraints.allowed ← ${TOOL}`,
    ],
  ],
  'the tools it limits itself to': [
    ['within the rules', toolRules(['mcp__*']), { tools: { allowed: ['mcp__a__*'] } }],
    [
      'beyond the rules',
      toolRules(['mcp__a*']),
      { tools: { allowed: ['mcp__*'] } },
      `spec.tools.allowed ← ${OWN_TOOL}`,
    ],
    [
      'blocked by the rules',
      toolRules(undefined, ['Bash']),
      { tools: { allowed: ['Bash'] } },
      `spec.tools.blocked ← ${OWN_TOOL}`,
    ],
    ['blocking more is always allowed', toolRules(['Read']), { tools: { blocked: ['*'] } }],
  ],
  'its budget': [
    ['no rules, any amount', {}, { budget: '999999999.99' }],
    ['less than the month’s', money('100.00'), { budget: '99.99' }],
    ['exactly the month’s', money('100.00'), { budget: '100' }],
    [
      'a cent more than the month’s',
      money('100.00'),
      { budget: '100.01' },
      `spec.models.budget.monthly ← ${BUDGET}`,
    ],
    ['more than what sessions get that name none', money('100.00', '1.00'), { budget: '2.5' }],
    ['nothing at all', money('100.00'), { budget: '0.00' }],
    ['a month without money', money('0.00'), { budget: '0.01' }, `spec.models.budget.monthly ← ${BUDGET}`],
    ['more than floats can tell apart', money('90071992547.41'), { budget: '999999999.99' }],
    ['three decimals', money('1.00'), { budget: '0.001' }, `spec.models.budget ← ${BUDGET}`],
    ['a sign', {}, { budget: '-1.00' }, `spec.models.budget ← ${BUDGET}`],
    ['an exponent', {}, { budget: '1e3' }, `spec.models.budget ← ${BUDGET}`],
    ['no number', {}, { budget: '' }, `spec.models.budget ← ${BUDGET}`],
  ],
  'approval and restrictions': [
    ['approval asked for where none is needed', {}, { approvalRequired: true }],
    ['no approval where none is needed', {}, { approvalRequired: false }],
    ['approval where it is needed', { approval: { required: true } }, { approvalRequired: true }],
    ['no word where it is needed', { approval: { required: true } }, {}],
    [
      'no approval where it is needed',
      { approval: { required: true } },
      { approvalRequired: false },
      `spec.approval.required ← ${APPROVAL}`,
    ],
    ['a clone where there is network', {}, git],
    [
      'a clone where there is none',
      restricted('network'),
      git,
      'spec.tools.restrictions.network ← spec.source.type',
    ],
    ['an empty workspace where there is no network', restricted('network'), none],
    [
      'a tool that executes',
      restricted('execution'),
      tools('Bash'),
      `spec.tools.restrictions.execution ← ${TOOL}`,
    ],
    [
      'a tool that executes, with an argument',
      restricted('execution'),
      tools('Bash(ls)'),
      `spec.tools.restrictions.execution ← ${TOOL}`,
    ],
    [
      'all tools, which include such',
      restricted('execution'),
      tools('*'),
      `spec.tools.restrictions.execution ← ${TOOL}`,
    ],
    ['a tool that executes nothing', restricted('execution'), tools('Read')],
    ['files are the pod’s business', restricted('fileSystem'), tools('Write')],
  ],
  'its RuntimeClass': [
    ['none where there is a default', runtimes('gvisor'), {}],
    ['the default by its name', runtimes('gvisor'), { runtimeClass: 'gvisor' }],
    ['one of those allowed', runtimes('gvisor', ['kata*']), { runtimeClass: 'kata-fc' }],
    [
      'one that is not',
      runtimes('gvisor', ['kata*']),
      { runtimeClass: 'nvidia' },
      'spec.isolation.runtimeClasses.allowed ← spec.runtimeClassName',
    ],
    [
      'any where policy says nothing',
      {},
      { runtimeClass: 'gvisor' },
      'spec.isolation.runtimeClasses.allowed ← spec.runtimeClassName',
    ],
  ],
  'several things at once': [
    [
      'are all named',
      { ...models(['a']), approval: { required: true }, tools: { restrictions: { network: true } } },
      { ...model('b'), approvalRequired: false, ...git },
      `spec.models.allowed ← ${MODEL}`,
      `spec.approval.required ← ${APPROVAL}`,
      'spec.tools.restrictions.network ← spec.source.type',
    ],
  ],
};

const verdictOf = (policy: NamespacePolicySpec, ask: Ask) =>
  evaluate(sessionOf(ask), effectivePolicy(policy));

describe('a policy, by', () => {
  assert.ok(Object.values(TABLE).flat().length >= 60);
  for (const [group, cases] of Object.entries(TABLE))
    describe(group, () => {
      for (const [about, policy, ask, ...expected] of cases)
        it(`${about} → ${expected.length === 0 ? 'allowed' : expected.join('; ')}`, () => {
          const { violations } = verdictOf(policy, ask);
          assert.deepEqual(
            violations.map(({ rule, field }) => `${rule} ← ${field}`),
            expected,
          );
          for (const { message, rule, field, value } of violations)
            for (const part of [rule, field, value]) assert.ok(message.includes(part), message);
        });
    });

  it('says rule, value and what is allowed in one sentence', () => {
    const [first] = verdictOf(models(['claude-*', 'gpt-5'], ['gpt-*']), model('gpt-5')).violations;
    assert.deepEqual(first, {
      rule: 'spec.models.blocked',
      field: MODEL,
      value: 'gpt-5',
      allowed: ['claude-*'],
      message: `${MODEL} is "gpt-5": spec.models.blocked of the namespace's policy blocks it by "gpt-*". Allowed: claude-*.`,
    });
    const [second] = verdictOf(money('10.00'), { budget: '11' }).violations;
    assert.equal(
      second?.message,
      `${BUDGET} is "11": spec.models.budget.monthly of the namespace's policy is 10.00. Allowed: an amount of USD such as 5.00, at most 10.00.`,
    );
  });

  it('stays short and in one line whatever is asked for', () => {
    const { violations } = verdictOf(models(['a']), {
      models: Array.from({ length: 100 }, (_, index) => `evil\u001b[31m\n${'x'.repeat(200)}${index}`),
    });
    assert.equal(violations.length, VIOLATIONS_MAX);
    for (const { message } of violations) {
      assert.ok(message.length < 600, message);
      assert.doesNotMatch(message, /[\u0000-\u001f]/);
    }
  });

  const globs = fc.array(
    fc.string({ unit: fc.constantFrom('a', 'b', '*', '('), minLength: 1, maxLength: 4 }),
    { maxLength: 3 },
  );
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 });
  const usd = fc.integer({ min: 0, max: 9999 }).map((cents) => (cents / 100).toFixed(2));
  const policies = fc
    .record({
      allowed: optional(globs),
      blocked: optional(globs),
      monthly: optional(usd),
      required: fc.boolean(),
    })
    .map(({ allowed, blocked, monthly, required }): NamespacePolicySpec => ({
      models: { ...models(allowed, blocked).models, ...(monthly && { budget: { monthly } }) },
      ...toolRules(allowed, blocked),
      approval: { required },
    }));
  const asks = fc.record(
    {
      models: globs,
      tools: fc.record({ allowed: globs, blocked: globs }, { requiredKeys: [] }),
      budget: usd,
      approvalRequired: fc.boolean(),
    },
    { requiredKeys: [] },
  );

  it('lets nothing through that its namespace would not: what is allowed is within every rule', () => {
    let allowed = 0;
    fc.assert(
      fc.property(policies, asks, name, (policy, ask, wanted) => {
        const { violations } = verdictOf(policy, { ...ask, config: { model: wanted, tools: [wanted] } });
        if (violations.length > 0) return;
        allowed++;
        const outer = effectivePolicy(policy);
        const { session } = evaluate(sessionOf({}), outer);
        assert.ok(allowsName(session.models, wanted) && allowsName(session.tools, wanted), wanted);
        if (outer.approval.required) assert.notEqual(ask.approvalRequired, false);
        if (outer.budget !== undefined && ask.budget !== undefined)
          assert.ok(Number(ask.budget) <= Number(formatMoney(outer.budget.monthly)));
      }),
      { numRuns: 5000 },
    );
    assert.ok(allowed > 40, `only ${allowed} of the cases were allowed`);
  });

  it('lets no list of a session name what its namespace does not allow', () => {
    fc.assert(
      fc.property(policies, asks, name, (policy, ask, any) => {
        const { violations, session } = verdictOf(policy, ask);
        const { session: wide } = evaluate(sessionOf({}), effectivePolicy(policy));
        if (violations.length > 0 || ask.models === undefined) return;
        // Not the narrowed policy alone: the session's own list by itself stays within its namespace's, but for what is blocked.
        const own = { allowed: [ask.models], blocked: wide.models.blocked };
        if (allowsName(own, any)) assert.ok(allowsName(wide.models, any));
        if (allowsName(session.models, any)) assert.ok(allowsName(wide.models, any));
      }),
      { numRuns: 5000 },
    );
  });

  it('never refuses less for a session that asks for more, nor under a policy that allows less', () => {
    fc.assert(
      fc.property(policies, asks, name, (policy, ask, wanted) => {
        const config = { model: wanted };
        const isAllowed = (rules: NamespacePolicySpec): boolean =>
          verdictOf(rules, { ...ask, config }).violations.length === 0;
        const blockedToo: NamespacePolicySpec = {
          ...policy,
          models: { ...policy.models, blocked: [...(policy.models?.blocked ?? []), 'b*'] },
        };
        if (isAllowed(blockedToo)) assert.ok(isAllowed(policy));
      }),
      { numRuns: 3000 },
    );
  });
});
