/** The operator's certificates: what is made, when it is renewed, and that nobody is ever left with one they cannot check. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { AUTHORITY_DAYS, factsOf, LEAF_DAYS, splitPem } from '../../../../operator/serve/tls/authority.ts';
import {
  ANNOUNCED_DAYS,
  bundleOf,
  fromSecretData,
  linkKeysAt,
  makeMaterial,
  renewMaterial,
  toSecretData,
} from '../../../../operator/serve/tls/material.ts';
import type { Material } from '../../../../operator/serve/tls/material.ts';

const NAMES = [
  'ambient-operator.ambient-system.svc',
  'ambient-operator.ambient-system.svc.cluster.local',
  '10.0.0.1',
];
const START = new Date('2030-01-01T00:00:00Z');
const DAY_MS = 24 * 3600_000;
const after = (days: number): Date => new Date(START.getTime() + days * DAY_MS);

/** Does someone who trusts this bundle trust the leaf? */
const trusts = (bundle: string, leaf: string): boolean => {
  const certificate = new X509Certificate(leaf);
  return splitPem(bundle).some((pem) => {
    const authority = new X509Certificate(pem);
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
  });
};

describe('the operator’s certificates', () => {
  it('are for all its names, by an authority of its own', async () => {
    const material = await makeMaterial(NAMES, START);
    const leaf = new X509Certificate(material.leaf.cert);
    assert.ok(trusts(bundleOf(material), material.leaf.cert));
    assert.equal(
      leaf.checkHost('ambient-operator.ambient-system.svc'),
      'ambient-operator.ambient-system.svc',
    );
    assert.equal(leaf.checkIP('10.0.0.1'), '10.0.0.1');
    assert.equal(leaf.checkHost('other.svc'), undefined);
    assert.equal(leaf.ca, false);
    assert.equal(leaf.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
    assert.deepEqual(factsOf(material.leaf.cert).names, NAMES);
  });

  it('come back from the Secret as they went in', async () => {
    const material = await makeMaterial(NAMES, START);
    assert.deepEqual(await fromSecretData(toSecretData(material)), {
      ...material,
      authority: { ...material.authority, cert: splitPem(material.authority.cert)[0] },
    });
  });

  it('are refused when the Secret was tampered with', async () => {
    const data = toSecretData(await makeMaterial(NAMES, START));
    const other = toSecretData(await makeMaterial(NAMES, START));
    await assert.rejects(fromSecretData({}), /missing/);
    await assert.rejects(fromSecretData({ ...data, 'ca.crt': 'eA==' }));
    await assert.rejects(fromSecretData({ ...data, 'ca.crt': other['ca.crt'] ?? '' }), /not signed/);
  });

  it('stay until two thirds of the leaf’s life are over', async () => {
    const material = await makeMaterial(NAMES, START);
    const early = await renewMaterial(material, NAMES, after((LEAF_DAYS * 2) / 3 - 1));
    assert.equal(early.leaf, material.leaf);
    const renewed = await renewMaterial(material, NAMES, after((LEAF_DAYS * 2) / 3 + 1));
    assert.notEqual(renewed.leaf.cert, material.leaf.cert);
    assert.equal(renewed.authority, material.authority);
    assert.ok(trusts(bundleOf(material), renewed.leaf.cert));
  });

  it('are renewed when the operator gets another name', async () => {
    const material = await makeMaterial(NAMES, START);
    const renewed = await renewMaterial(material, [...NAMES, 'new.svc'], START);
    assert.ok(factsOf(renewed.leaf.cert).names.includes('new.svc'));
    assert.equal(await renewMaterial(renewed, NAMES, START), renewed);
  });

  it('can always be checked by whoever learnt the bundle up to ten days ago, over two exchanges of the authority', async function () {
    this.timeout(60_000);
    const due = (AUTHORITY_DAYS * 2) / 3;
    // Closely around the exchanges, and otherwise just often enough for the leaf.
    const isNear = (day: number): boolean => day % due < 25 || due - (day % due) < 26;
    let material: Material = await makeMaterial(NAMES, START);
    let bundles: { day: number; bundle: string }[] = [];
    const authorities = new Set<string>();
    const checked = new Set<string>();
    for (let day = 1; day < 2 * due + 40; day += isNear(day) ? 4 : 25) {
      const renewed = await renewMaterial(material, NAMES, after(day));
      // Through the Secret, as another replica would.
      if (renewed !== material) material = await fromSecretData(toSecretData(renewed));
      authorities.add(material.authority.cert);
      assert.ok(factsOf(material.leaf.cert).notAfter > after(day), `the leaf has expired on day ${day}`);
      bundles.push({ day, bundle: bundleOf(material) });
      bundles = bundles.filter((old) => day - old.day <= ANNOUNCED_DAYS);
      for (const old of bundles) {
        const pair = `${old.bundle}${material.leaf.cert}`;
        if (checked.has(pair)) continue;
        checked.add(pair);
        assert.ok(trusts(old.bundle, material.leaf.cert), `day ${day} with the bundle of day ${old.day}`);
      }
    }
    assert.equal(authorities.size, 3);
    assert.ok(splitPem(bundleOf(material)).length <= 3);
  });

  it('come with a token for the admission door, which outlives them and is given to a Secret that has none', async () => {
    const material = await makeMaterial(NAMES, START);
    assert.match(material.token, /^[0-9a-f]{64}$/, 'what the API server takes in the path of a service');
    assert.notEqual((await makeMaterial(NAMES, START)).token, material.token);
    const { 'admission-token': _, ...former } = toSecretData(material);
    const read = await fromSecretData(former);
    assert.equal(read.token, '');
    const renewed = await renewMaterial(read, NAMES, START);
    assert.equal(renewed.token.length, 64);
    assert.equal(renewed.leaf.cert, material.leaf.cert);
    assert.equal((await renewMaterial(renewed, NAMES, after(61))).token, renewed.token);
  });

  it('come with keys for addresses, each a month, which every replica knows a day before it signs and a day after', async () => {
    const replicas = [await makeMaterial(NAMES, START), await makeMaterial(NAMES, START)];
    let secret = toSecretData(replicas[0] ?? assert.fail());
    const signing = new Set<string>();
    /** Who looks into the Secret, and renews what is due, every 20 hours: the one 10 hours after the other. */
    // Around the exchanges.
    const isNear = (day: number): boolean => day < 1 || day % 31 > 28 || day % 31 < 3;
    for (let hour = 0; hour < 70 * 24; hour += 10) {
      if (!isNear(hour / 24)) continue;
      const now = after(hour / 24);
      const standing = await fromSecretData(secret);
      const renewed = await renewMaterial(standing, NAMES, now);
      if (renewed !== standing) secret = toSecretData(renewed);
      replicas[(hour / 10) % 2] = await fromSecretData(secret);
      if (hour === 0) replicas[1] = await fromSecretData(secret);
      const keys = replicas.map((each) => linkKeysAt(each, now));
      // As long ago as an address may be given out and still be good.
      const before = replicas.map((each) => linkKeysAt(each, new Date(now.getTime() - 20 * 60_000)));
      for (const { signing: key } of [...keys, ...before])
        for (const { accepted } of keys)
          assert.ok(
            accepted.some((each) => each.equals(key)),
            `hour ${hour}`,
          );
      for (const { signing: key, accepted } of keys) {
        signing.add(key.toString('hex'));
        assert.ok(accepted.length <= 2);
      }
    }
    assert.equal(signing.size, 3);
    const { linkKeys } = await fromSecretData(secret);
    assert.ok(
      linkKeys.every(({ from }) => from >= after(62)),
      'former keys are gone',
    );
  });

  it('come with keys for addresses that are others at once when they are taken out of the Secret, and exchanged when nobody knows since when they are', async () => {
    const material = await makeMaterial(NAMES, START);
    const { 'link-key': _, ...without } = toSecretData(material);
    const anew = await renewMaterial(await fromSecretData(without), NAMES, after(3));
    const [former, next] = [linkKeysAt(material, START), linkKeysAt(anew, after(3))];
    assert.equal(next.accepted.length, 1);
    assert.notDeepEqual(next.signing, former.signing);
    const timeless = Buffer.from(former.signing.toString('hex')).toString('base64');
    const olden = await fromSecretData({ ...without, 'link-key': timeless });
    const renewed = await renewMaterial(olden, NAMES, after(3));
    assert.deepEqual(linkKeysAt(renewed, after(3)).signing, former.signing);
    assert.notDeepEqual(linkKeysAt(renewed, after(4)).signing, former.signing);
    assert.deepEqual(linkKeysAt(renewed, after(4)).accepted[0], former.signing);
  });

  it('are made anew when even the authority has expired, as after a long sleep', async () => {
    const material = await makeMaterial(NAMES, START);
    const renewed = await renewMaterial(material, NAMES, after(4000));
    assert.notEqual(renewed.authority.cert, material.authority.cert);
    assert.ok(factsOf(renewed.leaf.cert).notAfter > after(4000));
  });
});
