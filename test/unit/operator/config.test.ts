import assert from 'node:assert/strict';
import { describeOptions, readConfig } from '../../../operator/config.ts';

describe('operator configuration', () => {
  it('needs nothing inside a cluster', () => {
    const config = readConfig([], { POD_NAME: 'ambient-operator-abc', POD_NAMESPACE: 'platform' });
    assert.equal(config.namespace, 'platform');
    assert.equal(config.identity, 'ambient-operator-abc');
    assert.equal(config.runnerUrl, 'https://ambient-operator.platform.svc:8444');
    assert.deepEqual(
      [config.livePort, config.runnerPort, config.admissionPort, config.healthPort, config.workers],
      [8443, 8444, 9443, 8080, 20],
    );
    assert.equal(config.leaderElection, true);
    assert.equal(config.startPatienceMs, 300_000);
  });

  it('prefers a flag to a variable and a variable to the default', () => {
    assert.equal(readConfig(['--workers=3'], { AMBIENT_WORKERS: '4' }).workers, 3);
    assert.equal(readConfig([], { AMBIENT_WORKERS: '4' }).workers, 4);
    assert.equal(readConfig([], { AMBIENT_WORKERS: '' }).workers, 20);
  });

  it('names everything that is wrong at once, with flag, variable and what is allowed', () => {
    const env = { AMBIENT_LOG_LEVEL: 'loud', AMBIENT_NAMESPACE: 'Not A Name' };
    assert.throws(
      () =>
        readConfig(
          ['--workers=0', '--live-port=70000', '--runner-url=http://x', '--leader-election=maybe'],
          env,
        ),
      (error: Error) => {
        for (const part of [
          '--workers (AMBIENT_WORKERS) is "0", but must be a whole number from 1 to 1000',
          '--live-port',
          '--runner-url',
          '--leader-election',
          'AMBIENT_LOG_LEVEL',
          'AMBIENT_NAMESPACE',
        ])
          assert.ok(error.message.includes(part), `${part} in: ${error.message}`);
        return true;
      },
    );
    assert.throws(() => readConfig(['--wrokers=1'], {}), /wrokers/);
  });

  it('takes networks and a mail server for notifications, the password from the environment alone', () => {
    const { notify, smtp } = readConfig(
      ['--notify-allow=10.1.0.0/16, fd00:1::/64', '--smtp-host=mail', '--smtp-from=a@example.com'],
      { AMBIENT_SMTP_PASSWORD: 'secret', AMBIENT_SMTP_USER: 'operator' },
    );
    assert.equal(notify.plainHttp, false);
    assert.equal(notify.allowed.check('10.1.2.3', 'ipv4'), true);
    assert.equal(notify.allowed.check('10.2.2.3', 'ipv4'), false);
    assert.deepEqual(smtp, {
      host: 'mail',
      port: 587,
      security: 'starttls',
      user: 'operator',
      password: 'secret',
      from: 'a@example.com',
    });
    assert.equal(readConfig([], { AMBIENT_SMTP_PASSWORD: 'secret' }).smtp, undefined);
    assert.throws(() => readConfig(['--smtp-password=x'], {}), /smtp-password/);
    assert.throws(
      () => readConfig(['--notify-allow=10.0.0.0', '--smtp-host=mail', '--smtp-security=maybe'], {}),
      (error: Error) =>
        ['--notify-allow', '--smtp-from', '--smtp-security'].every((each) => error.message.includes(each)),
    );
  });

  it('leaves the runner URL open when the port is chosen at start', () => {
    assert.equal(readConfig(['--runner-port=0'], {}).runnerUrl, undefined);
  });

  it('takes CIDRs that runners shall not reach, and nothing that is none', () => {
    const closedBy = (value: string): string[] =>
      readConfig([`--runner-closed-cidrs=${value}`], {}).runnerClosedCidrs;
    assert.deepEqual(readConfig([], {}).runnerClosedCidrs, []);
    assert.deepEqual(closedBy('10.0.0.0/8, fd00::/8,'), ['10.0.0.0/8', 'fd00::/8']);
    for (const wrong of [
      '10.0.0.0',
      '10.0.0.0/33',
      '10.0.0.0/08',
      'fd00::/129',
      'x/8',
      '10.0.0.0/8/8',
      '10.0.0.0/-1',
    ])
      assert.throws(() => closedBy(wrong), /--runner-closed-cidrs .* must be CIDRs/, wrong);
  });

  it('takes what runners reach where no policy says, and that it is nothing', () => {
    const openedBy = (...args: string[]): string[] => readConfig(args, {}).runnerEgress;
    assert.deepEqual(openedBy(), ['0.0.0.0/0', '::/0']);
    assert.deepEqual(openedBy('--runner-egress=192.0.2.0/24'), ['192.0.2.0/24']);
    assert.deepEqual(openedBy('--runner-egress=none'), []);
    assert.throws(() => openedBy('--runner-egress=all'), /--runner-egress .* must be CIDRs/);
  });

  it('keeps data in a directory, or in a bucket of S3', () => {
    assert.deepEqual(readConfig([], {}).store, { kind: 'directory', root: '/var/lib/ambient' });
    const named = (...flags: string[]) =>
      readConfig(['--store=s3', ...flags], { AWS_REGION: 'eu-west-1' }).store;
    assert.deepEqual(named('--s3-bucket=agents'), {
      kind: 's3',
      place: { bucket: 'agents', prefix: '', endpoint: undefined, region: 'eu-west-1', pathStyle: false },
      credentialsDir: undefined,
      caFile: undefined,
    });
    assert.deepEqual(
      named(
        ...['--s3-bucket=agents', '--s3-prefix=/team/ambient/', '--s3-endpoint=https://minio:9000'],
        ...['--s3-region=x', '--s3-credentials-dir=/secret', '--s3-ca-file=/ca.pem'],
      ),
      {
        kind: 's3',
        place: {
          bucket: 'agents',
          prefix: 'team/ambient/',
          endpoint: 'https://minio:9000',
          region: 'x',
          pathStyle: true,
        },
        credentialsDir: '/secret',
        caFile: '/ca.pem',
      },
    );
    for (const [flags, problem] of [
      [[], /--s3-bucket \(AMBIENT_S3_BUCKET\) is "", but must be the name of a bucket/],
      [['--s3-bucket=agents', '--s3-endpoint=minio'], /--s3-endpoint/],
      [['--s3-bucket=agents', '--s3-path-style=maybe'], /true or false/],
      [['--s3-bucket=agents', '--s3-prefix=a//b'], /--s3-prefix/],
    ] as const)
      assert.throws(() => named(...flags), problem);
    assert.throws(() => readConfig(['--store=tape'], {}), /"tape", but must be one of directory, s3/);
  });

  it('describes every option', () => {
    const text = describeOptions();
    for (const name of ['workers', 'store-dir', 'lease-seconds'])
      assert.match(text, new RegExp(`--${name} .*\\[AMBIENT_`));
  });

  it('reads an OpenID Connect provider as kube-apiserver does, and says what is missing', () => {
    assert.equal(readConfig([], {}).oidc, undefined);
    const issuer = 'https://login.example.com';
    const { oidc } = readConfig(['--oidc-issuer-url', issuer, '--oidc-client-id=ambient, cli'], {});
    assert.deepEqual(oidc, {
      issuer,
      audiences: ['ambient', 'cli'],
      usernameClaim: 'sub',
      usernamePrefix: `${issuer}#`,
      groupsClaim: undefined,
      groupsPrefix: '',
      caFile: undefined,
      algorithms: ['RS256'],
    });
    const named = (...flags: string[]) =>
      readConfig([`--oidc-issuer-url=${issuer}`, '--oidc-client-id=a', ...flags], {}).oidc?.usernamePrefix;
    assert.equal(named('--oidc-username-claim=email'), '');
    assert.equal(named('--oidc-username-prefix=-'), '');
    assert.equal(named('--oidc-username-prefix=oidc:'), 'oidc:');
    for (const [flags, problem] of [
      [['--oidc-issuer-url=http://login.example.com', '--oidc-client-id=a'], /an https:\/\/ URL/],
      [[`--oidc-issuer-url=${issuer}`], /oidc-client-id/],
      [
        [`--oidc-issuer-url=${issuer}`, '--oidc-client-id=a', '--oidc-signing-algs=RS256,HS256'],
        /"HS256", but must be of/,
      ],
      [
        [`--oidc-issuer-url=${issuer}`, '--oidc-client-id=a', '--oidc-groups-prefix=system:'],
        /does not begin with system:/,
      ],
      [['--rest-trusted-proxies=10.0.0.0/8,everybody'], /"everybody", but must be CIDRs/],
      [['--rest-url=ambient.example.com'], /rest-url/],
    ] as const)
      assert.throws(() => readConfig(flags, {}), problem);
  });
});
