// `ppn registry verify|list|export`: from the files themselves, so that it works with no authority, and with a copy that
// somebody else keeps. Nothing is written but what is asked for.
import { readFile, writeFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { loadOrCreateKeys } from '../../authority/keys/keys.ts'
import { exportRegistry, readExport } from '../../authority/registry/export.ts'
import { forkOf, inspectRegistry, type RegistryReport } from '../../authority/registry/inspect.ts'
import { REGISTRY_FILE } from '../../authority/registry/registry.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { PpnError } from '../../base/errors.ts'
import { systemRandom } from '../../base/random.ts'
import { fingerprint, fromBase64 } from '../../protocol/keys.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { alignRows } from '../output/table.ts'
import { findStateFolder } from '../state.ts'

export interface RegistryOptions {
  state?: string
  /** Fingerprint of the signing key, or the key. */
  authority?: string
  against?: string
  output?: string
  /** Also those that have left. */
  all?: boolean
}

interface Source {
  /** As messages name it. */
  name: string
  registry: Uint8Array
  /** 32 bytes. */
  signingPublicKey: Uint8Array
  /** Of authorities that this one replaced. */
  former?: readonly Uint8Array[]
}

/** 0: sound, and no other history in `--against`. 1: not; the line and what is wrong with it are named. */
export async function registryVerify(io: Io, file: string | undefined, options: RegistryOptions): Promise<ExitCode> {
  const source = await open(io, file, options)
  const report = inspectRegistry(source.registry, source.name, source.signingPublicKey, source.former)
  const other = options.against === undefined ? undefined : await open(io, options.against, options)
  const theirs = other && inspectRegistry(other.registry, other.name, other.signingPublicKey, other.former)
  const forkAt = other && !report.fault && !theirs?.fault ? forkOf(source.registry, other.registry) : undefined
  const sound = !report.fault && !theirs?.fault && forkAt === undefined
  if (options.output === 'json') {
    const { enrolments: _, ...rest } = report
    io.out(`${JSON.stringify({ sound, ...rest, ...(forkAt !== undefined && { forkAt }) }, null, 2)}\n`)
  } else {
    io.out(told(source, report))
    if (other && theirs) io.out(theirs.fault ? told(other, theirs) : compared(source, other, report, theirs, forkAt))
  }
  return sound ? EXIT.ok : EXIT.no
}

/** The machines of the fleet as the registry has them; 1 when it is not sound: the table goes as far as it holds. */
export async function registryList(io: Io, file: string | undefined, options: RegistryOptions): Promise<ExitCode> {
  const source = await open(io, file, options)
  const report = inspectRegistry(source.registry, source.name, source.signingPublicKey, source.former)
  const shown = report.enrolments.filter(({ left }) => options.all || !left)
  if (options.output === 'json') io.out(`${JSON.stringify(shown, null, 2)}\n`)
  else if (shown.length === 0) io.err('nobody is enrolled\n')
  else
    io.out(
      alignRows([
        ['NODE', 'ENROLLED', 'HOW', 'CONFIRMED', 'SIGNING KEY', ...(options.all ? ['LEFT'] : [])],
        ...shown.map(({ node, atMs, how, confirmedBy, identity, left }) => [
          node,
          instant(atMs),
          how,
          confirmedBy ?? '-',
          fingerprint(fromBase64(identity.signingPublicKey)),
          ...(options.all ? [left ? `${instant(left.atMs)} ${left.reason}` : '-'] : []),
        ]),
      ]),
    )
  if (!report.fault) return EXIT.ok
  io.err(`${faultLine(source, report.fault)}\n`)
  return EXIT.no
}

/** To FILE, or to standard output: what `verify` and `list` take anywhere. */
export async function registryExport(io: Io, file: string | undefined, options: RegistryOptions): Promise<ExitCode> {
  const { registry, keys } = await inState(io, options.state)
  const bytes = exportRegistry(registry, keys)
  if (file === undefined || file === '-') io.out(Buffer.from(bytes).toString('utf8'))
  else await writeFile(resolve(io.cwd, file), bytes, { flag: 'wx' })
  io.err(`signed by ${fingerprint(keys.signing.publicKey)}\n`)
  return EXIT.ok
}

async function inState(io: Io, flag: string | undefined) {
  const folder = await findStateFolder(io, flag)
  const files = diskFiles(folder)
  // With the keys and without the file nobody was enrolled yet.
  const registry = (await files.read(REGISTRY_FILE)) ?? new Uint8Array()
  const { keys } = await loadOrCreateKeys({
    files: files.sub('keys'),
    random: systemRandom,
    clock: io.clock,
    mayCreate: false,
  })
  return { registry, keys }
}

async function open(io: Io, file: string | undefined, options: RegistryOptions): Promise<Source> {
  if (file === undefined) {
    const { registry, keys } = await inState(io, options.state)
    const { signing, formerSigning: former } = keys
    return expected({ name: REGISTRY_FILE, registry, signingPublicKey: signing.publicKey, former }, options.authority)
  }
  const name = basename(file)
  const { header, registry } = readExport(await bytesOf(resolve(io.cwd, file)))
  const given = options.authority !== undefined && /^[A-Za-z0-9+/]{43}=$/.test(options.authority)
  const key = header?.signingPublicKey ?? (given ? options.authority : undefined)
  if (key === undefined) throw new PpnError('RegistryKeyNeeded', { file: name })
  return expected({ name, registry, signingPublicKey: fromBase64(key, 32) }, options.authority)
}

/** What a file says of itself proves nothing: the person may say whose it has to be. */
function expected(source: Source, authority: string | undefined): Source {
  const found = fingerprint(source.signingPublicKey)
  const wanted =
    authority?.startsWith('SHA256:') || authority === undefined ? authority : fingerprint(fromBase64(authority, 32))
  if (wanted !== undefined && wanted !== found)
    throw new PpnError('RegistryKeyDiffers', { file: source.name, found, expected: wanted })
  return source
}

async function bytesOf(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new PpnError('RegistryMissing', { file: path })
    throw error
  }
}

