// What must be known of a ceremony after a restart of the authority.
import type { CeremonyRefusal } from '../../api/ceremony.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { PairedBy } from '../ports/registry.ts'

export interface PairingRecord {
  /** Clock.now() of first sight: the window begins. */
  startedMs: number
  /** Whose digits the operator typed: the keys of that machine, whatever line it calls from later. */
  matched?: NodeIdentity
  /** Both sides have said yes: the machine is enrolled, whatever becomes of its line, its window or its code. */
  decided?: { by: PairedBy; identity: NodeIdentity }
  /** How it ended; never changes. */
  end?: { phase: 'Approved' | 'Denied' | 'Expired' | 'Burned'; atMs: number; why?: CeremonyRefusal }
}

export const pairingRecord = (uid: string) => `pairing/${uid}`
