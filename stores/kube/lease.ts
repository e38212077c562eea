// One leader among the replicas of an authority, by a coordination.k8s.io/v1 Lease. Numbers and rules are those of
// client-go's leaderelection, so that 15/10/2 means here what it means elsewhere.
//
// Nobody's wall clock is trusted: a Lease counts as abandoned when we have watched it stand still for its duration,
// and a leader stops `RENEW_WITHIN_MS` after it sent its last renewal that came through, both by a clock that also
// counts suspended time. What lies between is the time in which nobody leads.
import { z } from 'zod'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import { type KubeAnswer, type KubeApi, statusText } from './api.ts'

/** Whoever holds it may act for the fleet: a leader, or a move of the authority. */
export const AUTHORITY_LEASE = 'ppn-authority'
/** A Lease that stands still for this long is anybody's. */
export const LEASE_MS = 15_000
/** A leader that has not renewed for this long leads no more. */
export const RENEW_WITHIN_MS = 10_000
export const RETRY_MS = 2_000
/** A leader has time for a second try (client-go: half of the time to renew). */
const ANSWER_WITHIN_MS = RENEW_WITHIN_MS / 2

export interface LeaseOptions {
  api: KubeApi
  namespace: string
  name: string
  /** Of this replica and this process: another process, another name. */
  identity: string
  clock: Clock
  random01(): number
  log: Logger
  /** Called with who holds the Lease, each time it is seen. */
  onHolder?(identity: string | undefined): void
}

export interface Leadership {
  /** Aborts when leadership is lost or given back; the reason's `cause` is why, in words. */
  readonly signal: AbortSignal
  /**
   * Whether we lead at this very moment. To be asked right before each effect: after a suspension it is false at
   * once, while the signal needs a turn of the event loop.
   */
  holds(): boolean
  /** How often the Lease changed hands, this time included. */
  readonly transitions: number
  /** Gives the Lease back, so that the next leader need not wait. Never rejects. */
  release(): Promise<void>
}

const leaseSpec = z.object({
  holderIdentity: z.string().nullish(),
  leaseDurationSeconds: z.int().optional(),
  acquireTime: z.string().nullish(),
  renewTime: z.string().nullish(),
  leaseTransitions: z.int().optional(),
})
const lease = z.object({ metadata: z.object({ resourceVersion: z.string() }), spec: leaseSpec.default({}) })
type Lease = z.output<typeof lease>

/** Waits until this replica leads. Rejects only when `signal` aborts. */
export async function lead(options: LeaseOptions, signal: AbortSignal): Promise<Leadership> {
  const { api, namespace, name, identity, clock, random01, log } = options
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`
  const path = `${collection}/${encodeURIComponent(name)}`
  /** The Lease as last seen, and since when it has stood so. */
  let seen: { lease: Lease; sinceMs: number } | undefined

  const observe = ({ body }: KubeAnswer): Lease => {
    const now = lease.parse(body)
    if (seen?.lease.metadata.resourceVersion !== now.metadata.resourceVersion)
      seen = { lease: now, sinceMs: clock.monotonic() }
    options.onHolder?.(now.spec.holderIdentity || undefined)
    return now
  }
  const read = async (): Promise<Lease | undefined> => {
    const answer = await api.request({ method: 'GET', path, withinMs: ANSWER_WITHIN_MS })
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw new Error(statusText(answer))
    return observe(answer)
  }
  /** MicroTime of the API. */
  const micro = () => new Date(clock.now()).toISOString().replace('Z', '000Z')
  const claim = (before: Lease | undefined) => {
    const mine = before?.spec.holderIdentity === identity
    return {
      holderIdentity: identity,
      leaseDurationSeconds: LEASE_MS / 1000,
      acquireTime: mine ? before.spec.acquireTime : micro(),
      renewTime: micro(),
      leaseTransitions: (before?.spec.leaseTransitions ?? 0) + (mine || !before ? 0 : 1),
    }
  }
  /** Test-and-set: undefined when somebody else was faster. */
  const write = async (before: Lease | undefined, spec: object): Promise<Lease | undefined> => {
    const metadata = { name, namespace, ...(before && { resourceVersion: before.metadata.resourceVersion }) }
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }
    const answer = await api.request(
      before
        ? { method: 'PUT', path, body, withinMs: ANSWER_WITHIN_MS }
        : { method: 'POST', path: collection, body, withinMs: ANSWER_WITHIN_MS },
    )
    if (answer.status === 409 || answer.status === 404) return undefined
    if (answer.status !== 200 && answer.status !== 201) throw new Error(statusText(answer))
    return observe(answer)
  }
  const free = ({ spec }: Lease): boolean =>
    !spec.holderIdentity ||
    spec.holderIdentity === identity ||
    clock.monotonic() - (seen?.sinceMs ?? 0) >= (spec.leaseDurationSeconds ?? LEASE_MS / 1000) * 1000
  const pause = () => clock.sleep(RETRY_MS * (1 + 0.2 * random01()), signal)

  for (;;) {
    signal.throwIfAborted()
    const sentMs = clock.monotonic()
    try {
      const before = await read()
      if (!before || free(before)) {
        const won = await write(before, claim(before))
        if (won) {
          log.info({ lease: name, identity }, 'leading')
          return keep(won, sentMs)
        }
      }
    } catch (error) {
      log.debug({ lease: name, error: (error as Error).message }, 'the Lease cannot be had just now')
    }
    await pause()
  }

  function keep(won: Lease, sentMs: number): Leadership {
    const life = new AbortController()
    let held = won
    let deadlineMs = sentMs + RENEW_WITHIN_MS
    let guard = clock.after(RENEW_WITHIN_MS, () => lose('it could not be renewed in time'))
    const lose = (why: string) => {
      guard.cancel()
      if (life.signal.aborted) return
      life.abort(new Error(`leadership lost: ${why}`, { cause: why }))
      log.warn({ lease: name, identity, why }, 'leading no more')
    }
    const renew = async () => {
      const sent = clock.monotonic()
      const next = (await write(held, claim(held))) ?? (await again())
      if (!next || life.signal.aborted) return
      held = next
      deadlineMs = sent + RENEW_WITHIN_MS
      guard.cancel()
      guard = clock.after(Math.max(0, deadlineMs - clock.monotonic()), () => lose('it could not be renewed in time'))
    }
    /** Our last write may have come through without its answer; or another leads by now. */
    const again = async (): Promise<Lease | undefined> => {
      const now = await read()
      if (now?.spec.holderIdentity === identity) return write(now, claim(now))
      lose(`${now?.spec.holderIdentity ?? 'nobody'} holds it`)
      return undefined
    }
    const loop = (async () => {
      while (!life.signal.aborted) {
        await clock.sleep(RETRY_MS, life.signal).catch(() => {})
        if (life.signal.aborted) return
        await renew().catch((error: Error) => log.debug({ lease: name, error: error.message }, 'not renewed'))
      }
    })()
    const onAbort = () => lose('this process ends')
    signal.addEventListener('abort', onAbort, { once: true })
    return {
      signal: life.signal,
      holds: () => !life.signal.aborted && clock.monotonic() < deadlineMs,
      transitions: won.spec.leaseTransitions ?? 0,
      async release() {
        lose('given back')
        signal.removeEventListener('abort', onAbort)
        await loop
        const spec = { ...held.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: micro() }
        await write(held, spec).catch((error: Error) =>
          log.debug({ error: error.message }, 'the Lease was not given back'),
        )
      },
    }
  }
}
