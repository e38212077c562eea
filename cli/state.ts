// Where the state of a fleet lies, and who answers for it.
import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import type { AnyObject } from '../api/v1alpha1/index.ts'
import { type AdminClient, connectAdmin } from '../authority/admin/client.ts'
import { SERVICE } from '../authority/admin/socket-path.ts'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'

/** `$XDG_STATE_HOME/ppn` (XDG Base Directory Specification), by default ~/.local/state/ppn. */
export function stateHome(io: Io): string {
  return join(io.env.XDG_STATE_HOME || join(io.env.HOME || homedir(), '.local', 'state'), 'ppn')
}

/** The state folder of the fleet declared in `folder`. */
export function stateFolderFor(io: Io, folder: string, flag: string | undefined): string {
  if (flag) return resolve(io.cwd, flag)
  if (io.env.PPN_STATE) return resolve(io.cwd, io.env.PPN_STATE)
  return join(stateHome(io), basename(resolve(io.cwd, folder)))
}

function candidates(io: Io): string[] {
  const home = stateHome(io)
  const own = existsSync(home) ? readdirSync(home, { withFileTypes: true }) : []
  const service = existsSync(SERVICE.socket) || existsSync(join(SERVICE.state, 'ppn.db'))
  return [
    ...own
      .filter((entry) => entry.isDirectory() && existsSync(join(home, entry.name, 'ppn.db')))
      .map((entry) => join(home, entry.name)),
    ...(service ? [SERVICE.state] : []),
  ]
}

/**
 * The state folder that a verb without a DIR means: --state, $PPN_STATE, the one fleet there is, or the one whose
 * authority runs.
 */
export async function findStateFolder(io: Io, flag: string | undefined): Promise<string> {
  if (flag) return resolve(io.cwd, flag)
  if (io.env.PPN_STATE) return resolve(io.cwd, io.env.PPN_STATE)
  const all = candidates(io)
  if (all.length === 1) return all[0] as string
  if (all.length === 0)
    throw new CliError(
      EXIT.unavailable,
      `no fleet is known under ${stateHome(io)}`,
      'start one with `ppn up DIR`, or name its state with --state',
    )
  const live: string[] = []
  for (const folder of all) if (await connectAdmin(folder)) live.push(folder)
  if (live.length === 1) return live[0] as string
  throw new CliError(
    EXIT.usage,
    `several fleets are known: ${all.map((f) => basename(f)).join(', ')}`,
    `say which with --state ${stateHome(io)}/NAME`,
  )
}

/** The running authority of a fleet. Throws when none runs. */
export async function requireAdmin(io: Io, flag: string | undefined): Promise<AdminClient> {
  const folder = await findStateFolder(io, flag)
  const client = await connectAdmin(folder)
  if (client) return client
  throw new CliError(EXIT.unavailable, `no authority runs for ${folder}`, 'start it with `ppn up DIR`')
}

export const neverRan = (folder: string): CliError =>
  new CliError(EXIT.unavailable, `no fleet has run with state ${folder}`, 'start one with `ppn up DIR`')

export interface Reading {
  objects: AnyObject[]
  /** Present when the objects come from the state of a stopped authority: when that was written. */
  writtenMs?: number
  /** The running authority they come from. */
  client?: AdminClient
}

/** Every object of a fleet, from the running authority or else from its state. */
export async function readFleet(io: Io, flag: string | undefined): Promise<Reading> {
  const folder = await findStateFolder(io, flag)
  const client = await connectAdmin(folder)
  if (client) return { objects: await client.objects({}), client }
  const { readState } = await import('../stores/sqlite/read-state.ts')
  const state = readState(folder)
  if (!state) throw neverRan(folder)
  return { objects: state.objects, writtenMs: state.writtenMs }
}
