// `ppn pair --node NAME`, at the authority: asks for what the machine shows, so that nothing of it lands in a history.
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { AdminCeremony } from '../../authority/admin/backend.ts'
import { systemRandom } from '../../base/random.ts'
import { generateRendezvous, readCode, readRendezvous, readScan } from '../../protocol/pairing/code.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { spaced } from '../output/digits.ts'
import { type Answers, openPrompt, type Prompt } from '../prompt.ts'
import { type SteadyAdmin, steadyAdmin } from '../steady-admin.ts'

export interface PairOptions {
  state?: string
  node: string
  replace?: boolean
}

type Spec = PpnObject<'Pairing'>['spec']
/** The Pairing that this call follows. */
export interface Act {
  name: string
  spec: Spec
  /** Declared by this call, which takes it back when the person stops. */
  ours: boolean
}

const LOOK_EVERY_MS = 200
export const ENDED = new Set(['Approved', 'Denied', 'Expired', 'Burned', 'Withdrawn'])
/** Nothing will come of it, however long one waits. */
const HOPELESS = new Set(['RendezvousTaken', 'SecretNeedsCluster', 'SecretUnreadable'])

/** Ends with 0 when the machine is enrolled, with 1 when it is not. Stopped before that, it takes its Pairing back. */
export async function pair(io: Io, options: PairOptions, input?: Answers): Promise<ExitCode> {
  const admin = await steadyAdmin(io, options.state)
  return conduct(io, admin, options, input, async (prompt) => {
    await demandNode(admin, options.node)
    const act = (await openAct(admin, options)) ?? (await declare(io, admin, prompt, options))
    if (!act.ours) io.err(`Pairing ${act.name} is open for ${options.node}: going on with it\n`)
    return act
  })
}

/** Follows the Pairing that `begin` gives to its end. Stopped before that, it takes back what it declared. */
export async function conduct(
  io: Io,
  admin: SteadyAdmin,
  options: { state?: string },
  input: Answers | undefined,
  begin: (prompt: Prompt) => Promise<Act>,
): Promise<ExitCode> {
  const prompt = openPrompt(io, input)
  let act: Act | undefined
  try {
    act = await begin(prompt)
    return await follow(io, admin, prompt, act)
  } catch (error) {
    if (!io.signal.aborted) throw error
    return await stopped(io, options, act)
  } finally {
    prompt.close()
  }
}

export async function nodeNamed(admin: SteadyAdmin, name: string): Promise<PpnObject<'Node'> | undefined> {
  return (await admin((client) => client.objects({ kind: 'Node', name })))[0] as PpnObject<'Node'> | undefined
}

export async function demandNode(admin: SteadyAdmin, name: string): Promise<void> {
  if (!(await nodeNamed(admin, name)))
    throw new CliError(EXIT.failed, `there is no Node ${name}`, 'declare it in the folder of the fleet first')
}

/** One that is under way for this node: declared by hand, or left by a call that lost its terminal. */
async function openAct(admin: SteadyAdmin, { node, replace = false }: PairOptions): Promise<Act | undefined> {
  const found = ((await admin((client) => client.objects({ kind: 'Pairing' }))) as PpnObject<'Pairing'>[]).find(
    ({ metadata, spec, status }) =>
      spec.nodeName === node &&
      (spec.replace ?? false) === replace &&
      metadata.deletionTimestamp === undefined &&
      !ENDED.has(status?.phase ?? 'Pending'),
  )
  return found && { name: found.metadata.name, spec: found.spec, ours: false }
}

async function declare(io: Io, admin: SteadyAdmin, prompt: Prompt, options: PairOptions): Promise<Act> {
  const { node, replace } = options
  const first = await askFor(
    io,
    prompt,
    'rendezvous the machine shows (4 symbols), or what a phone read: ',
    (text) => readScan(text) ?? { rendezvous: readRendezvous(text), code: undefined },
  )
  const { rendezvous } = first
  const code = first.code ?? (await askFor(io, prompt, 'code it shows (8 symbols): ', readCode))
  // One name a call: what an earlier one came to stays to be read for an hour.
  const name = `${node}-${rendezvous}-${generateRendezvous(systemRandom)}`.toLowerCase().slice(-63).replace(/^-/, '')
  const spec = { nodeName: node, rendezvous, code, ...(replace && { replace: true }) }
  await admin((client) =>
    client.create('Pairing', name, spec).catch((error) => {
      // The answer to the first try was lost.
      if ((error as { code?: string }).code !== 'AlreadyExists') throw error
    }),
  )
  return { name, spec, ours: true }
}

