import assert from 'node:assert/strict';
import { NO_RESTRICTIONS } from '../../../../../common/rules/policy/effective.ts';
import { executes, executionBreach } from '../../../../../common/rules/policy/restrictions.ts';

const restricted = { ...NO_RESTRICTIONS, execution: true };

describe('a restriction of execution', () => {
  it('takes a framework for one that executes commands unless it says otherwise', () => {
    assert.deepEqual(
      [executes({}), executes({ executes: true }), executes({ executes: false })],
      [true, true, false],
    );
  });

  it('refuses a framework that executes commands, and offers others', () => {
    assert.deepEqual(executionBreach({ name: 'generic', executes: true }, restricted, ['reviewer']), {
      rule: 'spec.tools.restrictions.execution',
      field: 'spec.framework.type',
      value: 'generic',
      allowed: ['reviewer'],
      because: 'is true, and this framework executes commands',
    });
    assert.deepEqual(executionBreach({ name: 'generic', executes: true }, restricted)?.allowed, [
      'frameworks that execute no commands',
    ]);
  });

  it('refuses nothing else', () => {
    assert.equal(executionBreach({ name: 'reviewer', executes: false }, restricted), undefined);
    assert.equal(executionBreach({ name: 'generic', executes: true }, NO_RESTRICTIONS), undefined);
    const others = { network: true, fileSystem: true, execution: false };
    assert.equal(executionBreach({ name: 'generic', executes: true }, others), undefined);
  });
});
