import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SESSION_BYTES_MAX } from '../../../../common/api/session.ts';
import type { SessionSpec } from '../../../../common/api/session.ts';
import { admit } from '../../../../common/rules/admission.ts';
import { checkConfig } from '../../../../common/rules/config.ts';
import { aFramework } from '../../../support/fixtures.ts';

const spec = (framework: SessionSpec['framework'], more: Partial<SessionSpec> = {}): SessionSpec => ({
  framework,
  ...more,
});
const strict = {
  type: 'object',
  additionalProperties: false,
  required: ['command'],
  properties: {
    command: { type: 'string', minLength: 1 },
    level: { type: 'integer', default: 3, maximum: 5 },
  },
};

describe('admission', () => {
  const registry = [
    aFramework('generic', {
      versions: [
        { name: '2', image: 'img:2', imagePullPolicy: 'Always' },
        { name: '1', image: 'img:1', deprecated: 'use 2' },
      ],
      configSchema: strict,
      env: [{ name: 'LEVEL', value: '{{config.level}}' }],
      resources: { cpu: '3', memory: '3Gi' },
    }),
    aFramework('broken', { command: ['--x={{config.command}}'] }),
    aFramework('any', { versions: [{ name: '1', image: '{{config.command}}' }], configSchema: strict }),
    aFramework('odd', { configSchema: { type: 'object', properties: { a: { pattern: '(' } } } }),
  ];

  it('takes the first version, fills in defaults and resolves command and environment', () => {
    const admission = admit(spec({ type: 'generic', config: { command: 'make all' } }), 100, registry);
    assert.deepEqual(admission, {
      accepted: true,
      plan: {
        framework: 'generic',
        version: '2',
        image: 'img:2',
        imagePullPolicy: 'Always',
        deprecated: undefined,
        config: { command: 'make all', level: 3 },
        command: ['/bin/bash', '-c', 'make all'],
        env: { LEVEL: '3' },
        eventFormat: 'text',
        models: [],
        sidecar: undefined,
        input: 'none',
        executes: true,
        limits: {
          timeoutSeconds: 3600,
          gracePeriodSeconds: 30,
          idleSeconds: undefined,
          cpu: '3',
          memory: '3Gi',
          storage: undefined,
        },
      },
    });
  });

  it("prefers the session's limits to the framework's", () => {
    const limits = {
      timeoutSeconds: 5,
      gracePeriodSeconds: 1,
      memory: '64Mi',
      storage: '1Gi',
    };
    const admission = admit(spec({ type: 'generic', config: { command: 'x' } }, { limits }), 1, registry);
    assert.ok(admission.accepted);
    assert.deepEqual(admission.plan.limits, { ...limits, idleSeconds: undefined, cpu: '3' });
  });

  it('lets nobody wait for ever to be talked to', () => {
    const listens = [aFramework('chat', { input: 'messages' })];
    const idleOf = (limits?: {
      timeoutSeconds: number;
      gracePeriodSeconds: number;
      idleSeconds?: number;
    }) => {
      const sent = spec({ type: 'chat', config: { command: 'x' } }, limits === undefined ? {} : { limits });
      const admission = admit(sent, 1, listens);
      return admission.accepted && [admission.plan.input, admission.plan.limits.idleSeconds];
    };
    assert.deepEqual(idleOf(), ['messages', 900]);
    assert.deepEqual(idleOf({ timeoutSeconds: 5, gracePeriodSeconds: 1, idleSeconds: 60 }), ['messages', 60]);
  });

  it('says which version is deprecated and why', () => {
    const admission = admit(spec({ type: 'generic', version: '1', config: { command: 'x' } }), 1, registry);
    assert.equal(admission.accepted && admission.plan.deprecated, 'use 2');
  });

  const refusals: [string, SessionSpec, number, string, RegExp][] = [
    [
      'too many bytes',
      spec({ type: 'generic' }),
      SESSION_BYTES_MAX + 1,
      'TooLarge',
      /at most 512 KiB.*into the source/,
    ],
    [
      'an unknown framework',
      spec({ type: 'nope' }),
      1,
      'UnknownFramework',
      /no framework "nope".*any, broken, generic, odd/,
    ],
    [
      'an unknown version',
      spec({ type: 'generic', version: '9' }),
      1,
      'UnknownFrameworkVersion',
      /no version "9".*2, 1/,
    ],
    ['a missing setting', spec({ type: 'generic' }), 1, 'InvalidConfig', /required properties command/],
    [
      'an unknown setting',
      spec({ type: 'generic', config: { command: 'x', modle: 'y' } }),
      1,
      'InvalidConfig',
      /additional properties \(modle\)/,
    ],
    [
      'several wrong settings',
      spec({ type: 'generic', config: { command: 5, level: 9 } }),
      1,
      'InvalidConfig',
      /config\.command must be string.*config\.level must be <= 5/,
    ],
    [
      "a framework's mistake in its template",
      spec({ type: 'broken', config: { command: 'x' } }),
      1,
      'InvalidFramework',
      /whole element/,
    ],
    [
      "a framework's mistake in its schema",
      spec({ type: 'odd', config: { a: 'x' } }),
      1,
      'InvalidFramework',
      /configSchema cannot be used/,
    ],
    [
      'credentials in an image of its own',
      spec(
        { type: 'any', config: { command: 'mine:1' } },
        { source: { type: 'git', git: { url: 'https://git.example/a.git', credentials: 'key' } } },
      ),
      1,
      'InvalidFramework',
      /takes its image from the session, which may not have credentials/,
    ],
  ];
  for (const [name, given, bytes, reason, message] of refusals)
    it(`refuses ${name}, with a message that helps`, () => {
      const admission = admit(given, bytes, registry);
      assert.ok(!admission.accepted);
      assert.equal(admission.reason, reason);
      assert.match(admission.message, message);
    });

  it('lets a session choose its image where it brings no credentials', () => {
    const chosen = spec({ type: 'any', config: { command: 'mine:1' } });
    const admission = admit(chosen, 1, registry);
    assert.ok(admission.accepted);
    assert.equal(admission.plan.image, 'mine:1');
  });

  it('tells how to install frameworks when there are none', () => {
    const admission = admit(spec({ type: 'generic' }), 1, []);
    assert.match(admission.accepted ? '' : admission.message, /this cluster has none.*kubectl apply/);
  });

  it('never throws, whatever the configuration or the schema', () => {
    const json = fc
      .jsonValue()
      .map((value) =>
        typeof value === 'object' && value !== null && !Array.isArray(value)
          ? (value as Record<string, unknown>)
          : { value },
      );
    fc.assert(
      fc.property(json, json, (schema, config) => {
        const result = checkConfig(schema, config);
        assert.equal(typeof result.ok, 'boolean');
        if (!result.ok) assert.notEqual(result.message, '');
      }),
    );
  });
});