async function follow(io: Io, admin: SteadyAdmin, prompt: Prompt, { name, spec, ours }: Act): Promise<ExitCode> {
  let said = ''
  const look = async (done: (seen: AdminCeremony) => boolean, signal = io.signal): Promise<AdminCeremony> => {
    for (;;) {
      const seen = await admin((client) => client.ceremony(name)).catch(withdrawn)
      if (seen.message !== said && seen.message !== '' && !ENDED.has(seen.phase)) {
        io.err(`${seen.message}\n`)
        said = seen.message
      }
      if (done(seen) || ENDED.has(seen.phase) || HOPELESS.has(seen.reason)) return seen
      await io.clock.sleep(LOOK_EVERY_MS, signal)
    }
  }
  const amend = (more: Partial<Spec>) => admin((client) => client.amend(`Pairing/${name}`, { ...spec, ...more }))
  const isOver = (seen: AdminCeremony) => ENDED.has(seen.phase) || HOPELESS.has(seen.reason)

  let seen = await look(({ machine, digits }) => machine !== undefined || digits !== undefined)
  if (!isOver(seen)) {
    const typed =
      spec.decision === undefined
        ? (spec.sas ?? (await askWhile(prompt, io, (signal) => look(() => false, signal))))
        : undefined
    if (typed !== undefined) await amend(typed === 'deny' ? { decision: 'Deny' } : { sas: typed, decision: 'Approve' })
    seen = await look(({ digits }) => digits !== undefined)
    if (seen.digits !== undefined && !isOver(seen))
      io.err(
        `\n      digits here   ${spaced(seen.digits)}\n\nread them to the person at the machine, who has to confirm\n`,
      )
  }
  seen = await look(() => false)
  if (HOPELESS.has(seen.reason) && ours) await admin((client) => client.remove(`Pairing/${name}`))
  io.out(`${ENDED.has(seen.phase) ? seen.phase : seen.reason}: ${seen.message}\n`)
  return seen.phase === 'Approved' ? EXIT.ok : EXIT.no
}

/** Digits or `deny`; undefined when `ending`, which goes on meanwhile, has come to its end first. */
async function askWhile(
  prompt: Prompt,
  io: Io,
  ending: (signal: AbortSignal) => Promise<AdminCeremony>,
): Promise<string | undefined> {
  const over = new AbortController()
  const watching = AbortSignal.any([over.signal, io.signal])
  const ended = ending(watching).then(
    () => over.abort(),
    () => {},
  )
  try {
    return await askFor(io, prompt, 'digits on its screen (or deny): ', readDigits, {
      signal: over.signal,
      fresh: true,
    })
  } catch (error) {
    if (io.signal.aborted || !over.signal.aborted) throw error
    io.err('\n')
    return undefined
  } finally {
    over.abort()
    await ended
  }
}

/** Asks again until it is what it should be. */
export async function askFor<T>(
  io: Io,
  prompt: Prompt,
  question: string,
  read: (text: string) => T,
  options: Parameters<Prompt['ask']>[1] = {},
): Promise<T> {
  for (;;) {
    const text = await prompt.ask(question, options)
    try {
      return read(text)
    } catch (error) {
      io.err(`${(error as Error).message}\n`)
    }
  }
}

function readDigits(text: string): string {
  if (/^(deny|no)$/i.test(text)) return 'deny'
  const digits = text.replace(/[\s-]/g, '')
  if (!/^\d{6}$/.test(digits)) throw new Error('six digits, as the machine shows them; or deny, to let nobody in')
  return digits
}

/** Somebody deleted the Pairing meanwhile. */
function withdrawn(error: { code?: string }): AdminCeremony {
  if (error.code !== 'ObjectNotFound') throw error
  return { phase: 'Withdrawn', reason: 'Withdrawn', message: 'the Pairing was deleted; nobody joined by it' }
}

async function stopped(io: Io, options: { state?: string }, act: Act | undefined): Promise<ExitCode> {
  if (!act) io.err('\nstopped: nothing was declared\n')
  else if (!act.ours) io.err(`\nstopped: Pairing ${act.name} stays open\n`)
  else {
    const { signal: _, ...rest } = io
    const admin = await steadyAdmin({ ...rest, signal: AbortSignal.timeout(LAST_WORD_MS) }, options.state)
    const { phase } = await admin((client) => client.ceremony(act.name)).catch(withdrawn)
    if (phase === 'Approved') {
      io.err('\nstopped: too late, the machine is enrolled\n')
      return EXIT.ok
    }
    if (!ENDED.has(phase)) await admin((client) => client.remove(`Pairing/${act.name}`))
    io.err('\nstopped: the Pairing is taken back, its code is worthless at this authority\n')
  }
  return EXIT.no
}
/** For a person who wants to be gone. */
const LAST_WORD_MS = 5_000
