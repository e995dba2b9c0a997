/** What of the network may be opened to agents: whatever a policy names, never what gives away the cluster or its nodes. */
import { covers, formatCidr, parseCidr } from './cidr.ts';

/**
 * What answers there gives away the node's identity and keys: link-local addresses with the metadata services of most clouds,
 * and those that lie elsewhere (AWS over IPv6, Alibaba Cloud, Azure's host).
 */
export const ALWAYS_CLOSED = [
  '169.254.0.0/16',
  'fe80::/10',
  'fd00:ec2::254/128',
  '100.100.100.200/32',
  '168.63.129.16/32',
] as const;

/** The `ipBlock` of a NetworkPolicy. */
export interface OpenBlock {
  cidr: string;
  /** Absent, not empty: as the API server stores it. */
  except?: string[];
}

/** The block less everything closed; undefined when nothing is left of it, or when it cannot be read: then nothing is opened. */
export function openBlock(
  cidr: string,
  except: readonly string[],
  closed: readonly string[],
): OpenBlock | undefined {
  const block = parseCidr(cidr);
  if (block === undefined) return undefined;
  const holes = new Set<string>();
  for (const text of [...ALWAYS_CLOSED, ...except, ...closed]) {
    const hole = parseCidr(text);
    if (hole === undefined || covers(hole, block)) return undefined;
    // Kubernetes refuses an exception that lies elsewhere.
    if (covers(block, hole)) holes.add(formatCidr(hole));
  }
  return { cidr: formatCidr(block), ...(holes.size === 0 ? {} : { except: [...holes] }) };
}
