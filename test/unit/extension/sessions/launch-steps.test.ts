/** The launch form, answered by a script: which questions are asked, with what to choose from, and what comes of it. */
import assert from 'node:assert/strict';
import type { Framework } from '../../../../common/api/framework.ts';
import type { NamespacePolicySpec } from '../../../../common/api/namespace-policy.ts';
import type { Answer, InputQuestion, PickQuestion, Questions } from '../../../../extension/ide/questions.ts';
import { runWizard } from '../../../../extension/ide/wizard.ts';
import { sessionManifest } from '../../../../extension/sessions/launch-answers.ts';
import type { LaunchAnswers } from '../../../../extension/sessions/launch-answers.ts';
import { LaunchSteps } from '../../../../extension/sessions/launch-steps.ts';
import { noPullRequest, pushingFrom } from '../../../../extension/sessions/launch-result.ts';
import { runtimeFixed } from '../../../../extension/sessions/launch-runtime.ts';
import { LaunchPolicy } from '../../../../extension/sessions/policy-check.ts';
import { aPolicy } from '../../../support/fixtures.ts';
import type { Draft, LaunchOffers } from '../../../../extension/sessions/launch-draft.ts';

type Line = string | { back: true } | { cancel: true } | { wrong: string; then: string };

/** Answers picks by label and inputs by text, and writes down what it was asked. */
class Script implements Questions {
  readonly asked: string[] = [];
  readonly #lines: Line[];

  constructor(lines: Line[]) {
    this.#lines = [...lines];
  }

  async pick<T>(question: PickQuestion<T>): Promise<Answer<T>> {
    const choices = await question.choices;
    const marked = choices.map(
      ({ label, value, description }) =>
        `${question.active?.(value) === true ? '*' : ''}${label}${description ? ` (${description})` : ''}`,
    );
    this.asked.push(`${question.step}/${question.total} ${question.placeholder} [${marked.join(' | ')}]`);
    const line = this.#next();
    if (typeof line !== 'string') return control(line);
    const choice = choices.find(({ label }) => label === line);
    assert.ok(choice, `${line} is not offered by: ${this.asked.at(-1) ?? ''}`);
    return { go: 'next', value: choice.value };
  }

  async input(question: InputQuestion): Promise<Answer<string>> {
    this.asked.push(`${question.step}/${question.total} ${question.prompt} [${question.value ?? ''}]`);
    const line = this.#next();
    if (typeof line === 'string') {
      const text = line === '↵' ? (question.value ?? '') : line;
      assert.equal(question.check?.(text), undefined, `${text} was accepted`);
      return { go: 'next', value: text };
    }
    if (!('wrong' in line)) return control(line);
    assert.notEqual(question.check?.(line.wrong), undefined, `${line.wrong} was refused`);
    assert.equal(question.check?.(line.then), undefined);
    return { go: 'next', value: line.then };
  }

  get left(): number {
    return this.#lines.length;
  }

  #next(): Line {
    const line = this.#lines.shift();
    assert.ok(line !== undefined, `no answer for: ${this.asked.at(-1) ?? ''}`);
    return line;
  }
}

const control = (line: Exclude<Line, string>): { go: 'back' } | { go: 'cancel' } =>
  'back' in line ? { go: 'back' } : { go: 'cancel' };

const framework = (name: string, spec: Partial<Framework['spec']> = {}): Framework => ({
  apiVersion: 'ambient.ai/v1alpha1',
  kind: 'Framework',
  metadata: { name },
  spec: { versions: [{ name: '1', image: 'image:1' }], command: ['run'], ...spec },
});

const generic = framework('generic', {
  displayName: 'Command',
  description: 'Runs a shell command.',
  resources: { memory: '1Gi' },
  configSchema: {
    type: 'object',
    required: ['command'],
    properties: {
      command: { type: 'string', minLength: 1, description: 'Run by bash.' },
      args: { type: 'array', items: { type: 'string' } },
      verbose: { type: 'boolean', default: false },
    },
  },
});

const agent = framework('agent', {
  versions: [
    { name: '2.1', image: 'agent:2.1' },
    { name: '1.0', image: 'agent:1.0', deprecated: 'Use 2.1.' },
  ],
  configSchema: {
    type: 'object',
    required: ['prompt', 'effort', 'turns'],
    properties: {
      turns: { type: 'integer', minimum: 1, maximum: 50, default: 10, title: 'Turns' },
      prompt: { type: 'string' },
      effort: { enum: ['low', 'high'], default: 'low' },
    },
  },
});

