import { relative } from 'node:path'
import { NAMES } from '../../api/names.ts'
import { connectAdmin } from '../../authority/admin/client.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import { deleteObject, type ObjectName, writeObject } from '../folder/edit.ts'
import type { Io } from '../io.ts'
import { keyOfTarget, parseTargets, type Target } from '../resource.ts'
import { findStateFolder, requireAdmin } from '../state.ts'
import { readDocuments } from './documents.ts'

export interface ApplyOptions {
  filename?: string[]
  state?: string
  namespace?: string
  write?: boolean
  /** The fleet folder, when no authority runs to say it. */
  fleet?: string
}

/** Acts are no part of a fleet's description: they go to the authority and live in its state. */
const ACTS = new Set(['Pairing'])

async function fleetFolder(io: Io, options: ApplyOptions): Promise<string> {
  if (options.fleet) return options.fleet
  const client = await findStateFolder(io, options.state).then(connectAdmin, () => undefined)
  if (client) return (await client.version()).fleet
  throw new CliError(
    EXIT.unavailable,
    'no authority runs to say which folder the fleet is declared in',
    'say it with --fleet DIR',
  )
}

function needsWrite(what: string): CliError {
  return new CliError(
    EXIT.no,
    `${what} is declared by files, and files are changed only with --write`,
    'edit the file yourself, or add --write',
  )
}

const label = ({ kind, name }: { kind: ObjectName['kind']; name: string }) => `${NAMES[kind].singular}.ppn.dev/${name}`

/** `ppn apply -f FILE`: acts go to the authority; with --write, everything else goes into the fleet's folder. */
export async function apply(io: Io, options: ApplyOptions): Promise<ExitCode> {
  const documents = await readDocuments(io, options.filename ?? [])
  const first = documents.find(({ draft }) => !ACTS.has(draft.kind))
  if (first && !options.write) throw needsWrite(label(first.draft))
  for (const { draft, plain } of documents) {
    if (ACTS.has(draft.kind)) {
      await (await requireAdmin(io, options.state)).create(draft.kind, draft.name, draft.raw)
      io.out(`${label(draft)} created\n`)
      continue
    }
    const edit = await writeObject(await fleetFolder(io, options), draft, plain)
    io.out(`${label(draft)} ${edit.did} (${relative(io.cwd, edit.file)})\n`)
  }
  return EXIT.ok
}

/** `ppn delete KIND NAME` or `-f FILE`. */
export async function remove(io: Io, args: readonly string[], options: ApplyOptions): Promise<ExitCode> {
  const named: (Target & { namespace?: string })[] = options.filename
    ? (await readDocuments(io, options.filename)).map(({ draft }) => draft)
    : parseTargets(args)
  let code: ExitCode = EXIT.ok
  for (const target of named) {
    const name = target.name
    if (name === undefined)
      throw new CliError(EXIT.usage, `say which ${NAMES[target.kind].plural}`, 'ppn deletes by name only')
    const namespace = target.namespace ?? options.namespace
    if (ACTS.has(target.kind)) {
      await (await requireAdmin(io, options.state)).remove(keyOfTarget(target, namespace))
      io.out(`${label({ kind: target.kind, name })} deleted\n`)
      continue
    }
    if (!options.write) throw needsWrite(label({ kind: target.kind, name }))
    const edit = await deleteObject(await fleetFolder(io, options), { kind: target.kind, name, namespace })
    if (!edit) {
      io.err(`${NAMES[target.kind].plural}.ppn.dev "${name}" not found in the folder\n`)
      code = EXIT.no
    } else io.out(`${label({ kind: target.kind, name })} deleted from ${relative(io.cwd, edit.file)}\n`)
  }
  return code
}
