import assert from 'node:assert/strict';
import { AmbientError } from '../../../../common/errors.ts';
import type { KubeError } from '../../../../common/kube/errors.ts';
import {
  isAlreadyExists,
  isConflict,
  isForbidden,
  isGone,
  isInvalid,
  isNotFound,
  isTransient,
  isUnauthorized,
  isUnreachable,
  noAnswer,
  refusal,
  statusError,
} from '../../../../common/kube/errors.ts';

const status = (code: number, reason: string, extra: object = {}): string =>
  JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code,
    reason,
    message: `it is ${reason}`,
    ...extra,
  });
const refused = (code: number, reason: string, extra?: object): KubeError =>
  refusal(code, status(code, reason, extra), { request: 'GET /x' });
const failing = (code: string, message = 'failed'): Error => Object.assign(new Error(message), { code });

describe('a refusal by the API server', () => {
  it('keeps its status, reason, message and causes, and is an error of the catalogue', () => {
    const error = refused(409, 'Conflict', {
      details: { causes: [{ reason: 'already_finished' }], retryAfterSeconds: 3 },
    });
    assert.ok(error instanceof AmbientError);
    assert.equal(error.status, 409);
    assert.equal(error.reason, 'Conflict');
    assert.equal(error.message, 'it is Conflict');
    assert.equal(error.code, 'conflict');
    assert.equal(error.causeCode, 'already_finished');
    assert.equal(error.retryAfterSeconds, 3);
  });

  it('is told apart by what can be done about it', () => {
    const checks = {
      isNotFound,
      isConflict,
      isAlreadyExists,
      isGone,
      isForbidden,
      isUnauthorized,
      isInvalid,
      isTransient,
    };
    const matching = (error: unknown): string[] =>
      Object.entries(checks).flatMap(([name, check]) => (check(error) ? [name] : []));
    assert.deepEqual(matching(refused(404, 'NotFound')), ['isNotFound']);
    assert.deepEqual(matching(refused(409, 'Conflict')), ['isConflict']);
    assert.deepEqual(matching(refused(409, 'AlreadyExists')), ['isAlreadyExists']);
    assert.deepEqual(matching(refused(410, 'Expired')), ['isGone']);
    assert.deepEqual(matching(refused(403, 'Forbidden')), ['isForbidden']);
    assert.deepEqual(matching(refused(401, 'Unauthorized')), ['isUnauthorized']);
    assert.deepEqual(matching(refused(422, 'Invalid')), ['isInvalid']);
    for (const code of [429, 500, 502, 503, 504])
      assert.deepEqual(matching(refused(code, 'X')), ['isTransient']);
    assert.deepEqual(matching(new Error('anything')), []);
  });

  it('shows a beginning of a body that is no Status, such as a proxy’s page', () => {
    const error = refusal(502, `<html>\n${'x'.repeat(5000)}`, {
      request: 'GET https://c/x',
      retryAfter: '7',
    });
    assert.match(error.message, /^GET https:\/\/c\/x was answered with status 502: <html> xxx/);
    assert.ok(error.message.length < 500);
    assert.equal(error.retryAfterSeconds, 7);
    assert.equal(refusal(500, '', { request: 'GET /x' }).message, 'GET /x was answered with status 500');
  });

  it('may arrive as an event of a watch', () => {
    const error = statusError({
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      code: 410,
      reason: 'Expired',
      message: 'old',
    });
    assert.ok(isGone(error));
  });
});

describe('a request without an answer', () => {
  it('says why in words, with status 0', () => {
    const cases: [string, string, string][] = [
      ['ECONNREFUSED', 'Unreachable', 'unreachable'],
      ['ENOTFOUND', 'Unreachable', 'unreachable'],
      ['UND_ERR_SOCKET', 'Unreachable', 'unreachable'],
      ['UND_ERR_CONNECT_TIMEOUT', 'Timeout', 'timeout'],
      ['UND_ERR_HEADERS_TIMEOUT', 'Timeout', 'timeout'],
      ['DEPTH_ZERO_SELF_SIGNED_CERT', 'TlsError', 'unreachable'],
      ['ERR_TLS_CERT_ALTNAME_INVALID', 'TlsError', 'unreachable'],
      ['UND_ERR_DESTROYED', 'Closed', 'unavailable'],
    ];
    for (const [code, reason, catalogue] of cases) {
      const error = noAnswer(failing(code), 'https://c');
      assert.deepEqual([error.status, error.reason, error.code], [0, reason, catalogue], code);
      assert.match(error.message, /https:\/\/c/);
      assert.equal(isUnreachable(error), reason !== 'Closed', code);
      assert.equal(isTransient(error), reason === 'Unreachable' || reason === 'Timeout', code);
    }
  });

  it('joins the reasons of several addresses', () => {
    const both = Object.assign(new AggregateError([failing('E', 'no route A'), failing('E', 'no route B')]), {
      code: 'ECONNREFUSED',
    });
    assert.match(noAnswer(both, 's').message, /no route A; no route B/);
  });
});