const instant = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')

const faultLine = ({ name }: Source, { line, fault, why }: NonNullable<RegistryReport['fault']>): string =>
  `${name}, line ${line}: ${why} [${fault}]`

function told(source: Source, report: RegistryReport): string {
  const { lines, head, torn, looseBytes, adopted, enrolments, fault } = report
  const enrolled = enrolments.filter(({ left }) => !left).length
  const sound = fault ? `sound up to line ${lines}` : `${lines} lines, sound`
  return [
    `${source.name}: ${sound}, head ${head.hash.slice(0, 16)}, signed by ${fingerprint(source.signingPublicKey)}`,
    `nodes: ${enrolled} enrolled, ${enrolments.length - enrolled} have left`,
    ...torn.map(({ line, bytes }) => `line ${line}: seals ${bytes} bytes that a crash left; nobody was told of them`),
    ...adopted.map(({ line, lost }) => `line ${line}: a restore took lines up to ${lost} for lost`),
    ...(looseBytes > 0 && !fault ? [`torn: ${looseBytes} bytes of a line at the end; the next start seals them`] : []),
    ...(fault ? [faultLine(source, fault)] : []),
  ]
    .map((text) => `${text}\n`)
    .join('')
}

function compared(
  one: Source,
  other: Source,
  mine: RegistryReport,
  theirs: RegistryReport,
  forkAt: number | undefined,
): string {
  if (forkAt !== undefined)
    return `${one.name} and ${other.name}: line ${forkAt} is another one in each: two histories of one key [Fork]\n`
  const more = mine.lines - theirs.lines
  if (more === 0) return `${other.name}: the same\n`
  return more > 0
    ? `${other.name}: the same up to its end; ${one.name} has ${more} lines more\n`
    : `${other.name}: has ${-more} lines more: ${one.name} has lost them or is older\n`
}
