/** Where decisions and accesses are recorded before they take effect. */
import type { AuditEvent } from '../../common/api/audit.ts';

export interface RecordOptions {
  /** Nobody notices if it takes a moment longer: it may wait for others to share their write with. */
  isPatient?: boolean;
}

export interface AuditTrail {
  /** Resolves when the record is durable. Throws audit_unavailable: then what was to be recorded must not happen. */
  record(event: AuditEvent, options?: RecordOptions): Promise<void>;
}
