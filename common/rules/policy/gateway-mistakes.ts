/** What is wrong with how a policy reaches models, and with what it says they cost. */
import { PROVIDER_URLS } from '../../api/models.ts';
import type { ModelPrice, ModelProviderAccess, NamespacePolicySpec } from '../../api/namespace-policy.ts';
import { parseMoney } from '../money.ts';
import { coversGlob } from './glob.ts';
import { error, warning } from './mistake.ts';
import type { PolicyMistake } from './mistake.ts';

const PATH = 'spec.models';
/** A Secret's name: https://www.rfc-editor.org/rfc/rfc1123 */
const SECRET_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const SECRET_KEY = /^[-._a-zA-Z0-9]+$/;
const RATES = ['input', 'output', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'] as const;

export function gatewayMistakes(spec: NamespacePolicySpec['models']): PolicyMistake[] {
  const { providers = [], prices = [], whenSpent, logPrompts } = spec ?? {};
  const found = [
    ...providers.flatMap((each, index) => provider(`${PATH}.providers[${index}]`, each, providers)),
    ...prices.flatMap((each, index) => price(`${PATH}.prices[${index}]`, each, prices.slice(0, index))),
  ];
  if (providers.length > 0) return found;
  for (const [name, isSet] of [
    ['prices', prices.length > 0],
    ['whenSpent', whenSpent === 'pause'],
    ['logPrompts', logPrompts === true],
  ] as const)
    if (isSet)
      found.push(
        warning(`${PATH}.${name}`, `has no effect, as no model is reached through ${PATH}.providers.`),
      );
  return found;
}

function provider(
  at: string,
  { name, baseUrl, keySecret }: ModelProviderAccess,
  all: readonly ModelProviderAccess[],
): PolicyMistake[] {
  const found = baseUrl === undefined ? [] : address(`${at}.baseUrl`, baseUrl);
  if (!Object.hasOwn(PROVIDER_URLS, name)) found.push(error(`${at}.name`, `there is no provider "${name}".`));
  if (all.filter((each) => each.name === name).length > 1)
    found.push(error(`${at}.name`, `"${name}" stands twice; the first is taken. Remove one of the two.`));
  if (!SECRET_NAME.test(keySecret.name))
    found.push(
      error(
        `${at}.keySecret.name`,
        `"${keySecret.name}" is no name of a Secret. Name one of this namespace.`,
      ),
    );
  if (!SECRET_KEY.test(keySecret.key))
    found.push(error(`${at}.keySecret.key`, `"${keySecret.key}" is no key that a Secret can have.`));
  return found;
}

function address(at: string, text: string): PolicyMistake[] {
  if (!URL.canParse(text)) return [error(at, 'is no URL. Write one as https://models.example.com.')];
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return [error(at, 'must begin with https://.')];
  const found: PolicyMistake[] = [];
  if (url.username !== '' || url.password !== '')
    found.push(
      error(at, 'holds credentials, which everybody who may see the policy can read. Use keySecret.'),
    );
  if (url.search !== '' || url.hash !== '')
    found.push(
      error(at, 'has a part behind ? or #. Write only what comes before the paths of the provider.'),
    );
  if (url.protocol === 'http:')
    found.push(warning(at, 'is not encrypted: prompts and the key can be read on the way. Use https://.'));
  if (/\/v1(beta|alpha)?\/?$/.test(url.pathname))
    found.push(
      warning(at, 'ends with a version, which stands in the paths of the provider already. Remove it.'),
    );
  return found;
}

function price(at: string, own: ModelPrice, before: readonly ModelPrice[]): PolicyMistake[] {
  const found: PolicyMistake[] = [];
  for (const rate of RATES) {
    const text = own[rate];
    if (text === undefined) continue;
    const amount = parseMoney(text);
    if (amount === undefined)
      found.push(error(`${at}.${rate}`, `"${text}" is no amount. Write one as 3.00.`));
    else if (amount === 0n && (rate === 'input' || rate === 'output'))
      found.push(warning(`${at}.${rate}`, 'is 0, so no budget holds it.'));
  }
  const covering = before.findIndex(({ model }) => coversGlob(model, own.model));
  if (covering >= 0)
    found.push(
      warning(`${at}.model`, `"${own.model}" is never reached: [${covering}] matches first. Put it before.`),
    );
  return found;
}
