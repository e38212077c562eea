import { connectAdmin } from '../../authority/admin/client.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { findStateFolder } from '../state.ts'
import { ppnVersion } from '../version.ts'

/** `ppn version`: ours, and that of the running authority when there is one. */
export async function version(
  io: Io,
  options: { state?: string; output?: string; client?: boolean },
): Promise<ExitCode> {
  const client = options.client
    ? undefined
    : await findStateFolder(io, options.state).then(connectAdmin, () => undefined)
  const authority = client ? await client.version() : undefined
  if (options.output === 'json') {
    io.out(`${JSON.stringify({ client: { version: ppnVersion(), node: process.version }, authority }, null, 2)}\n`)
    return EXIT.ok
  }
  io.out(`ppn ${ppnVersion()} (Node.js ${process.version})\n`)
  if (authority) io.out(`authority ${authority.version} (pid ${authority.pid}, fleet ${authority.fleet})\n`)
  return EXIT.ok
}
