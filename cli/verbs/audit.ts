// `ppn audit verify`: of a state folder, or of lines that were collected from the pods of a cluster. No authority is asked.
import { createReadStream, existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { AUDIT_FILE } from '../../authority/audit.ts'
import { type CollectedReport, collectedChain } from '../../base/collected-chain.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { PpnError } from '../../base/errors.ts'
import { verifySegments } from '../../base/segmented-log.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { findStateFolder, neverRan } from '../state.ts'

export interface AuditOptions {
  state?: string
  /** Of collected lines: hash of a line that has to be there, or the record `audit/head` that names it. */
  head?: string
  output?: string
}

/**
 * 0: every line is what its hash was taken of, and none is missing in between. 1: not, and each fault is named; or there
 * is no line. `files`: collected lines, `-` being standard input; none: the state folder's own, where nothing else stands.
 */
export async function auditVerify(io: Io, files: readonly string[], options: AuditOptions): Promise<ExitCode> {
  if (files.length > 0) return ofCollected(io, files, options)
  if (options.head !== undefined)
    throw new CliError(EXIT.usage, '--head goes with collected lines', 'name their files, or - for standard input')
  return ofFolder(io, options)
}

async function ofFolder(io: Io, { state, output }: AuditOptions): Promise<ExitCode> {
  const folder = await findStateFolder(io, state)
  if (!existsSync(folder)) throw neverRan(folder)
  const files = diskFiles(folder)
  try {
    const { head, segments } = await verifySegments(files, AUDIT_FILE)
    const { count = 0, hash = '' } = head ?? {}
    if (output === 'json') io.out(json({ sound: true, lines: count, head, segments }))
    else if (count === 0) io.out('nothing was audited yet\n')
    else io.out(`${segments.join(', ')}: ${count} lines, sound, head ${short(hash)}\n`)
    return EXIT.ok
  } catch (error) {
    if (!(error instanceof PpnError) || error.code !== 'ChainBroken') throw error
    const { name, line, fault, why } = error.details as Record<'name' | 'fault' | 'why', string> & { line: number }
    if (output === 'json') io.out(json({ sound: false, file: name, faults: [{ line, fault, why }] }))
    else io.out(`${name}, line ${line}: ${why} [${fault}]\n`)
    return EXIT.no
  }
}

async function ofCollected(io: Io, files: readonly string[], { head, output }: AuditOptions): Promise<ExitCode> {
  const wanted = headOf(head)
  const chain = collectedChain(({ instance }) => (typeof instance === 'string' ? instance : undefined))
  for (const file of files) {
    if (file === '-') for (const line of (await io.stdin()).split('\n')) chain.add(line)
    else for await (const line of linesOf(resolve(io.cwd, file))) chain.add(line)
  }
  const report = chain.report(wanted)
  const sound = report.lines > 0 && report.faults.length === 0
  io.out(output === 'json' ? json({ sound, ...report }) : told(report))
  return sound ? EXIT.ok : EXIT.no
}

async function* linesOf(path: string): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })
  } catch (error) {
    throw new CliError(EXIT.failed, `${path} cannot be read: ${(error as Error).message}`, 'name a file of lines')
  }
}

function headOf(text: string | undefined): { hash: string; count?: number } | undefined {
  if (text === undefined) return undefined
  const plain = text.trim()
  if (/^[0-9a-f]{64}$/.test(plain)) return { hash: plain }
  try {
    const { hash, count } = JSON.parse(plain) as { hash?: unknown; count?: unknown }
    if (typeof hash === 'string' && typeof count === 'number') return { hash, count }
  } catch {}
  throw new CliError(EXIT.usage, `--head: ${text} is no head`, 'give its 64 hex digits, or the record audit/head')
}

const json = (value: object) => `${JSON.stringify(value, null, 2)}\n`
const short = (hash: string) => hash.slice(0, 16)

function told({ lines, first, head, branches, others, faults }: CollectedReport): string {
  if (lines === 0) return 'there is no line of an audit\n'
  const sound = faults.length === 0 ? 'sound, ' : ''
  return [
    `lines ${first} to ${head.count}: ${lines}, ${sound}head ${short(head.hash)}`,
    ...(first > 1 ? [`what came before line ${first} is not here`] : []),
    ...branches.map(
      ({ after, writers }) => `after line ${after} went on ${writers.join(', and ')}: all but one were killed by then`,
    ),
    ...(others > 0 ? [`${others} lines are of something else`] : []),
    ...faults.map(({ line, fault, why }) => `line ${line} ${why} [${fault}]`),
  ]
    .map((text) => `${text}\n`)
    .join('')
}
