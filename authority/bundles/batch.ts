// The nodes that changed under one revision, from its first push to its APPLY. One batch at a time: that is how
// revision N+1 comes after APPLY N.
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Revision } from '../../protocol/ids.ts'
import { BRAKE_LOOK_MS, LAGGARD_MS } from './limits.ts'
import { judgeBatch, type MemberSituation } from './rollout.ts'

export interface ApplyResult {
  sent: readonly string[]
  held: readonly { reason: string }[]
}

export interface BatchOptions {
  clock: Clock
  log: Logger
  /** APPLY to every Connected node. Everything held because of the brake means that it did not go out. */
  broadcastApply(revision: Revision): Promise<ApplyResult>
  /** Asks the brake; false stops. */
  mayGoOn(): Promise<boolean>
  /** Nothing may be sent to this member for now, through no fault of its own: its time does not run. */
  isHeldUp(node: string): boolean
  /** Undefined: the batch need not care for it any more. */
  situation(node: string): MemberSituation | undefined
  /** APPLY has gone out, or nobody needs it. */
  onClose(revision: Revision, members: ReadonlySet<string>): void
}

export interface BatchRunner {
  isOpen(): boolean
  has(node: string, revision: Revision): boolean
  open(revision: Revision, members: ReadonlySet<string>): void
  /** A member's bundle, which waits for APPLY, goes out now. */
  notePush(revision: Revision): void
  /** Something changed, at most about this node: is it time? Harmless at any time. */
  check(node?: string): void
  /** Forgets the batch; what it was stays in the records. */
  drop(): void
}

interface OpenBatch {
  revision: Revision
  members: ReadonlySet<string>
  /** Clock.monotonic() from which laggards are waited for. */
  openedMs: number
  pushed: boolean
  applying: boolean
}

export function batchRunner(options: BatchOptions): BatchRunner {
  const { clock, log, mayGoOn } = options
  let current: OpenBatch | undefined
  let timer: Timer | undefined
  /** The member that is known to be missing: news of others cannot end the wait. */
  let missing: string | undefined

  const checkIn = (ms: number, first: () => Promise<unknown> = async () => {}): void => {
    timer = clock.after(ms, () => void first().then(() => check()))
  }

  function check(node?: string): void {
    if (node !== undefined && missing !== undefined && node !== missing) return
    missing = undefined
    timer?.cancel()
    timer = undefined
    const batch = current
    if (!batch || batch.applying) return
    const nowMs = clock.monotonic()
    const members = [...batch.members]
    if (members.some(options.isHeldUp)) {
      batch.openedMs = nowMs
      checkIn(BRAKE_LOOK_MS, mayGoOn)
      return
    }
    const situations = members.flatMap((node) => options.situation(node) ?? [])
    const verdict = judgeBatch(situations, nowMs - batch.openedMs, LAGGARD_MS, batch.pushed)
    if (verdict.do === 'wait') {
      missing = verdict.on
      checkIn(verdict.ms)
    } else if (verdict.do === 'close') close(batch)
    else {
      batch.applying = true
      void apply(batch)
    }
  }

  async function apply(batch: OpenBatch): Promise<void> {
    try {
      if (await mayGoOn()) {
        const { sent, held } = await options.broadcastApply(batch.revision)
        if (sent.length > 0 || held.length === 0 || held.some(({ reason }) => reason !== 'Braked')) return close(batch)
      }
    } catch (error) {
      log.error({ revision: batch.revision, error: String(error) }, 'APPLY could not be sent')
    }
    batch.applying = false
    if (current === batch) checkIn(BRAKE_LOOK_MS)
  }

  function close(batch: OpenBatch): void {
    if (current !== batch) return
    current = undefined
    options.onClose(batch.revision, batch.members)
  }

  return {
    isOpen: () => current !== undefined,
    has: (node, revision) => current?.revision === revision && current.members.has(node),
    open(revision, members) {
      missing = undefined
      current = { revision, members, openedMs: clock.monotonic(), pushed: false, applying: false }
    },
    notePush(revision) {
      if (current?.revision === revision) current.pushed = true
    },
    check,
    drop() {
      timer?.cancel()
      timer = undefined
      current = undefined
    },
  }
}
