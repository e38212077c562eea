// `npm run bench:lab [-- ROW ...]`: real WireGuard in network namespaces of this machine, beside what a person would use
// instead. Prints a table; nothing here fails because of a figure. Needs root.
import { runOk, systemProcesses } from '../../../base/processes.ts'
import installPackages from '../../system/packages.ts'
import { realMesh } from '../../system/wireguard/mesh.ts'
import { machine } from '../table.ts'
import { changeRows } from './changes.ts'
import { fanOut } from './fan-out.ts'
import { type Figure, figuresTable } from './figures.ts'

const PEERS = 120
const ROUNDS = { changes: 6, words: 30 }
const FAN_OUT = 'fan-out'
const CHANGES = ['no-op', 'peer-added', 'device-destroyed', 'key-change']
const NAMES = [...CHANGES, FAN_OUT]
/** What is compared with, from Debian 12. */
const COMPARED = { 'nats-server': 'nats-server', mosquitto: 'mosquitto', mosquitto_sub: 'mosquitto-clients' }

const say = (line: string) => process.stderr.write(`${line}\n`)

async function installCompared(): Promise<void> {
  const processes = systemProcesses()
  const missing: string[] = []
  for (const [program, debian] of Object.entries(COMPARED)) {
    const { exitCode } = await processes.run('/bin/sh', ['-c', 'command -v "$0"', program])
    if (exitCode !== 0) missing.push(debian)
  }
  if (missing.length === 0) return
  say(`installing ${missing.join(' ')}`)
  // Installed, not started: no service of theirs shall run beside what is measured.
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const args = ['install', '-y', '-q', '--no-install-recommends', ...missing]
  await runOk(processes, 'apt-get', args, { timeoutMs: 600_000, env })
}

const wanted = process.argv.slice(2)
const unknown = wanted.find((name) => !NAMES.includes(name))
if (unknown !== undefined) {
  say(`there is no row "${unknown}"; rows: ${NAMES.join(', ')}`)
  process.exit(64) // EX_USAGE of sysexits(3)
}
const chosen = (name: string) => wanted.length === 0 || wanted.includes(name)
await installPackages()
if (chosen(FAN_OUT)) await installCompared()
const figures: Figure[] = []
if (CHANGES.some(chosen)) {
  const mesh = await realMesh(['hub', 'edge', 'desk'])
  try {
    await mesh.join()
    for (const [name, measure] of Object.entries(changeRows(mesh))) {
      if (!chosen(name)) continue
      say(`measuring ${name} ...`)
      figures.push(...(await measure(ROUNDS.changes)))
      say(figuresTable(figures))
    }
  } finally {
    await mesh.close()
  }
}
if (chosen(FAN_OUT)) {
  say(`gathering ${PEERS} peers ...`)
  figures.push(...(await fanOut(PEERS, ROUNDS.words, say)))
}
process.stdout.write(`
${machine()}

${figuresTable(figures)}
`)
process.exit(0)
