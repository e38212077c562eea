// A fleet on the lab's hosts: keys made on each, their public halves declared, one authority beside the first hub,
// agents as their services would run them, first bundles carried over by hand as docs/operations.md has it.
import type { ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { importBundle } from '../../agent/bundles/import.ts'
import { initAgentKeys, publicHalves } from '../../agent/keys/agent-keys.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import { type AdminClient, connectAdmin } from '../../authority/admin/client.ts'
import { diskFiles } from '../../base/disk-files.ts'
import type { Ran, RunOptions } from '../../base/processes.ts'
import { systemRandom } from '../../base/random.ts'
import { copyFleet, type DeclaredFleet } from './declared.ts'
import { processEndingWith } from './marks.ts'
import type { LabNetwork } from './network.ts'
import { REPOSITORY } from './repository.ts'

export interface LabFleetOptions {
  network: LabNetwork
  /** The lab's own; everything lies below it. */
  folder: string
  /** Of the person; copied. */
  fleet: string
  declared: DeclaredFleet
  /** What runs ppn. Default: this Node and the source as it is. */
  program?: readonly [string, ...string[]]
  /** Nodes that come in later, by their own ceremony: `begin` leaves them alone. */
  joining?: readonly string[]
  /** Instead of one beside the first hub that reads the folder. */
  authority?: LabAuthority
}

export interface LabAuthority {
  /** The folder is there, with the identities of all nodes; whatever is to lead is started. */
  start(fleet: string): Promise<void>
  /** Of whoever leads now. */
  admin(): Promise<AdminClient | undefined>
}

export interface LabFleet {
  readonly paths: LabPaths
  readonly declared: DeclaredFleet
  /** Makes keys, copies the folder, starts the authority and all agents, and gives each its first bundle. */
  begin(): Promise<void>
  /** `ppn ARG ...` on a host, for the fleet's state. */
  ppn(host: string, args: readonly string[], options?: RunOptions): Promise<Ran>
  admin(): Promise<AdminClient>
  startAuthority(): ChildProcess
  /** Undefined while it does not run. */
  authorityPid(): number | undefined
  agentPid(node: string): number | undefined
  startAgent(node: string): ChildProcess
  /** The first bundle, as `ppn node bundle` and `ppn agent import` carry it. Waits until there is one. */
  carryBundle(node: string): Promise<void>
}

export interface LabPaths {
  /** The copy that the authority reads. */
  fleet: string
  /** Of the authority. */
  state: string
  authorityLog: string
  agentState(node: string): string
  agentConfig(node: string): string
  agentLog(node: string): string
}

/** From the start of the authority to a bundle for every node: 5 s of listening at most, and a slow machine. */
const BUNDLE_WITHIN_MS = 60_000
const LOOK_MS = 100

export function pathsIn(folder: string): LabPaths {
  const host = (node: string, name: string) => join(folder, 'hosts', node, name)
  return {
    fleet: join(folder, 'fleet'),
    state: join(folder, 'authority'),
    authorityLog: join(folder, 'authority.log'),
    agentState: (node) => host(node, 'state'),
    agentConfig: (node) => host(node, 'agent.yaml'),
    agentLog: (node) => host(node, 'agent.log'),
  }
}

export function labFleet(options: LabFleetOptions): LabFleet {
  const { network, declared } = options
  const paths = pathsIn(options.folder)
  const [file, ...before] = options.program ?? [process.execPath, join(REPOSITORY, 'cli', 'main.ts')]
  const env = { PPN_STATE: paths.state }
  const nodes = declared.nodes.map((n) => n.name)
  const here = nodes.filter((name) => !options.joining?.includes(name))

  const authorityArgs = [
    ...['up', paths.fleet, '--state', paths.state, '--plain', '--metrics-port', '0', '--log-level', 'info'],
  ]
  const agentArgs = (node: string) => ['agent', '--config', paths.agentConfig(node)]
  const startLogged = (host: string, logFile: string, args: readonly string[]): ChildProcess => {
    const log = openSync(logFile, 'a', 0o600)
    const child = network.host(host).spawn(file, [...before, ...args], {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...process.env, ...env },
    })
    closeSync(log)
    child.unref()
    return child
  }
  const admin = async (): Promise<AdminClient> => {
    for (let waited = 0; waited < BUNDLE_WITHIN_MS; waited += LOOK_MS) {
      const client = await (options.authority?.admin() ?? connectAdmin(paths.state))
      if (client) return client
      await sleep(LOOK_MS)
    }
    throw new Error(`the authority does not answer; see ${paths.authorityLog}`)
  }
  const carryBundle = async (node: string): Promise<void> => {
    const client = await admin()
    const deadline = Date.now() + BUNDLE_WITHIN_MS
    for (;;) {
      try {
        const { armored, fingerprint } = await client.bundle(node)
        await importBundle(diskFiles(paths.agentState(node)), armored, { authorityFingerprint: fingerprint })
        return
      } catch (error) {
        // Its Node has not been reconciled yet.
        if (!/NothingWanted|ObjectNotFound/.test(String((error as { code?: string }).code))) throw error
        if (Date.now() > deadline) throw error
        await sleep(LOOK_MS)
      }
    }
  }
  const fleet: LabFleet = {
    paths,
    declared,
    ppn: (host, args, more) =>
      network
        .host(host)
        .processes.run(file, [...before, ...args], { timeoutMs: 60_000, ...more, env: { ...env, ...more?.env } }),
    admin,
    startAuthority: () => startLogged(declared.authorityNode, paths.authorityLog, authorityArgs),
    startAgent: (node) => startLogged(node, paths.agentLog(node), agentArgs(node)),
    authorityPid: () => processEndingWith(authorityArgs),
    agentPid: (node) => processEndingWith(agentArgs(node)),
    carryBundle,
    async begin() {
      const identities = new Map<string, NodeIdentity>()
      for (const node of nodes) {
        mkdirSync(paths.agentState(node), { recursive: true, mode: 0o700 })
        writeFileSync(paths.agentConfig(node), agentConfig(paths.agentState(node), paths.fleet))
        if (here.includes(node))
          identities.set(node, publicHalves(await initAgentKeys(diskFiles(paths.agentState(node)), systemRandom)))
      }
      const addressOf = (node: string) => network.link(node).address
      copyFleet({ from: options.fleet, to: paths.fleet, identities, addressOf })
      if (options.authority) await options.authority.start(paths.fleet)
      else fleet.startAuthority()
      // The hub first: the authority speaks from its mesh address, which is there once its agent has a bundle.
      const order = here.toSorted((a, b) => Number(b === declared.authorityNode) - Number(a === declared.authorityNode))
      for (const node of order) fleet.startAgent(node)
      for (const node of order) await carryBundle(node)
    },
  }
  return fleet
}

/** Real WireGuard; machines and disks are simulated, because the example's images exist nowhere. */
function agentConfig(state: string, images: string): string {
  const simulated = 'simulated'
  return stringify({
    state,
    // Private to the host: its /run is its own.
    run: '/run/ppn',
    log: { level: 'info' },
    images: { folders: [images] },
    drivers: { wireguard: 'real', vm: simulated, cgroup: simulated, image: simulated },
  })
}
