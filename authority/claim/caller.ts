// Claims (DESIGN 7.5): ceremonies in which the authority dials, because the machine holds and waits to be called. What
// is said, shown and decided is the desk's, as when a machine calls; here is only the telephone.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Connection } from '../../base/transport.ts'
import type { Ceremonies, OpenCeremony } from '../../controllers/ports/ceremonies.ts'
import { fromBase64 } from '../../protocol/keys.ts'
import { encodeClaim } from '../../protocol/pairing/claim-frame.ts'
import { initiate } from '../../protocol/pairing/initiator.ts'
import type { Desk } from '../pairing/desk.ts'
import { runSession, type SessionEnd } from '../pairing/session.ts'

/** Between calls to a machine that cannot be reached: doubled each time. */
const REDIAL_MS = { first: 2_000, most: 30_000 } as const
/** A machine that holds answers one claim a minute; more often is only asking. */
const SILENT_AGAIN_MS = 10_000
/** A line that was lost after the code was confirmed. */
const LOST_AGAIN_MS = 2_000

/** Calls at a time until the code is confirmed: a machine gives each 10 s, which fifty at once would spend waiting. */
const AT_ONCE = 8

const SILENT = 'it listens and says nothing: it answers once a minute, and some images only with --operator-key'

export interface CallerOptions {
  clock: Clock
  random: RandomBytes
  log: Logger
  desk: Desk
  signingPublicKey: Uint8Array
  authorityFingerprint: string
  /** May anything go out now? The brake. */
  guard(): Promise<boolean>
  /** `address` as it was declared. */
  dial(address: string, signal: AbortSignal): Promise<Connection>
  firstBundle(nodeName: string, signal: AbortSignal): Promise<string>
}

interface Call {
  ceremony: OpenCeremony
  said: string
  over: AbortController
}

/** Turns in order of asking. The result gives it back; calling it twice is harmless. */
function turns(count: number): (signal: AbortSignal) => Promise<() => void> {
  const waiting: (() => void)[] = []
  let free = count
  const next = () => {
    free++
    waiting.shift()?.()
  }
  return async (signal) => {
    while (free === 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.push(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
      await promise
      if (signal.aborted) {
        // Whoever has gone must neither be woken nor have been woken in another's place.
        const at = waiting.indexOf(resolve)
        if (at >= 0) waiting.splice(at, 1)
        else waiting.shift()?.()
      }
      signal.throwIfAborted()
    }
    free--
    let given = false
    return () => {
      if (!given) next()
      given = true
    }
  }
}

type Outcome = 'done' | 'wrongCode' | 'silent' | 'lost'

/** The desk, with a telephone. Ends every call when `signal` aborts. */
export function callingDesk(options: CallerOptions, signal: AbortSignal): Ceremonies {
  const { clock, desk, log } = options
  const calls = new Map<string, Call>()
  const turn = turns(AT_ONCE)

  const say = (call: Call, text: string) => {
    if (call.said === text) return
    call.said = text
    desk.touch(call.ceremony.uid)
  }
  const run = async (call: Call): Promise<void> => {
    const until = AbortSignal.any([signal, call.over.signal])
    let redialMs: number = REDIAL_MS.first
    while (clock.now() < call.ceremony.untilMs && call.ceremony.claim) {
      let waitMs: number = redialMs
      redialMs = Math.min(2 * redialMs, REDIAL_MS.most)
      const giveBack = await turn(until)
      try {
        if (await options.guard()) {
          const connection = await options.dial(call.ceremony.claim.address, until)
          redialMs = REDIAL_MS.first
          const outcome = await talk(options, call.ceremony, connection, giveBack, until)
          if (outcome === 'done' || outcome === 'wrongCode') return
          waitMs = outcome === 'silent' ? SILENT_AGAIN_MS : LOST_AGAIN_MS
          say(call, outcome === 'silent' ? SILENT : 'the line was lost, calling again')
        } else say(call, 'the brake is set: nobody is called')
      } catch (error) {
        until.throwIfAborted()
        say(call, `cannot be reached: ${(error as Error).message}`)
      } finally {
        giveBack()
      }
      await clock.sleep(waitMs, until)
    }
  }

  return {
    ...desk,
    open(ceremony) {
      desk.open(ceremony)
      const call = calls.get(ceremony.uid)
      if (call) call.ceremony = ceremony
      if (call || !ceremony.claim || signal.aborted || desk.holder(ceremony.rendezvous) !== ceremony.uid) return
      const made: Call = { ceremony, said: 'calling', over: new AbortController() }
      calls.set(ceremony.uid, made)
      run(made).catch((error) => {
        if (!signal.aborted && !made.over.signal.aborted) log.error({ err: String(error) }, 'a claim ended')
      })
    },
    close(uid, reason) {
      // The machine on the line is told first.
      desk.close(uid, reason)
      calls.get(uid)?.over.abort(new Error(reason))
      calls.delete(uid)
    },
    view(uid) {
      const call = calls.get(uid)
      return { ...desk.view(uid), ...(call && { calling: call.said }) }
    },
  }
}

/** One call; resolves when the line is over. `onConfirmed`: the machine knows the code, and now people are waited for. */
function talk(
  options: CallerOptions,
  ceremony: OpenCeremony,
  connection: Connection,
  onConfirmed: () => void,
  signal: AbortSignal,
) {
  const { uid, rendezvous, code, nodeName, claim } = ceremony
  const { random, desk, signingPublicKey, log } = options
  const grant = claim?.grant === undefined ? undefined : fromBase64(claim.grant, 64)
  const { hello, handshake } = initiate({ purpose: 'claim', selector: rendezvous, code, random })
  return new Promise<Outcome>((resolve) => {
    let confirmed = false
    const ended = (why: SessionEnd | undefined) => {
      signal.removeEventListener('abort', hangUp)
      log.info({ node: nodeName, address: claim?.address, ended: why ?? 'Approved' }, 'a claim call ended')
      if (why === undefined) return resolve('done')
      if (confirmed) return resolve('lost')
      if (why === 'Refused') desk.countFailure(uid)
      const wrong = why === 'Refused' || why === 'NotConfirmed'
      resolve(wrong ? 'wrongCode' : 'silent')
    }
    const session = runSession({
      ...options,
      connection,
      from: claim?.address ?? connection.remoteAddress,
      call: { handshake, first: encodeClaim(signingPublicKey, hello, grant), uid, nodeName },
      mayGreet: () => true,
      confirmed: () => {
        confirmed = true
        onConfirmed()
      },
      ended,
    })
    const hangUp = () => session.end('HungUp')
    signal.addEventListener('abort', hangUp, { once: true })
    if (signal.aborted) hangUp()
  })
}
