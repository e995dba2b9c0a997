/** The door to models, composed of its parts; what needs an end goes on the stack. */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { KubeClient } from '../common/kube/client.ts';
import { systemClock } from './controllers/clock.ts';
import type { AuditTrail } from './record/audit.ts';
import type { AddressRules } from './record/notifications/addresses.ts';
import { readSecret } from './record/notifications/secrets.ts';
import { ModelDoor } from './serve/models/door.ts';
import { modelMeters } from './serve/models/meters.ts';
import type { RunnerIdentity } from './serve/runners/identity.ts';
import { RunnerRefusals } from './serve/runners/refusals.ts';
import type { Accesses } from './sessions/accesses.ts';
import type { Costs } from './sessions/costs.ts';
import type { SessionLookup } from './sessions/lookup.ts';
import { BudgetStates } from './sessions/models/budget-states.ts';
import { ModelCharges } from './sessions/models/charges.ts';
import { ModelGateway } from './sessions/models/gateway.ts';
import { Holds } from './sessions/models/holds.ts';
import { LostCalls } from './sessions/models/lost-calls.ts';
import { OpenSessions } from './sessions/models/open-sessions.ts';
import { ProviderKeys } from './sessions/models/provider-keys.ts';
import { ModelRefusals } from './sessions/models/refusals.ts';
import { Reservations } from './sessions/models/reservations.ts';
import { Shortages } from './sessions/models/shortages.ts';
import { Upstream } from './sessions/models/upstream.ts';
import type { Policies } from './sessions/policies.ts';
import type { ArtifactStore } from './store/store.ts';

export interface ModelDoorParts {
  rules: AddressRules;
  /** Of this replica; one process at a time has it. */
  replica: string;
  client: KubeClient;
  store: ArtifactStore;
  audit: AuditTrail;
  sessions: SessionLookup;
  policies: Policies;
  costs: Costs;
  identity: RunnerIdentity;
  accesses: Accesses;
  registry: Registry;
  /** A session was told to stop for want of money. */
  budgetStopped: () => void;
  log: Logger;
}

const PROCESS_BYTES = 6;

export interface ModelDoorMade {
  door: ModelDoor;
  /** What other processes have left behind. */
  lostCalls: LostCalls;
}

export function makeModelDoor(parts: ModelDoorParts, stack: AsyncDisposableStack): ModelDoorMade {
  const {
    rules,
    replica,
    client,
    store,
    audit,
    sessions,
    policies,
    costs,
    identity,
    accesses,
    registry,
    budgetStopped,
    log,
  } = parts;
  const elapsed = (): number => systemClock.elapsed();
  const meters = modelMeters(registry);
  // In the order in which they end last: calls are cut, then charged, then nothing is connected any more.
  const upstream = stack.use(new Upstream({ rules }));
  const process = randomBytes(PROCESS_BYTES).toString('hex');
  const openSessions = stack.use(
    new OpenSessions({
      store,
      process,
      identity: replica,
      clock: systemClock,
      onError: (err) => log.warn({ err }, 'which calls are under way was not stored; trying again'),
    }),
  );
  const charges = stack.use(
    new ModelCharges({
      costs,
      openSessions,
      process,
      clock: systemClock,
      onError: (err, { metadata: { namespace, name: session } }) =>
        log.warn({ err, namespace, session }, 'a charge was not stored; trying again'),
    }),
  );
  const shortages = new Shortages({
    states: new BudgetStates({ client, store, audit, now: () => new Date(), onStopped: budgetStopped }),
    sessions,
    policies,
    clock: systemClock,
    onError: (err, { metadata: { namespace, name: session } }) =>
      log.warn({ err, namespace, session }, 'telling that a budget was raised failed'),
  });
  const gateway = stack.use(
    new ModelGateway({
      sessions,
      policies,
      keys: new ProviderKeys({ read: (...reference) => readSecret(client, ...reference), elapsed }),
      upstream,
      holds: new Holds({
        sessions,
        policies,
        costs,
        reservations: new Reservations({ clock: systemClock, random: Math.random }),
        charges,
        shortages,
        log,
      }),
      refusals: new ModelRefusals({
        audit,
        now: () => Date.now(),
        onError: (err) => log.warn({ err }, 'recording a refused call failed'),
      }),
      meters,
      elapsed,
      log,
    }),
  );
  return {
    door: new ModelDoor({ gateway, identity, refusals: new RunnerRefusals({ identity, accesses }), meters }),
    lostCalls: new LostCalls({ store, client, costs, process, identity: replica, clock: systemClock, log }),
  };
}
