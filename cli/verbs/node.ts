import { EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { requireAdmin } from '../state.ts'

/**
 * `ppn node bundle NAME`: the first bundle of a node provisioned by hand, on standard output, and on standard error
 * the fingerprint that the import demands: two ways, so that one forged file is not enough.
 */
export async function nodeBundle(io: Io, node: string, options: { state?: string }): Promise<ExitCode> {
  const client = await requireAdmin(io, options.state)
  const { armored, fingerprint } = await client.bundle(node)
  io.out(armored.endsWith('\n') ? armored : `${armored}\n`)
  io.err(`authority fingerprint: ${fingerprint}\non the node: ppn agent import --authority ${fingerprint} FILE\n`)
  return EXIT.ok
}

/** `ppn node sever NAME --through-brake`: the one effect that passes the brake; the audit says who asked for it. */
export async function nodeSever(io: Io, node: string, options: { state?: string }): Promise<ExitCode> {
  await (await requireAdmin(io, options.state)).severThroughBrake(node)
  io.out(`node ${node}: SEVER is being sent, through the brake\n`)
  return EXIT.ok
}
