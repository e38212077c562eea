// Law 12: a person can stop everything that goes out. The brake is a file, or an annotation on a cluster; its presence is
// the brake, its text the reason. Set is what an unreadable brake is, too.
import type { Clock, Timer } from '../base/clock.ts'
import type { Files } from '../base/files.ts'

export const BRAKE_FILE = 'brake'
/** Law 12: what is looked at before an effect is never older than this. */
export const BRAKE_MAX_AGE_MS = 5_000
/** How often `watch` looks, so that lifting the brake is noticed while nothing wants to go out. */
const BRAKE_POLL_MS = 2_000

/** What a brake that gives no reason says. */
const NO_REASON = 'no reason given'
const REASON_LENGTH = 256

export interface BrakeState {
  set: boolean
  reason?: string
}

export interface Brake {
  /** Reads the source now. Never rejects: what cannot be read is set. */
  read(): Promise<BrakeState>
  /**
   * True: effects may go out. To be awaited before every outgoing packet or push (a batch sent in the same turn of
   * the event loop counts as one); answers from memory while the last reading is younger than 5 s.
   */
  guard(): Promise<boolean>
  /** As last read, for status; set until it was read once. */
  last(): BrakeState
  /** Reads every 2 s until the signal aborts. */
  watch(signal: AbortSignal): void
  /** Called when the state as read has changed. */
  subscribe(listener: (state: BrakeState) => void): () => void
}

/** Where the brake is: a reading, and how a person changes it. */
export interface BrakeSource {
  /** The reason as it stands there now; undefined: not set. Rejects when it cannot be read. */
  look(): Promise<string | undefined>
  set(reason: string): Promise<void>
  release(): Promise<void>
}

export const brakeFile = (files: Files): BrakeSource => ({
  async look() {
    const bytes = await files.read(BRAKE_FILE)
    return bytes && new TextDecoder().decode(bytes)
  },
  set: (reason) => files.write(BRAKE_FILE, Buffer.from(`${reason}\n`)),
  release: () => files.remove(BRAKE_FILE),
})

export const fileBrake = ({ files, clock }: { files: Files; clock: Clock }): Brake =>
  brakeAt({ source: brakeFile(files), clock })

export function brakeAt(options: { source: Pick<BrakeSource, 'look'>; clock: Clock }): Brake {
  const { source, clock } = options
  const listeners = new Set<(state: BrakeState) => void>()
  let last: BrakeState = { set: true, reason: 'not read yet' }
  let readAtMs = Number.NEGATIVE_INFINITY

  const look = async (): Promise<BrakeState> => {
    try {
      const text = await source.look()
      if (text === undefined) return { set: false }
      return { set: true, reason: text.trim().slice(0, REASON_LENGTH) || NO_REASON }
    } catch (error) {
      return { set: true, reason: `the brake cannot be read: ${(error as Error).message}` }
    }
  }
  const read = async (): Promise<BrakeState> => {
    // The age counts from the beginning of the reading: the source may change while it is read.
    const startedMs = clock.monotonic()
    const state = await look()
    // A slow reading that ends after a later one is the older news.
    if (startedMs < readAtMs) return last
    const changed = state.set !== last.set || state.reason !== last.reason
    last = state
    readAtMs = startedMs
    if (changed) for (const listener of [...listeners]) listener(state)
    return state
  }

  return {
    read,
    guard: async () => !(clock.monotonic() - readAtMs < BRAKE_MAX_AGE_MS ? last : await read()).set,
    last: () => last,
    watch(signal) {
      let timer: Timer | undefined
      const poll = async (): Promise<void> => {
        await read()
        if (!signal.aborted) timer = clock.after(BRAKE_POLL_MS, () => void poll())
      }
      signal.addEventListener('abort', () => timer?.cancel(), { once: true })
      void poll()
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
