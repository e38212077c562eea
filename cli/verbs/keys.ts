import { EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { requireAdmin } from '../state.ts'

/** `ppn keys`: the public halves, and what nodes pin. */
export async function keys(io: Io, options: { state?: string; output?: string }): Promise<ExitCode> {
  const client = await requireAdmin(io, options.state)
  const k = await client.keys()
  if (options.output === 'json') {
    io.out(`${JSON.stringify(k, null, 2)}\n`)
    return EXIT.ok
  }
  io.out(`authority    ${k.authorityId}\n`)
  io.out(`signing key  ${k.signingFingerprint}\n`)
  io.out(`command key  ${k.commandPublicKey}\n`)
  io.out(`operator key ${k.operatorFingerprint}\n`)
  if (k.operatorSecretHere)
    io.err(`warning: ${k.operatorSecretPath} replaces a lost or stolen authority: move it off this machine\n`)
  return EXIT.ok
}
