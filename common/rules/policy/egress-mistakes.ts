/** What is wrong with the blocks that a policy opens to its sessions. */
import type { NamespacePolicySpec } from '../../api/namespace-policy.ts';
import { covers, formatCidr, parseCidr } from '../cidr.ts';
import { openBlock } from '../egress.ts';
import { error, warning } from './mistake.ts';
import type { PolicyMistake } from './mistake.ts';

const PATH = 'spec.network.egress';

export function egressMistakes({ network, tools }: NamespacePolicySpec): PolicyMistake[] {
  const { egress = [] } = network ?? {};
  const found = egress.flatMap(({ cidr, except = [] }, index) => rule(`${PATH}[${index}]`, cidr, except));
  if (egress.length > 0 && tools?.restrictions?.network === true)
    found.push(
      warning(PATH, 'has no effect, as spec.tools.restrictions.network is true. Remove one of the two.'),
    );
  return found;
}

function rule(at: string, cidr: string, except: readonly string[]): PolicyMistake[] {
  const block = parseCidr(cidr);
  if (block === undefined) return [unreadable(`${at}.cidr`, cidr)];
  const found = bits(`${at}.cidr`, cidr);
  for (const [index, text] of except.entries()) {
    const path = `${at}.except[${index}]`;
    const hole = parseCidr(text);
    if (hole === undefined) found.push(unreadable(path, text));
    else if (!covers(block, hole)) found.push(warning(path, `"${text}" is not within ${cidr}. Remove it.`));
    else found.push(...bits(path, text));
  }
  if (found.every(({ severity }) => severity !== 'error') && openBlock(cidr, except, []) === undefined)
    found.push(
      error(`${at}.cidr`, `nothing of "${cidr}" can be opened: all of it is excepted or always closed.`),
    );
  return found;
}

const unreadable = (path: string, text: string): PolicyMistake =>
  error(path, `"${text}" is no block of addresses, so nothing is opened. Write one as 192.0.2.0/24.`);

/** Typed by hand, such a block is often not the one that was meant. */
function bits(path: string, text: string): PolicyMistake[] {
  const block = parseCidr(text);
  const [address = ''] = text.split('/');
  const exact = parseCidr(`${address}/${block?.family === 6 ? 128 : 32}`);
  return block === undefined || exact?.base === block.base
    ? []
    : [warning(path, `"${text}" counts as ${formatCidr(block)}. Write that, or another length.`)];
}
