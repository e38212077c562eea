// The authority, for a verb that talks to it for minutes: it may be restarted in between.
import { type AdminClient, connectAdmin } from '../authority/admin/client.ts'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { findStateFolder } from './state.ts'

/** What a socket says while nobody is behind it. */
const GONE = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'])
const AGAIN_MS = 250
/** A Pairing does not live longer (DESIGN 7.4). */
const GIVE_UP_MS = 600_000

export type SteadyAdmin = <T>(call: (client: AdminClient) => Promise<T>) => Promise<T>

/**
 * Calls go to whoever is the authority now; while none answers they wait, say so once, and give up after ten minutes.
 * A call whose answer was lost is made again: only what may be done twice is to be called so. Throws when no authority
 * runs at the beginning.
 */
export async function steadyAdmin(io: Io, flag: string | undefined): Promise<SteadyAdmin> {
  const folder = await findStateFolder(io, flag)
  const none = () => new CliError(EXIT.unavailable, `no authority runs for ${folder}`, 'start it with `ppn up DIR`')
  let client = await connectAdmin(folder)
  if (!client) throw none()
  return async (call) => {
    const startedMs = io.clock.monotonic()
    for (let told = false; ; ) {
      if (client) {
        try {
          return await call(client)
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException
          if (code === undefined || !GONE.has(code)) throw error
          client = undefined
        }
      }
      if (io.clock.monotonic() - startedMs > GIVE_UP_MS) throw none()
      if (!told) io.err('the authority does not answer; going on as soon as it does\n')
      told = true
      await io.clock.sleep(AGAIN_MS, io.signal)
      client = await connectAdmin(folder).catch(() => undefined)
    }
  }
}
