// Ceremonies in progress. Implemented by authority/pairing over TCP 9202; one for every Pairing that is open.
import type { CeremonyRefusal } from '../../api/ceremony.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'

/** A Pairing as the desk needs it. */
export interface OpenCeremony {
  /** Of the Pairing. */
  uid: string
  nodeName: string
  rendezvous: string
  /** `XXXX-XXXX`. */
  code: string
  /** Clock.now() after which the code is worthless. */
  untilMs: number
  /** A claim: the machine is called here; whoever calls in by this rendezvous is nobody. */
  claim?: { address: string; grant?: string }
  /** Its keys are known by digits that were typed: further ones decide nothing, and cost nothing. */
  settled?: true
  /** Enrolled already: that machine is given its answer, as often as it asks; every other one is refused. */
  enrolled?: NodeIdentity
}

/** The machine that is on the line and has shown that it knows the code. */
export interface CeremonySession {
  identity: NodeIdentity
  agentVersion: string
  hostname: string
  /** Where it called from. */
  from: string
  /** The six digits, as our screen has them. Never in a status: they would be copied from there. */
  sas: string
  /** What was said at the node about its digits. */
  node: 'silent' | 'person' | 'trustCode' | 'differs'
}

export interface CeremonyView {
  /** Confirmations that failed under this rendezvous, over restarts of the authority too. */
  failures: number
  /** Somebody is on the line, yet has not shown its keys. */
  exchanging: boolean
  /** Of a claim: what came of the last call, in words. */
  calling?: string
  session?: CeremonySession
}

export interface Ceremonies {
  /** Why nobody can join here: no port is open. Undefined: machines may call. */
  unavailable(): string | undefined
  /** The Pairing that has this rendezvous now. */
  holder(rendezvous: string): string | undefined
  /** Level triggered: the ceremony of this Pairing as it shall be. Ignored while another one has its rendezvous. */
  open(ceremony: OpenCeremony): void
  /** Whoever is on the line is told why. `Withdrawn` also forgets what was counted: the Pairing is gone. */
  close(uid: string, reason: CeremonyRefusal): void
  view(uid: string): CeremonyView
  /** Called with the Pairing's uid. */
  subscribe(listener: (uid: string) => void): () => void
}
