// `ppn claim ADDRESS --node NAME`, at the authority: calls a machine that holds, with the code that it shows. With
// --from many at once, from a list.
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { systemRandom } from '../../base/random.ts'
import { ed25519PublicKey, fromBase64, toBase64 } from '../../protocol/keys.ts'
import { signGrant } from '../../protocol/pairing/claim-frame.ts'
import { generateRendezvous, readCode } from '../../protocol/pairing/code.ts'
import { type ClaimRow, claimAddress, readClaimList } from '../claim-list.ts'
import { parseDuration } from '../duration.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { alignRows } from '../output/table.ts'
import type { Answers } from '../prompt.ts'
import { type SteadyAdmin, steadyAdmin } from '../steady-admin.ts'
import { type Act, askFor, conduct, demandNode, ENDED, nodeNamed } from './pair.ts'

export interface ClaimOptions {
  state?: string
  node?: string
  from?: string
  operatorKey?: string
  trustCode?: boolean
  replace?: boolean
  timeout: string
}

type Spec = PpnObject<'Pairing'>['spec']

const LOOK_EVERY_MS = 300

export async function claim(
  io: Io,
  address: string | undefined,
  options: ClaimOptions,
  input?: Answers,
): Promise<ExitCode> {
  if ((address === undefined) === (options.from === undefined))
    throw new CliError(EXIT.usage, 'give an ADDRESS, or a list with --from', 'ppn claim 192.0.2.7 --node edge-3')
  return address === undefined ? await claimList(io, options) : await claimOne(io, address, options, input)
}

/** What every claim of this call has in common. */
async function common(io: Io, admin: SteadyAdmin, options: ClaimOptions): Promise<Partial<Spec>> {
  return {
    ...(options.operatorKey !== undefined && { grant: await grantBy(io, admin, options.operatorKey) }),
    ...(options.trustCode && { trustCode: true, decision: 'Approve' as const }),
    ...(options.replace && { replace: true }),
  }
}

/** The operator's signature over this authority's key. The secret half is read here and goes nowhere. */
async function grantBy(io: Io, admin: SteadyAdmin, file: string): Promise<string> {
  const keys = await admin((client) => client.keys())
  const secret = readSecret(file, await io.read(file))
  try {
    if (toBase64(ed25519PublicKey(secret)) !== keys.operatorPublicKey)
      throw new CliError(EXIT.failed, `${file} is not the operator key of this fleet`, 'compare with `ppn keys`')
    return toBase64(signGrant(fromBase64(keys.signingPublicKey, 32), secret))
  } finally {
    secret.fill(0)
  }
}

function readSecret(file: string, text: string): Uint8Array {
  try {
    return fromBase64(text.trim(), 32)
  } catch {
    throw new CliError(EXIT.failed, `${file} holds no operator key`, 'the file that was keys/operator.secret')
  }
}

/** One name a call; the rendezvous is nobody's to type: the address selects the machine. */
async function declare(admin: SteadyAdmin, row: ClaimRow, more: Partial<Spec>): Promise<Act> {
  const rendezvous = generateRendezvous(systemRandom)
  const { address, node: nodeName, code } = row
  const name = `${nodeName}-claim-${rendezvous}`.toLowerCase().slice(-63).replace(/^-/, '')
  const spec: Spec = { nodeName, rendezvous, code, address, ...more }
  await withdrawEarlier(admin, nodeName)
  await admin((client) =>
    client.create('Pairing', name, spec).catch((error) => {
      // The answer to the first try was lost.
      if ((error as { code?: string }).code !== 'AlreadyExists') throw error
    }),
  )
  return { name, spec, ours: true }
}

/** Two claims for one node would keep each other waiting: the machine answers one a minute. */
async function withdrawEarlier(admin: SteadyAdmin, node: string): Promise<void> {
  const open = ((await admin((client) => client.objects({ kind: 'Pairing' }))) as PpnObject<'Pairing'>[]).filter(
    ({ spec, status }) =>
      spec.nodeName === node && spec.address !== undefined && !ENDED.has(status?.phase ?? 'Pending'),
  )
  for (const { metadata } of open) await admin((client) => client.remove(`Pairing/${metadata.name}`))
}

