// Speaks from the authority's own mesh address as soon as there is one, and from the new one when it changes.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Term } from '../../protocol/ids.ts'
import { type Downlink, type DownlinkOptions, startDownlink } from '../term/downlink.ts'
import { recordedTerm } from '../term/raise.ts'

export interface ServingOptions {
  clock: Clock
  log: Logger
  /** Where the authority stands now; undefined while its node has no address. */
  place(): { address: string; ports: DownlinkOptions['ports'] } | undefined
  /** Why there is none. */
  missing(): string
  downlink: Omit<DownlinkOptions, 'address' | 'ports'>
  /** The downlink is there (or gone). `signal` ends with it. */
  onChange(downlink: Downlink | undefined, signal: AbortSignal): void
}

export interface Serving {
  /** The place may have changed. */
  look(): void
  downlink(): Downlink | undefined
  /**
   * While there is no downlink: the last term under which anything can have been sent. Not always the one recorded, which
   * rises before the first packet: what is given out in between is for the reign that begins, not for the one after it.
   */
  lastTerm(): Term
  /** Why nothing is served: no address yet, or the port cannot be had. */
  reason(): string | undefined
}

/** Ports may be held by a process that is just ending. */
const RETRY_MS = 1_000

/** Runs until `signal` aborts. A second downlink never starts before the first has let go of its sockets. */
export function startServing(options: ServingOptions, signal: AbortSignal): Serving {
  const { clock, log } = options
  let current: { place: string; downlink: Downlink; stop: AbortController } | undefined
  let why: string | undefined = options.missing()
  let turn: Promise<void> = Promise.resolve()
  /** The place that could not be had, until it is tried again: every try raises the term. */
  let failed: string | undefined
  /** Recorded before the reign that begins. */
  let before: Term | undefined

  const key = (place: ReturnType<ServingOptions['place']>) => JSON.stringify(place)

  const settle = async (): Promise<void> => {
    const place = options.place()
    if (current && current.place === key(place)) return
    if (place && failed === key(place)) return
    if (current) {
      current.stop.abort(new Error('the authority moved'))
      current = undefined
      options.onChange(undefined, signal)
    }
    if (!place || signal.aborted) {
      why = options.missing()
      return
    }
    const stop = new AbortController()
    const both = AbortSignal.any([signal, stop.signal])
    before = recordedTerm(options.downlink.records)
    try {
      const downlink = await startDownlink({ ...options.downlink, ...place }, both)
      current = { place: key(place) as string, downlink, stop }
      why = undefined
      log.info({ address: place.address, term: downlink.reign.term() }, 'serving')
      options.onChange(downlink, both)
    } catch (error) {
      stop.abort(error)
      if (signal.aborted) return
      why = `${place.address}: ${(error as Error).message}`
      log.error({ address: place.address, error: (error as Error).message }, 'cannot serve, trying again')
      failed = key(place)
      clock.after(RETRY_MS, () => {
        failed = undefined
        look()
      })
    } finally {
      before = undefined
    }
  }
  const look = () => {
    turn = turn.then(settle, settle)
  }
  look()
  return {
    look,
    downlink: () => current?.downlink,
    lastTerm: () => before ?? recordedTerm(options.downlink.records),
    reason: () => why,
  }
}
