import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connectAdmin } from '../../authority/admin/client.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { findStateFolder } from '../state.ts'

export interface BrakeOptions {
  state?: string
  reason?: string
}

/**
 * `ppn brake on|off|status`. The brake is a file in the state folder, so that it can be set while the authority is
 * down or deaf; a running one is told as well, so that the audit names the reason.
 */
export async function brake(io: Io, action: string, options: BrakeOptions): Promise<ExitCode> {
  const folder = await findStateFolder(io, options.state)
  const file = join(folder, 'brake')
  const client = await connectAdmin(folder)
  if (action === 'status') {
    const state = client ? (await client.health()).brake : { set: existsSync(file), reason: undefined }
    io.out(state.set ? `set${state.reason ? `: ${state.reason}` : ''}\n` : 'not set\n')
    return state.set ? EXIT.no : EXIT.ok
  }
  if (action !== 'on' && action !== 'off')
    throw new CliError(
      EXIT.usage,
      `brake is on, off or status, not "${action}"`,
      'e.g. ppn brake on --reason "moving the rack"',
    )
  const reason = options.reason ?? 'set by hand'
  if (client) await client.brake(action === 'on', reason)
  else if (action === 'on') await writeFile(file, `${reason}\n`, { mode: 0o600 })
  else await rm(file, { force: true })
  io.out(action === 'on' ? 'brake set: no command and no bundle goes out\n' : 'brake released\n')
  return EXIT.ok
}
