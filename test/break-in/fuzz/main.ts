// `npm run fuzz -- [INPUTS] [PARSER ...]`: INPUTS (1,000,000) shared out over all parsers, or those named. The seed is
// in FUZZ_SEED, else the day, so that every day tries others; a finding names it.
import { Worker } from 'node:worker_threads'
import { PARSERS } from './table.ts'

const [count = '1000000', ...names] = process.argv.slice(2)
const inputs = Number(count)
const chosen = names.length === 0 ? PARSERS : PARSERS.filter(({ name }) => names.includes(name))
if (!Number.isInteger(inputs) || inputs < 1 || (names.length > 0 && chosen.length !== names.length)) {
  process.stderr.write(
    `usage: npm run fuzz -- [INPUTS] [PARSER ...]\nparsers: ${PARSERS.map((p) => p.name).join(' ')}\n`,
  )
  process.exit(64)
}
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Date.now() / 86_400_000))
/** An input that keeps its parser busy for so long is a finding: the worker says before each what it tries. */
const HUNG_MS = 60_000

interface Told {
  name: string
  text?: string
  failed?: string
}

const each = Math.ceil(inputs / chosen.length)
process.stdout.write(`${each * chosen.length} inputs over ${chosen.length} parsers, seed ${seed}\n`)
const title = ['inputs', 'accepted', 'refused', 'longest B', 'worst ms'].map((word) => word.padStart(11)).join('')
process.stdout.write(`${'parser'.padEnd(18)}${title}  refused as\n`)

let failed = 0
const waiting = chosen.map(({ name }) => name)
while (waiting.length > 0) await round()
process.stdout.write(failed === 0 ? 'no finding\n' : `${failed} parsers with a finding\n`)
process.exitCode = failed === 0 ? 0 : 1

/** A thread that goes through what is waiting; one that hangs is ended, and the next goes on behind it. */
function round(): Promise<void> {
  const shared = new SharedArrayBuffer(4)
  const beats = new Int32Array(shared)
  const workerData = { names: waiting, inputs: each, seed, shared }
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData })
  return new Promise((resolve) => {
    let last = -1
    const end = (told?: Told) => {
      clearInterval(watch)
      if (told) tell(told)
      resolve()
    }
    const watch = setInterval(() => {
      if (beats[0] === last) {
        void worker.terminate()
        const [name = ''] = waiting
        end({ name, failed: `FINDING ${name}, seed ${seed}: hangs at input ${last}` })
      }
      last = beats[0] as number
    }, HUNG_MS)
    worker.on('message', (told: Told) => {
      tell(told)
      if (waiting.length === 0) end()
    })
    worker.once('error', (error) => end({ name: waiting[0] ?? '', failed: String(error.stack ?? error) }))
  })
}

function tell({ name, text, failed: why }: Told): void {
  process.stdout.write(`${text ?? why}\n`)
  if (why !== undefined) failed++
  waiting.splice(waiting.indexOf(name), 1)
}
