import assert from 'node:assert/strict';
import { rulesAllow } from '../../../../common/kube/access.ts';
import type { ResourceRule } from '../../../../common/kube/access.ts';

describe('rulesAllow', () => {
  const allow = (rule: ResourceRule, wanted: Parameters<typeof rulesAllow>[1]): boolean =>
    rulesAllow({ resourceRules: [rule], nonResourceRules: [], incomplete: false }, wanted);
  const list = { verb: 'list', group: 'ambient.ai', resource: 'sessions' };

  it('compares verb, group and resource, with * for any', () => {
    const rule = { verbs: ['list'], apiGroups: ['ambient.ai'], resources: ['sessions'] };
    assert.ok(allow(rule, list));
    assert.ok(!allow(rule, { ...list, verb: 'create' }));
    assert.ok(!allow(rule, { ...list, group: '' }));
    assert.ok(!allow(rule, { ...list, resource: 'pods' }));
    assert.ok(allow({ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, list));
  });

  it('does not take a resource for its subresources', () => {
    const log = { ...list, verb: 'get', subresource: 'log' };
    assert.ok(!allow({ verbs: ['get'], apiGroups: ['ambient.ai'], resources: ['sessions'] }, log));
    assert.ok(allow({ verbs: ['get'], apiGroups: ['ambient.ai'], resources: ['sessions/log'] }, log));
    assert.ok(allow({ verbs: ['get'], apiGroups: ['ambient.ai'], resources: ['*/log'] }, log));
  });

  it('takes a rule with names for those names only', () => {
    const rule = { verbs: ['get'], apiGroups: ['ambient.ai'], resources: ['sessions'], resourceNames: ['a'] };
    assert.ok(allow(rule, { ...list, verb: 'get', name: 'a' }));
    assert.ok(!allow(rule, { ...list, verb: 'get', name: 'b' }));
    assert.ok(!allow(rule, { ...list, verb: 'get' }));
  });
});
