/**
 * What the operator's TLS Secret holds, and when which part of it is made anew. An authority is exchanged in three steps, days
 * apart, so that nobody ever meets a certificate they cannot check: publish the next one, sign with it, forget the old one.
 */
import { checkSignature, factsOf, isDue, joinPem, makeAuthority, makeLeaf, splitPem } from './authority.ts';
import type { KeyPair } from './authority.ts';

export interface Material {
  /** Signs leaves. */
  authority: KeyPair;
  /** Trusted already, to sign when everybody knows it. */
  next?: KeyPair;
  /** PEM of former authorities, trusted as long as they are valid. */
  retired: string[];
  leaf: KeyPair;
  /** Part of the admission door's paths, which only kube-apiserver shall know; '' in a Secret from before there was one. */
  token: string;
  /** For addresses that are good for a while, oldest first; none in a Secret from before there were any. */
  linkKeys: LinkKey[];
}

/** All that are there are taken; the last whose time has come signs. */
export interface LinkKey {
  /** Hexadecimal. */
  key: string;
  from: Date;
}

/** Longer than a session may last: its pod was told at its start whom to trust. */
export const ANNOUNCED_DAYS = 10;
const DAY_MS = 24 * 3600_000;
/** After which the next key for addresses is made. */
export const LINK_KEY_DAYS = 30;
/** Known to all replicas for so long before it signs, and after the next one signs: much longer than an address lives. */
export const LINK_KEY_OVERLAP_DAYS = 1;

/** PEM: whom clients shall trust. */
export const bundleOf = ({ authority, next, retired }: Material): string =>
  joinPem([authority.cert, ...(next === undefined ? [] : [next.cert]), ...retired]);

export async function makeMaterial(names: readonly string[], now: Date): Promise<Material> {
  const authority = await makeAuthority(now);
  const leaf = await makeLeaf(authority, names, now);
  return { authority, retired: [], leaf, token: newToken(), linkKeys: renewLinkKeys([], now) };
}

/** The API server's errors name the whole path to whoever launches while nobody answers: tokens must not live long. */
export const exchangeToken = (material: Material): Material => ({ ...material, token: newToken() });

/** 256 random bits, for a path: hexadecimal, as a segment of a webhook's path must be a lowercase DNS subdomain. */
const newToken = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex');

/** The same list when nothing is due. */
function renewLinkKeys(keys: LinkKey[], now: Date): LinkKey[] {
  const daysSince = ({ from }: LinkKey): number => (now.getTime() - from.getTime()) / DAY_MS;
  const newest = keys.at(-1);
  if (newest === undefined) return [{ key: newToken(), from: now }];
  const due = keys.filter((_, i) => {
    const next = keys[i + 1];
    return next === undefined || daysSince(next) < LINK_KEY_OVERLAP_DAYS;
  });
  if (daysSince(newest) >= LINK_KEY_DAYS)
    due.push({ key: newToken(), from: new Date(now.getTime() + LINK_KEY_OVERLAP_DAYS * DAY_MS) });
  else if (due.length === keys.length) return keys;
  return due;
}

/** By which addresses are signed, and those by which they may have been. */
export function linkKeysAt({ linkKeys }: Material, now: Date): { signing: Buffer; accepted: Buffer[] } {
  const started = linkKeys.filter(({ from }) => from <= now);
  // Of a clock that goes after the others' the oldest will do.
  const signing = started.at(-1) ?? linkKeys[0];
  if (signing === undefined) throw new Error('there is no key for addresses yet');
  const bytes = ({ key }: LinkKey): Buffer => Buffer.from(key, 'hex');
  return { signing: bytes(signing), accepted: linkKeys.map(bytes) };
}

/** The same object when nothing is due. */
export async function renewMaterial(
  material: Material,
  names: readonly string[],
  now: Date,
): Promise<Material> {
  let { authority, next, retired, leaf, token } = material;
  const isExpired = (pem: string): boolean => factsOf(pem).notAfter <= now;
  if (isExpired(authority.cert)) return await makeMaterial(names, now);
  if (token === '') token = newToken();
  const linkKeys = renewLinkKeys(material.linkKeys, now);
  if (retired.some(isExpired)) retired = retired.filter((pem) => !isExpired(pem));
  if (next === undefined && isDue(factsOf(authority.cert), now)) next = await makeAuthority(now);
  const announcedSince = next === undefined ? Infinity : factsOf(next.cert).notBefore.getTime();
  if (next !== undefined && now.getTime() - announcedSince >= ANNOUNCED_DAYS * DAY_MS) {
    retired = [authority.cert, ...retired];
    authority = next;
    next = undefined;
  }
  const facts = factsOf(leaf.cert);
  const isMeantFor = names.every((name) => facts.names.includes(name));
  if (authority !== material.authority || isDue(facts, now) || !isMeantFor) {
    leaf = await makeLeaf(authority, names, now);
  }
  const isSame =
    authority === material.authority &&
    next === material.next &&
    retired === material.retired &&
    leaf === material.leaf &&
    token === material.token &&
    linkKeys === material.linkKeys;
  const renewed = { authority, retired, leaf, token, linkKeys };
  return isSame ? material : { ...renewed, ...(next === undefined ? {} : { next }) };
}

/** As base64 for a Secret of type kubernetes.io/tls. */
export function toSecretData(material: Material): Record<string, string> {
  const { authority, next, leaf, token, linkKeys } = material;
  const texts: Record<string, string> = {
    'tls.crt': leaf.cert,
    'tls.key': leaf.key,
    'ca.crt': bundleOf(material),
    'ca.key': authority.key,
    'admission-token': token,
    'link-key': linkKeys.map(({ key, from }) => `${key} ${from.toISOString()}`).join('\n'),
    ...(next === undefined ? {} : { 'next-ca.crt': next.cert, 'next-ca.key': next.key }),
  };
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, Buffer.from(text).toString('base64')]),
  );
}

/** Throws when a part is missing or does not fit the others. */
export async function fromSecretData(data: Record<string, string>): Promise<Material> {
  const text = (name: string): string => {
    const value = data[name];
    if (value === undefined || value === '') throw new Error(`${name} is missing`);
    return Buffer.from(value, 'base64').toString('utf8');
  };
  const [signer, ...others] = splitPem(text('ca.crt'));
  if (signer === undefined) throw new Error('ca.crt holds no certificate');
  const leaf = { cert: text('tls.crt'), key: text('tls.key') };
  await checkSignature(leaf.cert, signer);
  const token = data['admission-token'] === undefined ? '' : text('admission-token');
  const linkKeys = data['link-key'] === undefined ? [] : parseLinkKeys(text('link-key'));
  const authority = { cert: signer, key: text('ca.key') };
  const material: Material = { authority, retired: others, leaf, token, linkKeys };
  if (data['next-ca.crt'] === undefined) return material;
  const next = { cert: text('next-ca.crt'), key: text('next-ca.key') };
  const [same] = splitPem(next.cert);
  return { ...material, next, retired: others.filter((pem) => pem !== same) };
}

/** A line each. One without its time is from before there was one, and hence due. */
function parseLinkKeys(text: string): LinkKey[] {
  return text.split('\n').flatMap((line) => {
    const [, key, time = ''] = /^([0-9a-f]{64})(?: (\S+))?$/.exec(line) ?? [];
    const from = Date.parse(time);
    return key === undefined ? [] : [{ key, from: new Date(Number.isNaN(from) ? 0 : from) }];
  });
}
