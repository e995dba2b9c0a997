/** Where results may go: names of branches as git itself judges them, what policies allow, and whose repository it is. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import type { NamespacePolicySpec } from '../../../../common/api/namespace-policy.ts';
import type { SessionResult, SessionSpec } from '../../../../common/api/session.ts';
import { policyMistakes } from '../../../../common/rules/policy/config.ts';
import { effectivePolicy } from '../../../../common/rules/policy/effective.ts';
import { evaluate } from '../../../../common/rules/policy/evaluate.ts';
import {
  branchMistake,
  defaultBranch,
  repositoryOf,
  resultBranches,
} from '../../../../common/rules/results.ts';
import { aSession } from '../../../support/fixtures.ts';

const isGits = (name: string): boolean =>
  spawnSync('git', ['check-ref-format', '--branch', name], { cwd: '/', env: { PATH: process.env['PATH'] } })
    .status === 0;

describe('the name of a branch', () => {
  it('is taken where git and servers take it', () => {
    for (const name of ['ambient/s1', 'fix/a-b_c.d', 'größe', 'a@b', 'v1.0', 'x{y}', 'feature/#12', "it's"])
      assert.equal(branchMistake(name), undefined, name);
  });

  it('is refused with the reason', () => {
    for (const [name, expected] of [
      ['', /empty/],
      ['a\nb', /control/],
      ['a\u202Eb', /invisible/],
      ['\ud800', /control or invisible/],
      ['a b', /space/],
      ['a~1', /~/],
      ['a:b', /:/],
      ['a\\b', /space or one of/],
      ['-D', /begins with -/],
      ['refs/heads/main', /refs\//],
      ['refs', /refs\//],
      ['HEAD', /something else/],
      ['a..b', /\.\./],
      ['a@{1}', /@\{/],
      ['a/', /ends with \//],
      ['/a', /begins or ends/],
      ['a//b', /\/\//],
      ['a/.git', /begins with \./],
      ['a/b.lock/c', /\.lock/],
      ['a.', /ends with \./],
      ['0123456789012345678901234567890123456789', /commit/],
      ['é'.repeat(130), /too long/],
    ] as const)
      assert.match(branchMistake(name) ?? 'it was taken', expected, JSON.stringify(name));
  });

  it('is never taken where git refuses it', function () {
    this.timeout(120_000);
    const pieces = [
      'a',
      'B',
      '.',
      '/',
      '-',
      '@',
      '{',
      '..',
      '.lock',
      '~',
      '*',
      ' ',
      '\t',
      'refs/',
      'HEAD',
      'é',
    ];
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 }).map((parts) => parts.join('')),
          fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
        ),
        (name) => branchMistake(name) !== undefined || isGits(name),
      ),
      { numRuns: 300 },
    );
  });

  it('made of the name of a session always is one', () => {
    for (const name of ['s1', 'a.lock', 'a.b.c', '0123456789012345678901234567890123456789'])
      assert.equal(branchMistake(defaultBranch(name)), undefined, name);
  });
});

const OPEN: NamespacePolicySpec = {
  results: {
    branches: ['ambient/*', 'fix/one'],
    pullRequests: { credential: { secretName: 'bot', key: 'token' } },
  },
};
const spec = (result: SessionResult, git: object = {}): SessionSpec => ({
  framework: { type: 'generic' },
  source: { type: 'git', git: { url: 'https://github.com/team/repo.git', credentials: 'git-team', ...git } },
  result,
});
const refusals = (of: SessionSpec, policy: NamespacePolicySpec = OPEN): string =>
  evaluate(of, effectivePolicy(policy))
    .violations.map(({ message }) => message)
    .join(' ');

describe('the result of a session', () => {
  it('is allowed where the policy lists its branch, its own name among them', () => {
    for (const result of [
      {},
      { branch: 'ambient/x' },
      { branch: 'fix/one' },
      { pullRequest: { base: 'main' } },
    ])
      assert.equal(refusals(spec(result)), '');
  });

  it('is refused with the rule, the value and what could stand there', () => {
    for (const [of, expected, policy] of [
      [spec({}), /branch is "ambient\/\*": spec\.results\.branches.*Allowed: nothing is/, {}],
      [spec({}), /Allowed: fix\/\*/, { results: { branches: ['fix/*'] } }],
      [spec({ branch: 'main' }), /"main": spec\.results\.branches.*does not list it\. Allowed: ambient\/\*/],
      [spec({ branch: 'ambient/..' }), /it cannot be a branch, as it has \.\./],
      [spec({ branch: 'refs/heads/ambient/x' }), /name the branch alone/],
      [spec({ branch: 'fix/one' }, { ref: 'fix/one' }), /it is the branch that is cloned/],
      [spec({ branch: 'fix/one' }, { ref: 'refs/heads/fix/one' }), /it is the branch that is cloned/],
      [spec({}, { url: 'ssh://git@github.com/team/repo.git' }), /it cannot be pushed to/],
      [spec({}, { credentials: undefined }), /spec\.result\.credentials.*name of a Secret/],
      [{ ...spec({}), source: { type: 'none' as const } }, /it has no repository to push to/],
      [
        spec({ pullRequest: {} }),
        /spec\.results\.pullRequests.*is not set/,
        { results: { branches: ['*'] } },
      ],
      [spec({ pullRequest: { base: 'a b' } }), /pullRequest\.base is "a b"/],
      [
        spec({ pullRequest: {} }, { url: 'https://git.example.com/team/repo.git' }),
        /the API of another server.*Allowed: https:\/\/github\.com\/OWNER\/NAME/,
      ],
    ] as [SessionSpec, RegExp, NamespacePolicySpec?][])
      assert.match(refusals(of, policy), expected);
  });

  it('goes to a second branch only where the policy lists that too', () => {
    const of = (result: SessionResult, branches: string[]): string[] =>
      resultBranches(aSession('s1').spec(spec(result)).build(), effectivePolicy({ results: { branches } }));
    assert.deepEqual(of({}, ['ambient/*']), ['ambient/s1', 'ambient/s1-uid-of-s']);
    assert.deepEqual(of({ branch: 'fix/one' }, ['fix/one']), ['fix/one']);
    assert.deepEqual(of({ branch: 'main' }, ['fix/*']), []);
  });
});

