/** What is wrong with how a trigger answers. */
import type { SessionTriggerSpec } from '../../api/session-trigger.ts';
import { error, warning } from '../policy/mistake.ts';
import type { PolicyMistake } from '../policy/mistake.ts';

/** A Secret's name: https://www.rfc-editor.org/rfc/rfc1123 */
const SECRET_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const SECRET_KEY = /^[-._a-zA-Z0-9]+$/;

export function answerMistakes({ source, answer }: SessionTriggerSpec): PolicyMistake[] {
  if (answer === undefined) return [];
  const path = 'spec.answer';
  if (source === 'generic')
    return [error(path, 'has nowhere to go: what generic tools want to hear is sent as notifications.')];
  const { as, credential, events, url, user } = answer;
  const found: PolicyMistake[] = [];
  if (as === 'status' && source !== 'github')
    found.push(error(`${path}.as`, `is status, which only a commit on GitHub has. Use comment.`));
  if (events?.length === 0)
    found.push(warning(`${path}.events`, 'is empty, so nothing is ever told. List events, or remove it.'));
  if (!SECRET_NAME.test(credential.secretName))
    found.push(error(`${path}.credential.secretName`, `"${credential.secretName}" is no name of a Secret.`));
  if (!SECRET_KEY.test(credential.key))
    found.push(error(`${path}.credential.key`, `"${credential.key}" is no key that a Secret can have.`));
  if (source === 'jira' && url === undefined)
    found.push(error(`${path}.url`, 'is missing: name your site, as https://example.atlassian.net.'));
  if (url !== undefined) found.push(...ofUrl(`${path}.url`, url));
  if (user !== undefined && source !== 'jira')
    found.push(warning(`${path}.user`, 'is of use for Jira only. Remove it.'));
  return found;
}

function ofUrl(path: string, text: string): PolicyMistake[] {
  if (!URL.canParse(text)) return [error(path, 'is no URL. Write one as https://example.atlassian.net.')];
  const { username, password, protocol } = new URL(text);
  if (username !== '' || password !== '')
    return [error(path, 'holds credentials, which everybody who sees the trigger can read.')];
  return protocol === 'https:' ? [] : [warning(path, 'is not encrypted, and the token goes there.')];
}
