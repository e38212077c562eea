import { CliError, EXIT, type ExitCode } from '../exit.ts'
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

/** Between two looks at how far it is. */
const LOOK_EVERY_MS = 1_000

/**
 * `ppn keys rotate NODE...|--all`: asked once, done by the authority, one node after the other, hubs last. Following it
 * may be broken off; `--status` shows it again. 1: a key was not rotated, and the old one stays.
 */
export async function keysRotate(
  io: Io,
  nodes: string[],
  options: { state?: string; all?: boolean; status?: boolean; wait?: boolean },
): Promise<ExitCode> {
  const client = await requireAdmin(io, options.state)
  if (!options.status) {
    if (options.all === nodes.length > 0)
      throw new CliError(EXIT.usage, 'name nodes, or say --all', 'e.g. ppn keys rotate edge-1')
    await client.rotateKeys(options.all ? 'all' : nodes)
  }
  const told = new Map<string, string>()
  const concerned = (node: string) => options.all || nodes.length === 0 || nodes.includes(node)
  for (;;) {
    const states = (await client.rotation()).filter(({ node }) => concerned(node))
    for (const { node, state, why } of states) {
      const line = `${node}: ${state}${why === undefined ? '' : ` (${why})`}`
      if (told.get(node) !== line) io.out(`${line}\n`)
      told.set(node, line)
    }
    const over = states.every(({ state }) => state === 'done' || state === 'failed')
    if (over || options.status || options.wait === false) {
      if (over && !options.status) io.err('a backup or fleet card from before this names the old keys: make another\n')
      return states.some(({ state }) => state === 'failed') ? EXIT.no : EXIT.ok
    }
    await io.clock.sleep(LOOK_EVERY_MS, io.signal)
  }
}
