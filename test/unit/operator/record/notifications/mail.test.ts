/** Email over a real SMTP server on the loopback address. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';
import type { SMTPServerOptions } from 'smtp-server';
import type { Notification } from '../../../../../operator/record/notifications/events.ts';
import { isMailAddress, Mailer } from '../../../../../operator/record/notifications/mail.ts';
import type { SmtpSettings } from '../../../../../operator/record/notifications/mail.ts';
import { TestCertificates } from '../../../../support/certificates.ts';

const notification: Notification = {
  id: 'b'.repeat(32),
  event: 'session.failed',
  timestamp: '2030-01-01T00:00:00Z',
  namespace: 'team-a',
  message: 'Session s1 has failed: out of memory\r\nBcc: everybody@example.com',
  session: {
    name: 's1',
    uid: 'u1',
    displayName: 's1',
    phase: 'Failed',
    reason: 'OutOfMemory',
    createdBy: 'ann',
  },
};

const refusal = (responseCode: number) => Object.assign(new Error('no'), { responseCode });

describe('an email', () => {
  let server: SMTPServer | undefined;
  let mails: { to: string[]; source: string; secure: boolean; user: string | undefined }[];
  const signal = new AbortController().signal;

  beforeEach(() => (mails = []));
  afterEach(async () => {
    const open = server;
    server = undefined;
    if (open !== undefined) await new Promise<void>((resolve) => open.close(() => resolve()));
  });

  async function listening(options: SMTPServerOptions): Promise<number> {
    const made = new SMTPServer({
      logger: false,
      onData(stream, session, callback) {
        text(stream).then((source) => {
          mails.push({
            to: session.envelope.rcptTo.map(({ address }) => address),
            source,
            secure: session.secure === true,
            user: typeof session.user === 'string' ? session.user : undefined,
          });
          callback();
        }, callback);
      },
      ...options,
    });
    server = made;
    // A client that goes away is an error to the server, and what a test wants.
    made.on('error', () => undefined);
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    return (made.server.address() as AddressInfo).port;
  }

  const mailer = (port: number, more: Partial<SmtpSettings> = {}) =>
    new Mailer(
      {
        host: '127.0.0.1',
        port,
        security: 'none',
        user: undefined,
        password: undefined,
        from: 'ambient@example.com',
        ...more,
      },
      500,
    );
  const plain: SMTPServerOptions = { authOptional: true, disabledCommands: ['STARTTLS', 'AUTH'] };

  it('says in plain text what happened, to the recipient alone, whatever the message tries to add', async () => {
    const port = await listening(plain);
    assert.deepEqual(await mailer(port).send('ann@example.com', notification, signal), {
      outcome: 'delivered',
    });
    const [mail = assert.fail()] = mails;
    assert.deepEqual(mail.to, ['ann@example.com']);
    const [head = '', ...body] = mail.source.split('\r\n\r\n');
    assert.match(head, /^From: ambient@example\.com$/m);
    assert.match(head, /^To: ann@example\.com$/m);
    assert.doesNotMatch(head, /^Bcc:/m);
    assert.match(head, /^Subject: \[ambient\] team-a: Session s1 has failed: out of memory Bcc:/m);
    assert.match(head, /^Content-Type: text\/plain/m);
    assert.match(head, /^Auto-Submitted: auto-generated$/m);
    assert.match(head, new RegExp(`^Message-ID: <${notification.id}@ambient\\.ai>$`, 'mi'));
    assert.match(
      body.join(''),
      /Event: session\.failed\r\nTime: 2030-01-01T00:00:00Z\r\nNamespace: team-a\r\nSession: s1/,
    );
    assert.match(body.join(''), /Reason: OutOfMemory\r\nLaunched by: ann/);
  });

  it('goes to one address and nothing that would be more', () => {
    for (const good of ['ann@example.com', 'a.b+c@sub.example.co'])
      assert.equal(isMailAddress(good), true, good);
    for (const bad of [
      'ann',
      '@example.com',
      'ann@',
      'a@b@c',
      'a b@example.com',
      'a@example.com, b@example.com',
      'a@example.com\r\nBcc: b@example.com',
      '"a"@example.com',
      '<a@example.com>',
      'Ann <a@example.com>',
      'a@example.com>',
      'a;b@example.com',
      'a@-x.com',
    ])
      assert.equal(isMailAddress(bad), false, bad);
  });

  it('is not sent to what is no address', async () => {
    const attempt = await mailer(1).send('ann@example.com\r\nRCPT TO:<b@example.com>', notification, signal);
    assert.equal(attempt.outcome, 'refused');
  });

  it('waits while the operator has no mail server', async () => {
    const attempt = await new Mailer(undefined).send('ann@example.com', notification, signal);
    assert.equal(attempt.outcome, 'failed');
    assert.match(attempt.outcome === 'failed' ? attempt.reason : '', /--smtp-host/);
  });

  describe('over TLS with a password', () => {
    const auth: SMTPServerOptions = {
      authMethods: ['PLAIN', 'LOGIN'],
      onAuth({ username, password }, _, callback) {
        if (username === 'operator' && password === 'right') callback(null, { user: username });
        else callback(new Error('Invalid username or password'));
      },
    };

    for (const security of ['starttls', 'tls'] as const)
      it(`is sent by ${security}, signed in`, async () => {
        const { current, ca } = await TestCertificates.make();
        const port = await listening({ ...auth, secure: security === 'tls', ...current });
        const send = (password: string, trusted: string | undefined) =>
          mailer(port, { security, user: 'operator', password, ca: trusted }).send(
            'ann@example.com',
            notification,
            signal,
          );
        assert.deepEqual(await send('right', ca), { outcome: 'delivered' });
        assert.deepEqual(
          mails.map(({ secure, user }) => [secure, user]),
          [[true, 'operator']],
        );

        const wrong = await send('wrong', ca);
        assert.deepEqual(wrong, { outcome: 'failed', reason: 'the mail server answered 535 (EAUTH)' });
        const untrusted = await send('right', undefined);
        assert.equal(untrusted.outcome, 'failed', 'a certificate nobody vouches for is not believed');
        assert.equal(mails.length, 1);
      });

    it('is never sent in the clear when STARTTLS is asked for and not offered', async () => {
      const port = await listening(plain);
      const attempt = await mailer(port, { security: 'starttls' }).send(
        'ann@example.com',
        notification,
        signal,
      );
      assert.equal(attempt.outcome, 'failed');
      assert.equal(mails.length, 0);
    });
  });

  const REFUSALS: [step: 'recipient' | 'message', code: number, outcome: string][] = [
    ['recipient', 450, 'failed'],
    ['recipient', 550, 'refused'],
    ['message', 452, 'failed'],
    ['message', 554, 'refused'],
  ];
  for (const [step, code, outcome] of REFUSALS)
    it(`whose ${step} is answered ${code} is ${outcome}`, async () => {
      const port = await listening({
        ...plain,
        ...(step === 'recipient'
          ? { onRcptTo: (_address, _session, callback) => callback(refusal(code)) }
          : {
              onData: (stream, _session, callback) => {
                stream.resume();
                stream.on('end', () => callback(refusal(code)));
              },
            }),
      });
      const attempt = await mailer(port).send('ann@example.com', notification, signal);
      assert.equal(attempt.outcome, outcome);
      assert.match(attempt.outcome === 'delivered' ? '' : attempt.reason, new RegExp(String(code)));
    });

  it('is given up for now when the server takes the connection and says nothing', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const sockets = new Set<{ destroy(): void }>();
    silent.on('connection', (socket) => sockets.add(socket));
    const attempt = await mailer((silent.address() as AddressInfo).port).send(
      'ann@example.com',
      notification,
      signal,
    );
    assert.deepEqual(attempt, { outcome: 'failed', reason: 'the mail server did not take it (ETIMEDOUT)' });
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });

  it('is tried again when nobody takes the connection', async () => {
    const attempt = await mailer(1).send('ann@example.com', notification, signal);
    assert.equal(attempt.outcome, 'failed');
  });
});
