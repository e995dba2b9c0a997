/** What the REST door is made of, composed. */
import { readFile } from 'node:fs/promises';
import type { KubeClient } from '../common/kube/client.ts';
import type { Config } from './config.ts';
import { systemClock } from './controllers/clock.ts';
import { AccessReviews } from './serve/identity/access.ts';
import { Identities } from './serve/identity/identities.ts';
import { OidcTokens } from './serve/identity/oidc.ts';
import { ReviewedTokens } from './serve/identity/token-review.ts';
import { AddressLimits } from './serve/rest/limits.ts';
import { Links } from './serve/rest/links.ts';
import type { RestServerOptions } from './serve/rest/server.ts';
import { addArtifactServices } from './serve/rest/services/artifacts.ts';
import { addDownloadService } from './serve/rest/services/download.ts';
import { addNamespaceServices } from './serve/rest/services/namespaces.ts';
import { addSessionServices } from './serve/rest/services/sessions.ts';
import { addStreamServices } from './serve/rest/services/streams.ts';
import { addVerbServices } from './serve/rest/services/verbs.ts';
import type { OperatorCertificates } from './serve/tls/certificates.ts';
import type { Accesses } from './sessions/accesses.ts';
import type { Approvals } from './sessions/approvals.ts';
import type { Artifacts } from './sessions/artifacts.ts';
import type { BudgetRaises } from './sessions/budget-raises.ts';
import type { Launches } from './sessions/launch.ts';
import { Listings } from './sessions/listing.ts';
import type { SessionLog } from './sessions/log.ts';
import type { SessionLookup } from './sessions/lookup.ts';
import type { Namespaces } from './sessions/namespaces.ts';
import type { Policies } from './sessions/policies.ts';
import type { Messages } from './sessions/messages.ts';
import type { Resumes } from './sessions/resumes.ts';
import type { Stops } from './sessions/stop.ts';
import { allOf } from './watches.ts';
import type { Watches } from './watches.ts';

export interface RestPartsOptions {
  config: Config;
  client: KubeClient;
  watches: Watches;
  sessions: SessionLookup;
  artifacts: Artifacts;
  policies: Policies;
  accesses: Accesses;
  sessionLog: SessionLog;
  stops: Stops;
  approvals: Approvals;
  raises: BudgetRaises;
  messages: Messages;
  resumes: Resumes;
  namespaces: Namespaces;
  launches: Launches;
  certificates: Pick<OperatorCertificates, 'linkKeys'>;
}

const BURST_SECONDS = 4;

const elapsed = (): number => systemClock.elapsed();
const now = (): Date => new Date(systemClock.now());

/** What must end with the door is put on the stack. Throws when the provider's authority cannot be read. */
export async function restParts(
  options: RestPartsOptions,
  stack: AsyncDisposableStack,
): Promise<
  Pick<RestServerOptions, 'identities' | 'access' | 'limits' | 'services' | 'ready' | 'trustedProxies'>
> {
  const { config, client, watches, sessions, artifacts, policies, accesses } = options;
  const { sessionLog, stops, approvals, raises, messages, resumes, namespaces, launches, certificates } =
    options;
  const oidc = await oidcOf(config);
  if (oidc !== undefined) stack.use(oidc);
  const listings = new Listings(watches.sessions.store);
  const { restPerSecond: perSecond, restTrustedProxies: trustedProxies } = config;
  return {
    identities: new Identities(new ReviewedTokens({ reviewer: client, now, elapsed }), oidc),
    access: new AccessReviews({ reviewer: client, elapsed }),
    limits: new AddressLimits({ perSecond, burst: perSecond * BURST_SECONDS, elapsed }),
    services: (scope, guard) => {
      const links = new Links({ guard, publicUrl: config.restUrl, keys: () => certificates.linkKeys, now });
      addSessionServices(scope, guard, { sessions, namespaces, listings, launches, accesses, links });
      addArtifactServices(scope, guard, { sessions, artifacts, accesses, links });
      addDownloadService(scope, guard, { sessions, artifacts, accesses, links });
      addStreamServices(scope, guard, { sessions, log: sessionLog, accesses });
      addVerbServices(scope, guard, { sessions, stops, approvals, raises, messages, resumes, accesses });
      addNamespaceServices(scope, guard, { namespaces, policies, listings });
    },
    ready: () => allOf(watches).every(({ reflector }) => reflector.state.lastSync !== undefined),
    ...(trustedProxies.length === 0 ? {} : { trustedProxies }),
  };
}

async function oidcOf({ oidc }: Config): Promise<OidcTokens | undefined> {
  if (oidc === undefined) return undefined;
  const { caFile, ...settings } = oidc;
  const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8');
  return new OidcTokens({ settings: { ...settings, ca }, now });
}