describe('the repository of a clone URL', () => {
  it('is known by the API of its own server alone', () => {
    const repo = { owner: 'team', name: 'repo' };
    assert.deepEqual(repositoryOf('https://github.com/team/repo.git'), repo);
    assert.deepEqual(repositoryOf('https://github.com/team/repo/'), repo);
    assert.deepEqual(
      repositoryOf('https://ghe.example.com/team/repo', 'https://ghe.example.com/api/v3'),
      repo,
    );
    assert.deepEqual(repositoryOf('https://acme.ghe.com/team/repo', 'https://api.acme.ghe.com/'), repo);
    for (const url of [
      'https://github.com.example.com/team/repo',
      'https://github.com/team',
      'https://github.com/team/../repo',
      'https://github.com/team/..',
      'https://github.com/a/b/c',
      'https://github.com/team/re%2Fpo',
      'nonsense',
    ])
      assert.equal(repositoryOf(url), undefined, url);
  });
});

describe('a policy about results', () => {
  it('is told what is wrong with it', () => {
    const mistakes = (results: NamespacePolicySpec['results']): string =>
      policyMistakes({ ...(results === undefined ? {} : { results }) })
        .map(({ path, message }) => `${path} ${message}`)
        .join('\n');
    assert.equal(mistakes(OPEN.results), '');
    const { pullRequests } = OPEN.results ?? {};
    assert.match(mistakes({ branches: ['refs/heads/*'] }), /branches\[0\] "refs\/heads\/\*" fits no branch/);
    assert.match(mistakes({ branches: ['*'] }), /any name/);
    assert.match(mistakes({ ...(pullRequests && { pullRequests }) }), /pullRequests has no effect/);
    assert.match(
      mistakes({
        branches: ['a/*'],
        pullRequests: { url: 'http://u:p@x/api/v3', credential: { secretName: 'A', key: '/' } },
      }),
      /is no name of a Secret[\s\S]*is no key[\s\S]*holds credentials[\s\S]*not encrypted/,
    );
  });
});