const offers = (given: Partial<LaunchOffers> = {}): LaunchOffers => ({
  clusters: async () => ['dev', 'prod'],
  namespaces: async () => ({ names: ['demo', 'team-a'], incomplete: false, suggested: 'demo' }),
  frameworks: async () => [agent, generic],
  refusal: async () => undefined,
  policy: async () => undefined,
  folders: () => [{ name: 'project', path: '/home/jo/project' }],
  repository: async () => ({ url: 'https://example.com/team/project.git', ref: 'main' }),
  ...given,
});

const draft = (given: Partial<Draft> = {}): Draft => ({
  answers: {},
  last: {},
  fixed: {},
  clusters: ['dev', 'prod'],
  ...given,
});

async function play(
  lines: Line[],
  start: Draft = draft(),
  given?: Partial<LaunchOffers>,
  from: 'first' | 'last' = 'first',
): Promise<{ asked: string[]; answers: Partial<LaunchAnswers> | undefined }> {
  const script = new Script(lines);
  const steps = new LaunchSteps(script, offers(given));
  const result = await runWizard(steps.of, start, from);
  assert.equal(script.left, 0, 'every answer was asked for');
  return { asked: script.asked, answers: result?.answers };
}

describe('the launch form', () => {
  it('asks where, what, on what, and with which limits', async () => {
    const { asked, answers } = await play([
      'dev',
      'demo',
      'Command',
      { wrong: '', then: 'npm test' },
      'Use defaults',
      '$(folder) This folder as it is now',
      'Use defaults',
      '↵',
    ]);
    assert.deepEqual(asked, [
      '1/7 In which cluster? [*dev | prod]',
      '2/7 In which namespace of dev? [*demo | team-a | $(edit) Another namespace…]',
      '3/7 Which framework runs the session? [agent (2.1) | Command (generic 1)]',
      '4/9 Command: Run by bash. []',
      '5/9 Further options of the framework [*Use defaults | Customise… (Args, Verbose)]',
      '6/9 What does the agent find in its workspace? [$(folder) This folder as it is now (project) | $(repo) A git repository | $(circle-slash) Nothing]',
      '7/9 How long, and how much of the cluster? [*Use defaults (1 h, 1Gi memory) | Customise… (time, memory, CPU)]',
      '8/9 Name to show to people [npm test]',
    ]);
    assert.deepEqual(answers, {
      cluster: 'dev',
      namespace: 'demo',
      framework: 'generic',
      config: { command: 'npm test' },
      source: { type: 'folder', path: '/home/jo/project' },
      displayName: 'npm test',
    });
  });

  it('asks again for a namespace in which one may not launch, and says why', async () => {
    const { asked, answers } = await play(
      [
        'dev',
        'demo',
        'team-a',
        'Command',
        'x',
        'Use defaults',
        '$(circle-slash) Nothing',
        'Use defaults',
        '',
      ],
      draft(),
      {
        refusal: async (_, namespace) =>
          namespace === 'demo' ? 'You may not launch sessions in demo.' : undefined,
      },
    );
    assert.match(asked[2] ?? '', /^2\/7 You may not launch sessions in demo\. \[/);
    assert.equal(answers?.namespace, 'team-a');
  });

  it('holds model and budget to the policy of the namespace where they are given', async () => {
    const model = framework('model', {
      configSchema: {
        type: 'object',
        required: ['prompt', 'model'],
        properties: { prompt: { type: 'string' }, model: { enum: ['claude-sonnet', 'gpt-5'] } },
      },
    });
    const policy = new LaunchPolicy({
      known: 'policy',
      policy: aPolicy('demo', {
        models: { allowed: ['claude-*'], budget: { monthly: '10.00', perSession: '1.00' } },
      }),
    });
    const { asked, answers } = await play(
      [
        'dev',
        'demo',
        'model',
        'Do it',
        'gpt-5',
        'claude-sonnet',
        '$(circle-slash) Nothing',
        'Customise…',
        '',
        '',
        '',
        { wrong: '10.01', then: '2.50' },
        '',
      ],
      draft(),
      { frameworks: async () => [model], policy: async () => policy },
    );
    assert.match(asked[4] ?? '', /Model \[claude-sonnet \| gpt-5 \(not allowed by the policy\)\]$/);
    assert.match(asked[5] ?? '', /config\.model is "gpt-5": spec\.models\.allowed/);
    assert.match(asked.at(-2) ?? '', /Budget in USD, such as 2\.50; empty for the default, 1\.00/);
    const { spec } = sessionManifest(answers as LaunchAnswers, 'x');
    assert.deepEqual(spec.policy, { modelConstraints: { budget: '2.50' } });
    assert.equal(spec.limits, undefined);
  });

  it('holds the framework to the policy of the namespace', async () => {
    const policy = new LaunchPolicy({
      known: 'policy',
      policy: aPolicy('demo', { frameworks: { blocked: ['agent'] } }),
    });
    const { asked, answers } = await play(
      ['dev', 'demo', 'agent', 'Command', 'x', 'Use defaults', '$(circle-slash) Nothing', 'Use defaults', ''],
      draft(),
      { policy: async () => policy },
    );
    assert.match(asked[2] ?? '', /agent \(2\.1 not allowed by the policy\) \| Command/);
    assert.match(asked[3] ?? '', /framework\.type is "agent": spec\.frameworks\.blocked/);
    assert.equal(answers?.framework, 'generic');
  });

  it('asks neither for the one cluster there is nor for a namespace it was started on', async () => {
    const start = draft({
      answers: { cluster: 'dev', namespace: 'team-a' },
      fixed: { cluster: true, namespace: true },
    });
    const { asked, answers } = await play(
      ['Command', 'x', 'Use defaults', '$(circle-slash) Nothing', 'Use defaults', ''],
      start,
    );
    assert.match(asked[0] ?? '', /^1\/5 Which framework/);
    assert.equal(answers?.namespace, 'team-a');
    assert.equal(answers?.displayName, '');
    const one = draft({ clusters: ['only'], answers: { cluster: 'only' } });
    assert.match((await play([{ cancel: true }], one)).asked[0] ?? '', /^1\/6 In which namespace of only/);
  });

  it('renders the fields of the framework: text, number, choice, words, yes or no', async () => {
    const { asked, answers } = await play([
      'dev',
      'demo',
      'agent',
      '1.0',
      { wrong: '51', then: '7' },
      'Fix the tests',
      'high',
      '$(circle-slash) Nothing',
      'Use defaults',
      '↵',
    ]);
    assert.deepEqual(asked.slice(3, 7), [
      '4/11 Which version? [2.1 (default) | 1.0 (deprecated)]',
      '5/11 Turns [10]',
      '6/11 Prompt []',
      '7/11 Effort [*low (default) | high]',
    ]);
    assert.deepEqual(answers?.config, { turns: 7, prompt: 'Fix the tests', effort: 'high' });
    assert.equal(answers?.version, '1.0');
    const optional = await play([
      'dev',
      'demo',
      'Command',
      'make',
      'Customise…',
      { wrong: 'open "quote', then: `all 'two words' "it's"` },
      'Yes',
      '$(circle-slash) Nothing',
      'Use defaults',
      '↵',
    ]);
    assert.deepEqual(optional.answers?.config, {
      command: 'make',
      args: ['all', 'two words', "it's"],
      verbose: true,
    });
  });

  it('goes back over every question, keeping what was answered', async () => {
    const { asked } = await play([
      'dev',
      'demo',
      'Command',
      'first',
      { back: true },
      '↵',
      'Use defaults',
      { back: true },
      { back: true },
      { back: true },
      { back: true },
      'team-a',
      { cancel: true },
    ]);
    assert.match(asked[5] ?? '', /^4\/9 Command: Run by bash\. \[first\]/);
    assert.match(asked.at(-2) ?? '', /In which namespace of dev\? \[\*demo/);
  });

  it('ends when the first question is gone back from, and when one is closed', async () => {
    assert.equal((await play([{ back: true }])).answers, undefined);
    assert.equal((await play(['dev', { cancel: true }])).answers, undefined);
  });

  it('suggests a name that people can see, and takes no other', async () => {
    const start = draft({
      answers: {
        cluster: 'dev',
        namespace: 'demo',
        framework: 'generic',
        config: { command: 'ma\u200bke\nall' },
        source: { type: 'none' },
      },
      chosen: generic,
    });
    const { asked } = await play([{ wrong: 'gpj.\u202etpircs', then: 'Mine' }], start, {}, 'last');
    assert.deepEqual(asked, ['8/9 Name to show to people [make all]']);
  });

  it('comes back to its last question from the review', async () => {
    const start = draft({
      answers: {
        cluster: 'dev',
        namespace: 'demo',
        framework: 'generic',
        config: { command: 'x' },
        source: { type: 'none' },
        displayName: 'Mine',
      },
      chosen: generic,
    });
    const { asked } = await play(['↵'], start, {}, 'last');
    assert.deepEqual(asked, ['8/9 Name to show to people [Mine]']);
  });

  it('takes a git URL and ref, suggesting those of the repository at hand, and no credentials', async () => {
    const where = {
      answers: { cluster: 'dev', namespace: 'demo' },
      fixed: { cluster: true, namespace: true },
    };
    const { asked, answers } = await play(
      [
        'Command',
        'x',
        'Use defaults',
        '$(repo) A git repository',
        { wrong: 'https://jo:secret@example.com/x.git', then: 'git@example.com:team/other.git' },
        { wrong: '--upload-pack=evil', then: 'v1.2' },
        'Use defaults',
        '↵',
      ],
      draft(where),
    );
    assert.ok(!asked.some((line) => line.includes('Secret')), 'ssh has no use for it');
    assert.match(asked[4] ?? '', /URL of the repository.*\[https:\/\/example\.com\/team\/project\.git\]/);
    assert.deepEqual(answers?.source, {
      type: 'git',
      url: 'ssh://git@example.com/team/other.git',
      ref: 'v1.2',
    });
    const suggested = await play(
      ['Command', 'x', 'Use defaults', '$(repo) A git repository', '↵', '↵', '', 'Use defaults', '↵'],
      draft(where),
    );
    assert.deepEqual(suggested.answers?.source, {
      type: 'git',
      url: 'https://example.com/team/project.git',
      ref: 'main',
    });
    const secret = { wrong: 'My Secret', then: 'git-team' };
    const guarded = await play(
      ['Command', 'x', 'Use defaults', '$(repo) A git repository', '↵', '', secret, 'Use defaults', '↵'],
      draft(where),
    );
    assert.deepEqual(sessionManifest(guarded.answers as LaunchAnswers, 'x').spec.source, {
      type: 'git',
      git: { url: 'https://example.com/team/project.git', credentials: 'git-team' },
    });
  });

  it('takes limits of one’s own, checked', async () => {
    const { answers } = await play([
      'dev',
      'demo',
      'Command',
      'x',
      'Use defaults',
      '$(circle-slash) Nothing',
      'Customise…',
      { wrong: 'soon', then: '1h 30m' },
      { wrong: '2 gigs', then: '512Mi' },
      { wrong: '0', then: '500m' },
      '↵',
    ]);
    assert.deepEqual(answers?.limits, { timeoutSeconds: 5400, memory: '512Mi', cpu: '500m' });
  });

  it('asks how long nobody may say anything where people can talk to the agent', async () => {
    const chat = framework('chat', { input: 'messages', displayName: 'Chat' });
    const start = ['dev', 'demo', 'Chat', '$(circle-slash) Nothing'];
    const { asked, answers } = await play(
      [...start, 'Customise…', '↵', { wrong: '8d', then: '5m' }, '↵', '↵', '↵'],
      draft(),
      { frameworks: async () => [chat, generic] },
    );
    assert.match(asked[4] ?? '', /Use defaults \(1 h, 15 min of silence\)/);
    assert.match(asked[6] ?? '', /^7\/\d+ End when nobody has said anything for.*empty for 15 min/);
    assert.deepEqual(answers?.limits, { idleSeconds: 300 });
    // It means nothing to one that does not listen.
    const next = await play(
      ['dev', 'demo', 'Command', 'x', 'Use defaults', '$(circle-slash) Nothing', 'Same as last time', '↵'],
      draft({ last: { limits: { idleSeconds: 300, timeoutSeconds: 60 } } }),
    );
    assert.deepEqual(next.answers?.limits, { timeoutSeconds: 60 });
  });

  describe('and the runtime', () => {
    const customised = async (
      runtimeClasses: { default?: string; allowed?: string[] } | undefined,
      answers: Line[],
    ): ReturnType<typeof play> => {
      const spec = runtimeClasses === undefined ? {} : { isolation: { runtimeClasses } };
      const policy = async (): Promise<LaunchPolicy> =>
        new LaunchPolicy({ known: 'policy', policy: aPolicy('demo', spec) });
      const first = ['dev', 'demo', 'Command', 'x', 'Use defaults', '$(circle-slash) Nothing', 'Customise…'];
      return await play([...first, '', '', '', ...answers, '↵'], draft(), { policy });
    };
    const runtimes = (asked: string[]): string[] =>
      asked.filter((line) => line.includes('runtime')).map((line) => line.replace(/^\S+ /, ''));

    it('asks for it where the policy leaves a choice', async () => {
      const classes = { default: 'gvisor', allowed: ['kata', 'vendor-*'] };
      const named = await customised(classes, ['kata']);
      assert.deepEqual(runtimes(named.asked), [
        'How long, and how much of the cluster? [*Use defaults (1 h, 1Gi memory) | Customise… (time, memory, CPU, runtime)]',
        "In which runtime? [*The namespace's default (gvisor) | kata | $(edit) Another RuntimeClass… (vendor-*)]",
      ]);
      assert.deepEqual(named.answers?.limits, { runtimeClassName: 'kata' });
      const typed = await customised(classes, [
        '$(edit) Another RuntimeClass…',
        { back: true },
        '$(edit) Another RuntimeClass…',
        { wrong: 'runc', then: 'vendor-fc' },
      ]);
      assert.deepEqual(typed.answers?.limits, { runtimeClassName: 'vendor-fc' });
      const standard = await customised(classes, ["The namespace's default"]);
      assert.deepEqual(standard.answers?.limits, {});
    });

    it('says why not where it leaves none', async () => {
      const { asked, answers } = await customised({ default: 'gvisor' }, []);
      assert.deepEqual(runtimes(asked), []);
      assert.deepEqual(answers?.limits, {});
      const told = (isolation: NamespacePolicySpec['isolation']): string | undefined =>
        runtimeFixed(
          draft({
            policy: new LaunchPolicy({
              known: 'policy',
              policy: aPolicy('demo', isolation && { isolation }),
            }),
          }),
        );
      const fixed = 'The policy of the namespace leaves no choice of runtime:';
      assert.equal(told({ runtimeClasses: { default: 'gvisor' } }), `${fixed} gvisor`);
      assert.equal(told(undefined), `${fixed} the nodes' own`);
      assert.equal(told({ runtimeClasses: { allowed: ['kata'] } }), undefined);
      assert.equal(runtimeFixed(draft({ policy: new LaunchPolicy({ known: 'unknown' }) })), undefined);
    });
  });

  describe('and what becomes of the changes', () => {
    const credential = { secretName: 'github-bot', key: 'token' };
    const results = { branches: ['ambient/*', 'bots/*'], pullRequests: { credential } };
    const repository = 'https://github.com/team/project.git';
    const underRules = (given: NamespacePolicySpec['results']): LaunchPolicy =>
      new LaunchPolicy({ known: 'policy', policy: aPolicy('demo', given && { results: given }) });
    const first = ['dev', 'demo', 'Command', 'x', 'Use defaults'];
    const cloned = [...first, '$(repo) A git repository'];
    const pushed = 'Push them to a new branch…';
    /** With the credentials it is cloned with. */
    const pushedByTeam = [...cloned, '↵', '↵', 'git-team', pushed];
    const ending = ['Use defaults', '↵'];
    const launched = async (
      given: NamespacePolicySpec['results'],
      lines: Line[],
      last: Partial<LaunchAnswers> = {},
    ): Promise<{ about: string[]; answers: Partial<LaunchAnswers> | undefined }> => {
      const { asked, answers } = await play(lines, draft({ last }), {
        policy: async () => underRules(given),
        repository: async () => ({ url: repository, ref: 'main' }),
      });
      const about = asked.filter((line) => /changes|new branch|to push|pull request/.test(line));
      return { about: about.map((line) => line.replace(/^\S+ /, '')), answers };
    };

    it('asks where the policy lists branches: which one, with which Secret, and for a pull request', async () => {
      const { about, answers } = await launched(results, [
        ...cloned,
        '↵',
        '↵',
        '',
        pushed,
        { wrong: 'main', then: 'bots/fix' },
        { wrong: '', then: 'git-push' },
        'Draft pull request',
        ...ending,
      ]);
      assert.deepEqual(about, [
        'What becomes of the changes? [*Keep them as an artifact (changes.patch) | Push them to a new branch… (and perhaps open a pull request)]',
        'Name of the new branch; empty for ambient/NAME, with the name of the session. The policy lists ambient/*, bots/* []',
        'Secret of the namespace with the credentials to push; neither agent nor operator sees it []',
        'Open a pull request for the branch? [*No pull request | Pull request (ready for review) | Draft pull request]',
      ]);
      const { spec } = sessionManifest(answers as LaunchAnswers, 'x');
      assert.deepEqual(spec.result, {
        branch: 'bots/fix',
        credentials: 'git-push',
        pullRequest: { draft: true },
      });
    });

    it('takes the default branch and the credentials of the source', async () => {
      const { answers } = await launched(results, [...pushedByTeam, '', 'Pull request', ...ending]);
      assert.deepEqual(answers?.result, { pullRequest: {} });
      assert.deepEqual(
        underRules(results).violations(sessionManifest(answers as LaunchAnswers, 'x').spec),
        [],
      );
    });

    it('holds the branch to git and to the policy', async () => {
      for (const wrong of ['ambient/a..b', 'ambient/x y', 'ambient/x.lock', 'feature/x', 'a'.repeat(201)])
        await launched(results, [
          ...pushedByTeam,
          { wrong, then: 'ambient/x' },
          'No pull request',
          ...ending,
        ]);
      // That of the session's name is not listed here.
      const { about } = await launched({ branches: ['bots/*'] }, [
        ...pushedByTeam,
        { wrong: '', then: 'bots/x' },
        ...ending,
      ]);
      assert.equal(about.at(-1), 'Name of the new branch. The policy lists bots/* []');
      // Nor may it be what is cloned.
      const own = [...cloned, '↵', 'bots/x', 'git-team', pushed, { wrong: 'bots/x', then: 'bots/y' }];
      assert.deepEqual((await launched({ branches: ['bots/*'] }, [...own, ...ending])).answers?.result, {
        branch: 'bots/y',
      });
    });

    it('says why not where there is no choice', async () => {
      const plainClone = [...cloned, '↵', '↵', ''];
      assert.deepEqual((await launched(undefined, [...plainClone, ...ending])).about, []);
      const overSsh = [...cloned, 'git@github.com:team/project.git', '↵'];
      assert.deepEqual((await launched(results, [...overSsh, ...ending])).about, []);
      const told = (policy: LaunchPolicy): string | undefined => pushingFrom(draft({ policy }));
      assert.equal(told(underRules(undefined)), 'The policy of the namespace lets no changes be pushed');
      assert.equal(told(underRules(results)), 'Over http(s), its changes can be pushed to a new branch');
      assert.match(told(new LaunchPolicy({ known: 'unknown' })) ?? '', /^You may not see/);
      assert.equal(pushingFrom(draft()), undefined);
      const noPull = (given: NamespacePolicySpec['results'], url = repository): string | undefined =>
        noPullRequest(draft({ policy: underRules(given), answers: { source: { type: 'git', url } } }));
      assert.equal(noPull(results), undefined);
      assert.match(noPull({ branches: ['ambient/*'] }) ?? '', /lets no pull request be opened/);
      assert.match(noPull(results, 'https://gitlab.com/a/b.git') ?? '', /is the API of another server/);
    });

    it('suggests the same again where it was, as long as it is allowed', async () => {
      const result = { branch: 'bots/fix', credentials: 'git-push', pullRequest: { draft: true } };
      const last: Partial<LaunchAnswers> = {
        cluster: 'dev',
        namespace: 'demo',
        source: { type: 'git', url: repository },
        result,
      };
      const again = await launched(results, [...cloned, '↵', '', '', 'Same as last time', ...ending], last);
      assert.match(
        again.about[0] ?? '',
        /\| \*Same as last time \(bots\/fix, Secret git-push, draft pull request\) \|/,
      );
      assert.deepEqual(again.answers?.result, result);
      const changed = [pushed, '↵', '↵', 'No pull request'];
      const other = await launched(results, [...cloned, '↵', '', '', ...changed, ...ending], last);
      assert.deepEqual(other.answers?.result, { branch: 'bots/fix', credentials: 'git-push' });
      const elsewhere: [NamespacePolicySpec['results'], Partial<LaunchAnswers>][] = [
        [{ branches: ['ambient/*'], pullRequests: { credential } }, last],
        [{ branches: ['bots/*'] }, last],
        [results, { ...last, namespace: 'team-a' }],
      ];
      for (const [given, where] of elsewhere) {
        const lines = [...cloned, '↵', '', '', 'Keep them as an artifact', ...ending];
        const { about, answers } = await launched(given, lines, where);
        assert.doesNotMatch(about[0] ?? '', /last time/);
        assert.equal(answers?.result, undefined);
      }
    });

    it('wants none any more where another source has taken its place', async () => {
      const back = { back: true } as const;
      const { answers } = await launched(results, [
        ...pushedByTeam,
        '',
        back,
        back,
        back,
        back,
        back,
        back,
        '$(circle-slash) Nothing',
        ...ending,
      ]);
      assert.deepEqual([answers?.source, answers?.result], [{ type: 'none' }, undefined]);
    });
  });

  it('suggests what was answered last time', async () => {
    const last: Partial<LaunchAnswers> = {
      cluster: 'prod',
      namespace: 'team-a',
      framework: 'generic',
      config: { command: 'make test', args: ['a b'], removed: 1 },
      source: { type: 'folder', path: '/home/jo/project' },
      limits: { timeoutSeconds: 60 },
    };
    const { asked, answers } = await play(
      [
        'prod',
        'team-a',
        'Command',
        '↵',
        'Keep as last time',
        '$(folder) This folder as it is now',
        'Same as last time',
        '↵',
      ],
      draft({ last }),
    );
    assert.deepEqual(
      asked.map((line) => /\*[^|\]]*/.exec(line)?.[0].trim()),
      [
        '*prod',
        '*team-a',
        '*Command (generic 1)',
        undefined,
        "*Keep as last time (Args: 'a b')",
        '*$(folder) This folder as it is now (project)',
        '*Same as last time (1 min)',
        undefined,
      ],
    );
    assert.deepEqual(answers?.config, { command: 'make test', args: ['a b'] });
    assert.deepEqual(answers?.limits, { timeoutSeconds: 60 });
  });

  it('asks for names where they cannot be listed', async () => {
    const { asked, answers } = await play(
      [
        'dev',
        '$(edit) Another namespace…',
        { wrong: 'Not A Name', then: 'mine' },
        { wrong: 'x y', then: 'custom' },
        '$(circle-slash) Nothing',
        'Use defaults',
        '↵',
      ],
      draft(),
      { namespaces: async () => ({ names: [], incomplete: true }), frameworks: async () => [] },
    );
    assert.match(asked[1] ?? '', /you may not list them all/);
    assert.deepEqual([answers?.namespace, answers?.framework], ['mine', 'custom']);
  });
});

describe('a session made of answers', () => {
  const answers: LaunchAnswers = {
    cluster: 'dev',
    namespace: 'demo',
    framework: 'generic',
    config: {},
    source: { type: 'none' },
  };

  it('holds what was answered and nothing else', () => {
    assert.deepEqual(sessionManifest(answers, 'id'), {
      apiVersion: 'ambient.ai/v1alpha1',
      kind: 'Session',
      metadata: { name: 'id', namespace: 'demo' },
      spec: { trigger: { source: 'manual' }, framework: { type: 'generic' }, source: { type: 'none' } },
    });
  });

  it('describes an uploaded folder by size and digest, and completes limits', () => {
    const { spec } = sessionManifest(
      {
        ...answers,
        displayName: 'Name',
        version: '2',
        config: { a: 1 },
        source: { type: 'folder', path: '/x' },
        limits: { memory: '1Gi', runtimeClassName: 'kata' },
      },
      'id',
      { sizeBytes: 5, digest: 'sha256:ab', name: 'x' },
    );
    assert.deepEqual(spec, {
      displayName: 'Name',
      trigger: { source: 'manual' },
      framework: { type: 'generic', version: '2', config: { a: 1 } },
      source: { type: 'upload', upload: { sizeBytes: 5, digest: 'sha256:ab', name: 'x' } },
      limits: { timeoutSeconds: 3600, gracePeriodSeconds: 30, memory: '1Gi' },
      runtimeClassName: 'kata',
    });
  });
});
