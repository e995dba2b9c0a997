/** What a policy says to one call of a model: every rule that is broken, told so that agent and person can put it right. */
import type { ModelProvider } from '../../api/models.ts';
import { allowsName } from '../policy/narrow.ts';
import type { SessionPolicy } from '../policy/narrow.ts';
import { formatList, oneLine } from '../wording.ts';
import type { Price } from './price.ts';
import type { ModelRequest } from './protocol.ts';

const NAMES_SHOWN = 10;

/** Undefined: it may be made. */
export function callProblem(
  { model, tools, serverTools, surcharges }: ModelRequest,
  { provider, policy, price }: { provider: ModelProvider; policy: SessionPolicy; price: Price | undefined },
): string | undefined {
  const shown = oneLine(model);
  if (!allowsName(policy.models, model)) {
    const allowed = policy.models.allowed.at(-1);
    return `The namespace's policy does not allow the model ${shown}${allowed === undefined ? '' : `; allowed: ${formatList(allowed, NAMES_SHOWN)}`}.`;
  }
  const blocked = [...new Set(tools)].filter((tool) => !allowsName(policy.tools, tool));
  if (blocked.length > 0)
    return `The namespace's policy does not allow the ${blocked.length === 1 ? 'tool' : 'tools'} ${names(blocked)}. Start the agent without.`;
  if (serverTools.length > 0)
    return `Tools that ${provider} runs itself are not allowed, as they reach past the policy and their cost has no bound: ${names([...new Set(serverTools)])}. Start the agent without.`;
  if (surcharges.length > 0)
    return `What ${formatList(surcharges.map(oneLine), NAMES_SHOWN)} costs is not known. Leave it out.`;
  if (price === undefined)
    return `There is no price for the model ${shown}, and without one no budget can hold it. An administrator can add it to spec.models.prices of the namespace's policy.`;
  return undefined;
}

const names = (list: readonly string[]): string => formatList(list.map(oneLine), NAMES_SHOWN);