async function claimOne(io: Io, typed: string, options: ClaimOptions, input?: Answers): Promise<ExitCode> {
  const { node } = options
  if (node === undefined) throw new CliError(EXIT.usage, 'say which Node the machine becomes', 'with --node NAME')
  const address = readAddress(typed)
  const admin = await steadyAdmin(io, options.state)
  await demandNode(admin, node)
  const more = await common(io, admin, options)
  return conduct(io, admin, options, input, async (prompt) =>
    declare(
      admin,
      { address, node, code: await askFor(io, prompt, 'code the machine shows (8 symbols): ', readCode) },
      more,
    ),
  )
}

function readAddress(typed: string): string {
  try {
    return claimAddress(typed)
  } catch (error) {
    throw new CliError(EXIT.usage, (error as Error).message)
  }
}

/** `claimed` and `in the fleet already` are good; a second call with the same list takes up the others. */
type Result = { node: string; address: string; result: string; detail: string; good: boolean }

async function claimList(io: Io, options: ClaimOptions): Promise<ExitCode> {
  if (!options.trustCode)
    throw new CliError(
      EXIT.usage,
      'nobody can compare the digits of a list',
      'say --trust-code: the codes alone are trusted, and the registry says so; or claim one by one',
    )
  const timeoutMs = parseDuration(options.timeout)
  const rows = readList(options.from as string, await io.read(options.from as string))
  const admin = await steadyAdmin(io, options.state)
  const more = await common(io, admin, options)
  const startedMs = io.clock.monotonic()
  let left = rows.length
  const results = await Promise.all(
    rows.map(async (row) => {
      const result = await claimRow(io, admin, row, more, timeoutMs).catch((error) =>
        failed(row, 'failed', error.message),
      )
      left--
      io.err(`${result.node}: ${result.result}${left > 0 ? `; ${left} to go` : ''}\n`)
      return result
    }),
  )
  const good = results.filter((result) => result.good).length
  io.out(
    alignRows([
      ['NODE', 'ADDRESS', 'RESULT', 'DETAIL'],
      ...results.map(({ node, address, result, detail }) => [node, address, result, detail]),
    ]),
  )
  const seconds = ((io.clock.monotonic() - startedMs) / 1000).toFixed(1)
  io.err(
    `${good} of ${rows.length} in ${seconds} s${good < rows.length ? '; the same call again takes up the others' : ''}\n`,
  )
  return good === rows.length ? EXIT.ok : EXIT.no
}

function readList(file: string, text: string): ClaimRow[] {
  try {
    return readClaimList(text)
  } catch (error) {
    throw new CliError(EXIT.no, `${file}:\n${(error as Error).message}`, 'nobody was called')
  }
}

const failed = ({ node, address }: ClaimRow, result: string, detail: string): Result => ({
  node,
  address,
  result,
  detail,
  good: false,
})

async function claimRow(
  io: Io,
  admin: SteadyAdmin,
  row: ClaimRow,
  more: Partial<Spec>,
  timeoutMs: number,
): Promise<Result> {
  const node = await nodeNamed(admin, row.node)
  if (!node) return failed(row, 'no such Node', 'declare it in the folder of the fleet')
  const enrolled = node.status?.conditions.find(({ type }) => type === 'Enrolled')?.status === 'True'
  if (enrolled && !more.replace) return { ...failed(row, 'in the fleet already', ''), good: true }
  const { name } = await declare(admin, row, more)
  const untilMs = io.clock.monotonic() + timeoutMs
  for (;;) {
    const { phase, message } = await admin((client) => client.ceremony(name))
    if (phase === 'Approved') return { ...failed(row, 'claimed', ''), good: true }
    if (ENDED.has(phase)) return failed(row, phase.toLowerCase(), message)
    if (io.signal.aborted || io.clock.monotonic() >= untilMs) {
      await admin((client) => client.remove(`Pairing/${name}`))
      return failed(row, io.signal.aborted ? 'stopped' : 'not in time', message)
    }
    await io.clock.sleep(LOOK_EVERY_MS, io.signal).catch(() => {})
  }
}
