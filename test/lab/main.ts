// `npm run lab VERB ...`: a fleet over real WireGuard on one machine, for a person. docs/lab.md.
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Processes, systemProcesses } from '../../base/processes.ts'
import { EXIT } from '../../cli/exit.ts'
import { endLab, type Lab, openLab, startLab } from './lab.ts'
import { missingForLab } from './needs.ts'
import { shell } from './shell.ts'
import { statusText } from './status.ts'
import { topologyFromYaml } from './topology.ts'
import { waitUntilReady } from './watch.ts'

const USAGE = `usage: npm run lab VERB

  up FLEET [TOPOLOGY]      the fleet of a folder on this machine: a namespace a host, real WireGuard between them;
                           TOPOLOGY is a file such as test/lab/topologies/one-office.yaml
  status                   hosts, links, and what the authority knows of its nodes
  exec HOST [CMD ...]      run something on a host (\`ppn\` is there); without CMD a shell
  capture LINK [FILE]      every packet of a link into FILE (LINK.pcap), until Ctrl-C
  cut LINK, heal LINK      nothing passes; everything passes again
  loss LINK PERCENT        so many packets are lost, each way
  kill NODE, start NODE    its agent dies on the spot; starts again
  down                     end everything
`

const say = (text: string) => void process.stdout.write(`${text}\n`)

/** Of the one lab that a person has. */
function labFolder(): string {
  const { PPN_LAB_FOLDER, XDG_STATE_HOME } = process.env
  return PPN_LAB_FOLDER || join(XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'ppn-lab')
}

class Usage extends Error {}
class Refused extends Error {}

async function up(processes: Processes, [fleet, topologyFile]: string[], signal: AbortSignal): Promise<number> {
  if (fleet === undefined) throw new Usage('up needs the folder of a fleet')
  const folder = labFolder()
  const topology = topologyFile === undefined ? {} : { topology: topologyFromYaml(readFileSync(topologyFile, 'utf8')) }
  say('making namespaces, keys and an authority ...')
  const starting = startLab({ processes, folder, fleet: resolve(fleet), ...topology, owned: false })
  const lab = await orEnd(starting, signal, folder)
  const ready = await orEnd(waitUntilReady(lab, signal), signal, folder)
  if (!ready) {
    say(`not Ready yet; logs are below ${folder}. The lab stays up: npm run lab status, npm run lab down`)
    return EXIT.no
  }
  const [hub = '', spoke = ''] = [lab.fleet.declared.authorityNode, lab.fleet.declared.nodes[0]?.name]
  say(`
the lab is up; edit ${lab.fleet.paths.fleet} and watch. Try
  npm run lab exec ${hub} ppn get nodes -- -o wide
  npm run lab exec ${hub} wg show
  npm run lab cut ${spoke}
  npm run lab status
  npm run lab down`)
  return EXIT.ok
}

/** What was begun is ended when the person stops it half-way. */
async function orEnd<T>(work: Promise<T>, signal: AbortSignal, folder: string): Promise<T> {
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  try {
    return await Promise.race([work, stopped])
  } catch (error) {
    if (signal.aborted) {
      await work.catch(() => {})
      await endLab(folder)
    }
    throw error
  }
}

async function capture(lab: Lab, [link, file]: string[], signal: AbortSignal): Promise<number> {
  if (link === undefined) throw new Usage(`capture needs a link: ${lab.network.links.map((l) => l.name).join(', ')}`)
  const target = resolve(file ?? `${link.replace(':', '-')}.pcap`)
  const capture = await lab.network.capture(link, target)
  say(`every packet of ${link} goes into ${target}; Ctrl-C ends it. Read it with: tcpdump -n -r ${target}`)
  await new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }))
  await capture.stop()
  return EXIT.ok
}

async function inLab(lab: Lab, verb: string, args: string[], signal: AbortSignal): Promise<number> {
  const { network, fleet } = lab
  const [name = ''] = args
  const needed = (what: string, from: readonly string[]) => {
    if (name === '') throw new Usage(`${verb} needs ${what}: ${from.join(', ')}`)
  }
  const links = network.links.map((l) => l.name)
  switch (verb) {
    case 'status':
      say(await statusText(lab))
      return EXIT.ok
    case 'exec':
      needed('a host', network.names)
      return await shell(lab, name, args.slice(1))
    case 'capture':
      return await capture(lab, args, signal)
    case 'cut':
    case 'heal':
      needed('a link', links)
      await network[verb](name)
      return EXIT.ok
    case 'loss': {
      needed('a link', links)
      const percent = Number(args[1])
      if (!(percent >= 0 && percent <= 100)) throw new Usage('loss needs a percentage from 0 to 100')
      await network.impair(name, { lossPercent: percent })
      return EXIT.ok
    }
    case 'kill':
    case 'start': {
      const nodes = fleet.declared.nodes.map((n) => n.name)
      needed('a node', nodes)
      if (!nodes.includes(name)) throw new Refused(`there is no node ${name}; nodes: ${nodes.join(', ')}`)
      const pid = fleet.agentPid(name)
      if (verb === 'start' && pid !== undefined) throw new Refused(`the agent of ${name} runs: process ${pid}`)
      if (verb === 'kill' && pid === undefined) throw new Refused(`no agent runs on ${name}`)
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
      else fleet.startAgent(name)
      return EXIT.ok
    }
    default:
      throw new Usage(`there is no verb "${verb}"`)
  }
}

async function main([verb = '', ...args]: string[], signal: AbortSignal): Promise<number> {
  const processes = systemProcesses()
  if (['', 'help', '-h', '--help'].includes(verb)) {
    process.stdout.write(USAGE)
    return verb === '' ? EXIT.usage : EXIT.ok
  }
  const missing = await missingForLab(processes)
  if (missing.length > 0) throw new Refused(missing.join('\nlab: '))
  if (verb === 'up') return await up(processes, args, signal)
  if (verb === 'down') {
    say((await endLab(labFolder())) ? 'the lab is down; nothing of it is left' : 'there was no lab')
    return EXIT.ok
  }
  const lab = openLab({ processes, folder: labFolder() })
  if (!lab) throw new Refused('no lab is up: npm run lab up examples/office')
  return await inLab(lab, verb, args, signal)
}

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(130)
    stop.abort(new Error(`stopped by ${signal}`))
  })
try {
  process.exitCode = await main(process.argv.slice(2), stop.signal)
} catch (error) {
  process.stderr.write(`lab: ${(error as Error).message}\n`)
  if (error instanceof Usage) process.stderr.write(USAGE)
  process.exitCode = error instanceof Usage ? EXIT.usage : EXIT.failed
}
