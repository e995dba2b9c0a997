/** What is wrong with where a policy lets results go. */
import type { NamespacePolicySpec } from '../../api/namespace-policy.ts';
import { branchMistake } from '../results.ts';
import { entries, error, warning } from './mistake.ts';
import type { PolicyMistake } from './mistake.ts';

const PATH = 'spec.results';
/** A Secret's name: https://www.rfc-editor.org/rfc/rfc1123 */
const SECRET_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const SECRET_KEY = /^[-._a-zA-Z0-9]+$/;

export function resultsMistakes(spec: NamespacePolicySpec['results']): PolicyMistake[] {
  if (spec === undefined) return [];
  const { branches = [], pullRequests } = spec;
  const found = entries(`${PATH}.branches`, branches);
  for (const [index, glob] of branches.entries()) {
    const at = `${PATH}.branches[${index}]`;
    // A star can be any run of characters: what remains wrong with one in its place is wrong with all.
    const mistake = branchMistake(glob.replaceAll('*', 'x'));
    if (mistake !== undefined) found.push(error(at, `"${glob}" fits no branch, as ${mistake}.`));
    else if (/^\*+$/.test(glob))
      found.push(warning(at, `lets sessions make branches of any name. List a prefix, as ambient/*.`));
  }
  if (pullRequests === undefined) return found;
  const at = `${PATH}.pullRequests`;
  const { credential, url } = pullRequests;
  if (branches.length === 0)
    found.push(warning(at, `has no effect, as ${PATH}.branches lists no branch that could be pushed.`));
  if (!SECRET_NAME.test(credential.secretName))
    found.push(error(`${at}.credential.secretName`, `"${credential.secretName}" is no name of a Secret.`));
  if (!SECRET_KEY.test(credential.key))
    found.push(error(`${at}.credential.key`, `"${credential.key}" is no key that a Secret can have.`));
  if (url === undefined) return found;
  if (!URL.canParse(url))
    return [...found, error(`${at}.url`, 'is no URL. Write one as https://github.example.com/api/v3.')];
  const { username, password, protocol } = new URL(url);
  if (username !== '' || password !== '')
    found.push(error(`${at}.url`, 'holds credentials, which everybody who sees the policy can read.'));
  if (protocol !== 'https:') found.push(warning(`${at}.url`, 'is not encrypted, and the token goes there.'));
  return found;
}
