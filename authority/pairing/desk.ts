// The ceremonies that are open, who is on the line for each, and how often somebody tried another code. One code, one
// machine at a time; the fifth failed confirmation burns it, over restarts too.
import { BURNED_AT, type CeremonyRefusal, MOST_DRAWS } from '../../api/ceremony.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Ceremonies, CeremonySession, CeremonyView, OpenCeremony } from '../../controllers/ports/ceremonies.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'

const failuresRecord = (uid: string) => `pairing-failures/${uid}`

/** One connection whose code was confirmed, as the desk sees it. */
export interface Line {
  refuse(reason: CeremonyRefusal): void
  /** The first bundle of this node, which is enrolled. */
  approve(nodeName: string): void
}

export interface Desk extends Ceremonies {
  /** The open ceremony under a rendezvous; undefined: none, expired, burned, or a claim, for which nobody calls in. */
  find(rendezvous: string): OpenCeremony | undefined
  /** Somebody tried another code under it. Counts at once, durably a moment later. */
  countFailure(uid: string): void
  /** The digits of a line are about to be known at its other end. False: too often, and the ceremony is burned. */
  drawDigits(uid: string): boolean
  /** A line whose digits are good for nothing, another one being there already. */
  giveDigitsBack(uid: string): void
  /** The code was confirmed on this line. False: another machine is on the line. */
  take(uid: string, line: Line): boolean
  /** The machine has shown its keys. */
  offered(uid: string, line: Line, session: Omit<CeremonySession, 'node'>): void
  answered(uid: string, line: Line, node: CeremonySession['node']): void
  /** Something changed that is no line of the desk's own. */
  touch(uid: string): void
  /** The line is gone. */
  hungUp(uid: string, line: Line): void
}

interface Entry {
  ceremony: OpenCeremony
  line?: Line
  session?: CeremonySession
}

export const sameIdentity = (a: NodeIdentity, b: NodeIdentity): boolean =>
  a.wireguardPublicKey === b.wireguardPublicKey &&
  a.commandPublicKey === b.commandPublicKey &&
  a.signingPublicKey === b.signingPublicKey

export interface DeskOptions {
  clock: Clock
  log: Logger
  records: RecordStore
  /** As the port's. */
  unavailable(): string | undefined
}

export function createDesk(options: DeskOptions): Desk {
  const { clock, log, records } = options
  const entries = new Map<string, Entry>()
  const failures = new Map<string, number>()
  const draws = new Map<string, number>()
  const listeners = new Set<(uid: string) => void>()
  let writing: Promise<void> = Promise.resolve()

  const changed = (uid: string) => {
    for (const listener of [...listeners]) listener(uid)
  }
  const failuresOf = (uid: string): number =>
    Math.max(failures.get(uid) ?? 0, (records.get(failuresRecord(uid))?.value as number | undefined) ?? 0)

  const inTurn = (write: () => Promise<unknown>) => {
    writing = writing
      .then(async () => void (await write()))
      .catch((error) => log.error({ err: String(error) }, 'a failed pairing attempt could not be written down'))
  }
  const persist = (uid: string) =>
    inTurn(() => records.put(failuresRecord(uid), failuresOf(uid), records.get(failuresRecord(uid))?.version ?? 0))
  const forget = (uid: string) => {
    failures.delete(uid)
    draws.delete(uid)
    inTurn(async () => {
      const stored = records.get(failuresRecord(uid))
      if (stored) await records.delete(stored.key, stored.version)
    })
  }
  const holder = (rendezvous: string) =>
    [...entries.values()].find(({ ceremony }) => ceremony.rendezvous === rendezvous)?.ceremony.uid
  const of = (uid: string, line: Line): Entry | undefined => {
    const entry = entries.get(uid)
    return entry?.line === line ? entry : undefined
  }
  const settle = (entry: Entry) => {
    const { ceremony, line, session } = entry
    if (!line || !session || !ceremony.enrolled) return
    if (sameIdentity(session.identity, ceremony.enrolled)) line.approve(ceremony.nodeName)
    else line.refuse('Used')
  }

  return {
    unavailable: options.unavailable,
    holder,
    open(ceremony) {
      if ((holder(ceremony.rendezvous) ?? ceremony.uid) !== ceremony.uid) return
      const entry = entries.get(ceremony.uid) ?? { ceremony }
      entry.ceremony = ceremony
      entries.set(ceremony.uid, entry)
      settle(entry)
    },
    close(uid, reason) {
      const entry = entries.get(uid)
      entries.delete(uid)
      entry?.line?.refuse(reason)
      if (reason === 'Withdrawn') forget(uid)
    },
    view(uid): CeremonyView {
      const { line, session } = entries.get(uid) ?? {}
      return { failures: failuresOf(uid), exchanging: line !== undefined && !session, ...(session && { session }) }
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    find(rendezvous) {
      const found = entries.get(holder(rendezvous) ?? '')?.ceremony
      if (!found || found.claim) return undefined
      // Enrolled, the code lets nobody in any more: trying others keeps the machine from its answer no longer.
      if (!found.enrolled && failuresOf(found.uid) >= BURNED_AT) return undefined
      return clock.now() < found.untilMs ? found : undefined
    },
    countFailure(uid) {
      failures.set(uid, failuresOf(uid) + 1)
      persist(uid)
      changed(uid)
    },
    drawDigits(uid) {
      // Its keys are known: digits decide nothing any more.
      if (entries.get(uid)?.ceremony.settled) return true
      const drawn = (draws.get(uid) ?? 0) + 1
      draws.set(uid, drawn)
      if (drawn <= MOST_DRAWS) return true
      failures.set(uid, BURNED_AT)
      persist(uid)
      changed(uid)
      return false
    },
    giveDigitsBack(uid) {
      draws.set(uid, Math.max(0, (draws.get(uid) ?? 0) - 1))
    },
    take(uid, line) {
      const entry = entries.get(uid)
      if (!entry || entry.line) return false
      entry.line = line
      changed(uid)
      return true
    },
    offered(uid, line, session) {
      const entry = of(uid, line)
      if (!entry) return
      entry.session = { ...session, node: 'silent' }
      settle(entry)
      changed(uid)
    },
    answered(uid, line, node) {
      const entry = of(uid, line)
      if (!entry?.session) return
      entry.session = { ...entry.session, node }
      changed(uid)
    },
    touch: changed,
    hungUp(uid, line) {
      const entry = of(uid, line)
      if (!entry) return
      delete entry.line
      delete entry.session
      changed(uid)
    },
  }
}
