import type { Registry as PromRegistry } from 'prom-client'
import type { Clock } from '../../base/clock.ts'
import type { Files } from '../../base/files.ts'
import type { Logger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Connection, Transport } from '../../base/transport.ts'
import type { PairingCodes } from '../../controllers/ports/pairing-codes.ts'
import type { Store } from '../../controllers/ports/store.ts'
import type { EventRecorder } from '../../controllers/ports/world.ts'
import type { RunRecord } from '../../controllers/runtime/history.ts'
import type { WireVersions } from '../../protocol/versions.ts'
import type { AuditLog } from '../audit.ts'
import type { Brake } from '../brake.ts'

export interface AuthorityOptions {
  /** Started by `startAuthority`; closed by its owner. */
  store: Store
  events: EventRecorder
  /** Where the runs of reconcilers go that are worth keeping. */
  keepRun?(run: RunRecord): void
  /** The state folder: keys/, nodes.jsonl, audit.jsonl, brake. */
  files: Files
  /** Another brake than the file in `files`. */
  brake?: Brake
  /** Another audit than the one in `files`. */
  auditLog?: AuditLog
  /** Reads codes out of Secrets; a folder has none. */
  pairingCodes?: PairingCodes
  /** The node beside whose agent this replica runs; the first of the Mesh's authority nodes when absent. */
  node?: string
  transport: Transport
  clock: Clock
  random: RandomBytes
  log: Logger
  /** Every metric is registered here, at zero. */
  metrics?: PromRegistry
  /** 5 s by default; 0 in tests that have nobody to listen for. */
  listenMs?: number
  /** Where machines call to join (section 7.4); nowhere when absent. The port is the Mesh's. */
  pairing?: { transport: Transport; address: string }
  /** How a machine that holds is called, for a claim (section 7.5); over this machine's networks when absent. */
  dialClaim?(address: string, signal: AbortSignal): Promise<Connection>
  /** Interfaces on which machines are told where to call; none by default. */
  beacon?: readonly string[]
  /** Versions of bundles written and of telemetry read; the built-in tables when absent. */
  versions?: Pick<WireVersions, 'bundle' | 'telemetry'>
}
