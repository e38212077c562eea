// `npm run bench [-- ROW ...]`: the first seven rows of the design's numbers, measured on this machine and printed as
// a table. Nothing here fails because of a figure: docs/performance.md says what they mean.
import { type BenchFleet, startBenchFleet } from './fleet.ts'
import { coldStart } from './rows/cold-start.ts'
import { commandEach } from './rows/command-each.ts'
import { idle } from './rows/idle.ts'
import { receive } from './rows/receive.ts'
import { restart } from './rows/restart.ts'
import { specChange } from './rows/spec-change.ts'
import { structuralChange } from './rows/structural-change.ts'
import { machine, type Result, table } from './table.ts'

/** Second octets of 127.x.0.0/24, apart from those of the examples and of other tests. */
const FLEET_OCTET = 231
const LONE_OCTET = 232
const NODES = 254
const ARCHIVES = 1_000

/** Rows that need a converged fleet; restart comes before idle, which then sees an authority as it runs for years. */
const WITH_FLEET: Record<string, (fleet: BenchFleet) => Promise<Result[]>> = {
  'spec-change': specChange,
  'structural-change': structuralChange,
  'command-each': commandEach,
  restart,
  idle,
}
const ALONE: Record<string, () => Promise<Result[]>> = {
  'cold-start': () => coldStart(LONE_OCTET),
  receive: () => receive(LONE_OCTET),
}
const NAMES = [...Object.keys(WITH_FLEET), ...Object.keys(ALONE)]

const say = (line: string) => process.stderr.write(`${line}\n`)

async function measure(wanted: (name: string) => boolean): Promise<Result[]> {
  const results: Result[] = []
  const take = async (name: string, row: () => Promise<Result[]>) => {
    say(`measuring ${name} ...`)
    const found = await row()
    say(table(found))
    results.push(...found)
  }
  const rows = Object.entries(WITH_FLEET).filter(([name]) => wanted(name))
  if (rows.length > 0) {
    say(`starting ${NODES} nodes and ${ARCHIVES} archives ...`)
    const fleet = await startBenchFleet({ nodes: NODES, archives: ARCHIVES, octet: FLEET_OCTET })
    try {
      for (const [name, row] of rows) {
        await fleet.authority.profile(`before-${name}`)
        await take(name, () => row(fleet))
        await fleet.authority.profile(name)
      }
    } finally {
      await fleet.stop()
    }
  }
  for (const [name, row] of Object.entries(ALONE)) if (wanted(name)) await take(name, row)
  return results
}

const names = process.argv.slice(2)
const unknown = names.find((name) => !NAMES.includes(name))
if (unknown !== undefined) {
  say(`there is no row "${unknown}"; rows: ${NAMES.join(', ')}`)
  process.exit(64) // EX_USAGE of sysexits(3)
}
const results = await measure((name) => names.length === 0 || names.includes(name))
process.stdout.write(`
${machine()}
Agents: simulated, in processes apart on the same machine, state on tmpfs (/dev/shm); real loopback sockets and
cryptography. Authority: TypeScript as it stands (types stripped while loading), state on disk.

${table(results)}
`)
