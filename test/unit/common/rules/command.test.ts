import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ARGUMENT_BYTES_MAX, resolveCommand, resolveEnv } from '../../../../common/rules/command.ts';

describe('command template', () => {
  const cases: [string, string[], Record<string, unknown>, string[]][] = [
    ['keeps plain elements', ['a', '--b'], {}, ['a', '--b']],
    [
      'puts a string in as one argument, spaces and quotes included',
      ['sh', '-c', '{{config.command}}'],
      { command: `echo "a b" '$X'` },
      ['sh', '-c', `echo "a b" '$X'`],
    ],
    [
      'puts an array in as one argument each',
      ['x', '{{config.args}}', 'y'],
      { args: ['a', 'b c', ''] },
      ['x', 'a', 'b c', '', 'y'],
    ],
    ['drops what is absent', ['x', '{{config.gone}}'], {}, ['x']],
    ['drops null', ['x', '{{config.gone}}'], { gone: null }, ['x']],
    [
      'writes numbers and booleans as text',
      ['x', '{{config.n}}', '{{config.b}}'],
      { n: 1.5, b: false },
      ['x', '1.5', 'false'],
    ],
    ['allows spaces inside the braces', ['{{ config.a }}'], { a: 'v' }, ['v']],
    [
      'does not expand placeholders inside values',
      ['{{config.a}}'],
      { a: '{{config.b}}', b: 'no' },
      ['{{config.b}}'],
    ],
    ['knows only own properties', ['x', '{{config.constructor}}'], {}, ['x']],
  ];
  for (const [name, template, config, expected] of cases)
    it(name, () => assert.deepEqual(resolveCommand(template, config), { value: expected, problems: [] }));

  const problems: [string, string[], Record<string, unknown>, 'framework' | 'config', RegExp][] = [
    [
      'refuses a placeholder inside other text',
      ['--model={{config.model}}'],
      { model: 'x' },
      'framework',
      /whole element/,
    ],
    [
      'refuses an object as an argument',
      ['{{config.a}}'],
      { a: { b: 1 } },
      'config',
      /config\.a must be text.*not an object/,
    ],
    ['refuses lists in lists', ['{{config.a}}'], { a: [['b']] }, 'config', /list inside a list/],
    ['refuses NUL', ['{{config.a}}'], { a: 'x\0y' }, 'config', /NUL/],
    [
      'refuses an argument that no kernel takes',
      ['{{config.a}}'],
      { a: 'é'.repeat(ARGUMENT_BYTES_MAX) },
      'config',
      /at most 131071/,
    ],
    ['refuses an empty command', ['{{config.command}}'], {}, 'config', /the command is empty/],
  ];
  for (const [name, template, config, whose, message] of problems)
    it(name, () => {
      const [problem] = resolveCommand(template, config).problems;
      assert.equal(problem?.whose, whose);
      assert.match(problem?.message ?? '', message);
    });

  it('never lets a value become more or other arguments than it is', () => {
    const scalar = fc.string().filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(scalar, fc.array(scalar), (one, many) => {
        const { value } = resolveCommand(['p', '{{config.one}}', '{{config.many}}', 'q'], { one, many });
        assert.deepEqual(value, ['p', one, ...many, 'q']);
      }),
    );
  });

  it('leaves out environment variables without a value and refuses lists for them', () => {
    const template = [
      { name: 'A', value: 'plain' },
      { name: 'B', value: '{{config.b}}' },
      { name: 'C', value: '{{config.c}}' },
    ];
    assert.deepEqual(resolveEnv(template, { b: 7 }), { value: { A: 'plain', B: '7' }, problems: [] });
    assert.equal(resolveEnv(template, { b: ['x'] }).problems.length, 1);
  });
});
