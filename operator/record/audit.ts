/** Where decisions and accesses are recorded before they take effect. */
import type { AuditEvent } from '../../common/api/audit.ts';

export interface AuditTrail {
  /** Resolves when the record is durable. Throws audit_unavailable: then what was to be recorded must not happen. */
  record(event: AuditEvent): Promise<void>;
}
