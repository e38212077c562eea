// `ppn pair --node NAME`, at the authority: asks for what the machine shows, so that nothing of it lands in a history.
import type { AdminCeremony } from '../../authority/admin/backend.ts'
import type { AdminClient } from '../../authority/admin/client.ts'
import { readCode, readRendezvous } from '../../protocol/pairing/code.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { spaced } from '../output/digits.ts'
import { openPrompt, type Prompt } from '../prompt.ts'
import { requireAdmin } from '../state.ts'

export interface PairOptions {
  state?: string
  node: string
  replace?: boolean
}

const LOOK_EVERY_MS = 200
const ENDED = new Set(['Approved', 'Denied', 'Expired', 'Burned'])

/** Asks again until it is what it should be. */
async function askFor<T>(io: Io, prompt: Prompt, question: string, read: (text: string) => T): Promise<T> {
  for (;;) {
    try {
      return read(await prompt.ask(question))
    } catch (error) {
      if (error instanceof CliError || io.signal.aborted) throw error
      io.err(`${(error as Error).message}\n`)
    }
  }
}

function readDigits(text: string): string {
  const digits = text.replace(/[\s-]/g, '')
  if (!/^\d{6}$/.test(digits)) throw new Error('six digits, as the machine shows them')
  return digits
}

export async function pair(io: Io, options: PairOptions): Promise<ExitCode> {
  const client = await requireAdmin(io, options.state)
  const prompt = openPrompt(io)
  try {
    if ((await client.objects({ kind: 'Node', name: options.node })).length === 0)
      throw new CliError(EXIT.failed, `there is no Node ${options.node}`, 'declare it in the folder of the fleet first')
    const rendezvous = await askFor(io, prompt, 'rendezvous the machine shows (4 symbols): ', readRendezvous)
    const code = await askFor(io, prompt, 'code it shows (8 symbols): ', readCode)
    const name = `${options.node}-${rendezvous.toLowerCase()}`.slice(-63)
    const spec = { nodeName: options.node, rendezvous, code, ...(options.replace && { replace: true }) }
    await client.create('Pairing', name, spec)
    return await follow(io, client, prompt, name, spec)
  } finally {
    prompt.close()
  }
}

async function follow(io: Io, client: AdminClient, prompt: Prompt, name: string, spec: object): Promise<ExitCode> {
  let said = ''
  const look = async (done: (seen: AdminCeremony) => boolean): Promise<AdminCeremony> => {
    for (;;) {
      const seen = await client.ceremony(name)
      if (seen.message !== said && seen.message !== '') {
        io.err(`${seen.message}\n`)
        said = seen.message
      }
      if (done(seen) || ENDED.has(seen.phase)) return seen
      await io.clock.sleep(LOOK_EVERY_MS, io.signal)
    }
  }
  let seen = await look(({ machine }) => machine !== undefined)
  if (!ENDED.has(seen.phase)) {
    const sas = await askFor(io, prompt, 'digits on its screen: ', readDigits)
    await client.amend(`Pairing/${name}`, { ...spec, sas, decision: 'Approve' })
    seen = await look(({ digits }) => digits !== undefined)
    if (seen.digits !== undefined && !ENDED.has(seen.phase))
      io.err(
        `\n      digits here   ${spaced(seen.digits)}\n\nread them to the person at the machine, who has to confirm\n`,
      )
    seen = await look(() => false)
  }
  io.out(`${seen.phase}: ${seen.message}\n`)
  return seen.phase === 'Approved' ? EXIT.ok : EXIT.no
}
