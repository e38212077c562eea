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

/** `ppn node sever NAME`: for a stolen machine. `--through-brake`: the one effect that passes the brake. */
export async function nodeSever(
  io: Io,
  node: string,
  options: { state?: string; throughBrake?: boolean },
): Promise<ExitCode> {
  const throughBrake = options.throughBrake ?? false
  await (await requireAdmin(io, options.state)).sever(node, throughBrake)
  io.out(
    `node ${node}: SEVER is being sent${throughBrake ? ', through the brake' : ''}; its keys are refused for good\n`,
  )
  if (throughBrake) io.out('the hubs drop it when the brake is released\n')
  io.out(`its archives run on there until somebody stops that machine; see: ppn get archives\n`)
  io.out(`take its file out of the folder, or give the name to another machine: ppn pair --node ${node}\n`)
  return EXIT.ok
}

/** `ppn node leave NAME`: in good order; workloads go on, and its keys may come back. */
export async function nodeLeave(io: Io, node: string, options: { state?: string }): Promise<ExitCode> {
  await (await requireAdmin(io, options.state)).leave(node)
  io.out(`node ${node} is told to leave the mesh; its workloads go on\n`)
  io.out('its file still names it: take it out of the folder, or the Node stays, as Left, and keeps its address\n')
  io.out(
    `to let it join again: ppn agent --leave --forget there, then ppn join there and ppn pair --node ${node} here\n`,
  )
  return EXIT.ok
}
