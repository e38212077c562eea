import { PpnError } from '../../base/errors.ts'

/** A test-and-set lost this often in a row is no contention but a fault. */
const MAX_TRIES = 16

/**
 * Runs `attempt` anew, from its reads on, when another writer came between a read and its write (`Conflict`).
 * `onConflict` drops whatever was remembered of the records. Any other error, and the 16th conflict, is thrown.
 */
export async function contend<T>(attempt: () => Promise<T>, onConflict: () => void = () => {}): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof PpnError && error.code === 'Conflict') || tries === MAX_TRIES) throw error
      onConflict()
    }
  }
}
