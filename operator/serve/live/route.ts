/** Which verb of which session a request means. Exactly the paths of common/api/live.ts; everything else is not found. */
import { LIVE_GROUP, VERSION } from '../../../common/api/names.ts';
import { AmbientError } from '../../../common/errors.ts';
import { parseTarget } from '../http/path.ts';

export type Verb =
  | 'log'
  | 'artifacts'
  | 'artifact'
  | 'source'
  | 'stop'
  | 'approve'
  | 'reject'
  | 'message'
  | 'interrupt'
  | 'budget'
  | 'resume'
  | 'audit';

export interface Route {
  verb: Verb;
  namespace: string;
  session: string;
  /** Of an artifact; not yet known to be safe. */
  path: string;
  query: URLSearchParams;
}

const METHODS: Record<Verb, readonly string[]> = {
  log: ['GET'],
  artifacts: ['GET'],
  artifact: ['GET', 'HEAD'],
  source: ['GET', 'PUT'],
  stop: ['POST'],
  approve: ['POST'],
  reject: ['POST'],
  budget: ['POST'],
  message: ['POST'],
  interrupt: ['POST'],
  resume: ['POST'],
  audit: ['GET'],
};

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Throws not_found, unsafe_path. Methods are checked apart, by `allowedMethods`. */
export function routeOf(url: string): Route {
  const { segments, query } = parseTarget(url);
  const [apis, group, version, namespaces, namespace = '', sessions, session = '', verb = '', ...rest] =
    segments;
  const isOurs =
    apis === 'apis' &&
    group === LIVE_GROUP &&
    version === VERSION &&
    namespaces === 'namespaces' &&
    sessions === 'sessions' &&
    LABEL.test(namespace) &&
    SUBDOMAIN.test(session);
  if (!isOurs || !isVerb(verb) || (verb !== 'artifacts' && rest.length > 0)) {
    throw new AmbientError('not_found', 'the live API has no such path');
  }
  const path = rest.join('/');
  return { verb: path === '' ? verb : 'artifact', namespace, session, path, query };
}

export const allowedMethods = (verb: Verb): readonly string[] => METHODS[verb];

const isVerb = (text: string): text is Exclude<Verb, 'artifact'> =>
  text !== 'artifact' && Object.hasOwn(METHODS, text);
