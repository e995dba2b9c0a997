import assert from 'node:assert/strict';
import { isSameRepository } from '../../../../extension/sessions/same-repository.ts';

describe('two addresses of repositories', () => {
  const url = 'https://github.com/team/app.git';

  for (const same of [
    'https://github.com/team/app',
    'https://somebody:token@GitHub.com/team/app.git/',
    'git@github.com:team/app.git',
    'github.com:team/app',
    'ssh://git@github.com:22/team/app.git',
  ])
    it(`are of one: ${same}`, () => assert.ok(isSameRepository(same, url)));

  for (const other of [
    'https://github.com/team/other.git',
    'https://github.com:8443/team/app.git',
    'git@gitlab.com:team/app.git',
    'https://github.com/Team/app.git',
    '/home/me/app',
    '../app.git',
    'file:///team/app.git',
    '',
  ])
    it(`are of two: ${other}`, () => assert.ok(!isSameRepository(other, url)));

  it('are not of one because neither can be read', () => assert.ok(!isSameRepository('', '')));
});
