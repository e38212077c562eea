// The fleet of examples/office in the lab, and what its tests ask of it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeStatus } from '../../../api/v1alpha1/node.ts'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import { builtProgram } from '../../lab/built.ts'
import { type Capture, packetsIn, startCapture } from '../../lab/capture.ts'
import { type Lab, startLab } from '../../lab/lab.ts'
import { startProbe } from '../../lab/probe.ts'
import { becomes, fleetReady, nodeSays } from '../../lab/ready.ts'
import { type Recovery, recoveryTable } from '../../lab/report.ts'
import { REPOSITORY } from '../../lab/repository.ts'

export const [HUB, OFFICE, LAPTOP] = ['relay', 'office-1', 'laptop-1'] as const
export type OfficeNode = typeof HUB | typeof OFFICE | typeof LAPTOP
export const NODES: readonly OfficeNode[] = [HUB, OFFICE, LAPTOP]
/** In the mesh. */
export const MESH: Record<OfficeNode, string> = { [HUB]: '10.8.0.1', [OFFICE]: '10.8.0.10', [LAPTOP]: '10.8.0.2' }

const processes = systemProcesses()

export class Office {
  readonly events: Recovery[] = []
  /** Captures of every machine's own link, from before the first packet. */
  readonly underlay: Capture[] = []
  readonly #root = mkdtempSync(join(tmpdir(), 'ppn-lab-'))
  #lab: Lab | undefined

  get lab(): Lab {
    if (!this.#lab) throw new Error('the lab is not up')
    return this.#lab
  }

  /** Resolves when everything declared is Ready. */
  async begin(): Promise<void> {
    const program = await builtProgram(processes, join(this.#root, 'built'))
    const begunMs = performance.now()
    this.#lab = await startLab({
      processes,
      folder: join(this.#root, 'lab'),
      fleet: join(REPOSITORY, 'examples', 'office'),
      owned: true,
      program,
      beforeFleet: async (network) => {
        for (const link of NODES) this.underlay.push(await network.capture(link, this.pcap(link)))
      },
    })
    await fleetReady(this.lab.fleet)
    this.events.push({ what: 'three nodes from nothing to Ready', tookMs: performance.now() - begunMs })
  }

  async end(): Promise<void> {
    process.stdout.write(`\n${recoveryTable(this.events)}\n`)
    await this.#lab?.end()
    rmSync(this.#root, { recursive: true, force: true })
  }

  pcap(name: string): string {
    return join(this.#root, `${name}.pcap`)
  }

  /** What a program on a machine prints. */
  inside(host: string, program: string, ...args: string[]): Promise<string> {
    return runOk(this.lab.network.host(host).processes, program, args)
  }

  wg(host: string, what: string): Promise<string> {
    return this.inside(host, 'wg', 'show', 'ppn0', what)
  }

  /** Public key of a node, as its own interface has it. */
  async keyOf(node: OfficeNode): Promise<string> {
    return (await this.wg(node, 'public-key')).trim()
  }

  /** A thousand packets a second from the office to the hub. */
  probe() {
    return startProbe(this.lab.network.host(OFFICE), MESH[HUB])
  }

  /** What passes a node's tunnel, until `packets` is asked. */
  async overlay(node: OfficeNode, name: string, filter: string): Promise<{ packets(): Promise<string[]> }> {
    const file = this.pcap(name)
    const capture = await startCapture(this.lab.network.host(node), 'ppn0', file, filter)
    return {
      async packets() {
        await capture.stop()
        return packetsIn(processes, file)
      },
    }
  }

  packets(name: string, filter = ''): Promise<string[]> {
    return packetsIn(processes, this.pcap(name), filter)
  }

  /** As a person edits a file of the fleet. */
  edit(file: string, change: (text: string) => string): void {
    const path = join(this.lab.fleet.paths.fleet, file)
    writeFileSync(path, change(readFileSync(path, 'utf8')))
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.lab.fleet.paths.fleet, file), text)
  }

  remove(file: string): void {
    rmSync(join(this.lab.fleet.paths.fleet, file))
  }

  /** Resolves when a packet gets through. */
  async pings(from: OfficeNode, to: OfficeNode): Promise<void> {
    await becomes(120_000, () => this.answers(from, MESH[to]))
  }

  async answers(from: OfficeNode, address: string): Promise<boolean> {
    const { processes: host } = this.lab.network.host(from)
    return (await host.run('ping', ['-n', '-c', '1', '-W', '1', address])).exitCode === 0
  }

  /** Whoever is named is Ready; the rest may be cut off. */
  async ready(...nodes: OfficeNode[]): Promise<void> {
    for (const node of nodes) await nodeSays(this.lab.fleet, node, 'Ready', 'Converged')
  }

  async status(node: OfficeNode): Promise<NodeStatus> {
    const [object] = await (await this.lab.fleet.admin()).objects({ kind: 'Node', name: node })
    if (!object) throw new Error(`there is no node ${node}`)
    return object.status as NodeStatus
  }

  /** Resolves when an agent with another boot id than `before` was heard and is Ready, with how long it took, ms. */
  newBoot(node: OfficeNode, before: string | undefined): Promise<number> {
    return becomes(60_000, async () => {
      const { bootId, conditions } = await this.status(node)
      return bootId !== before && conditions.some((c) => c.type === 'Ready' && c.status === 'True')
    })
  }

  /** The process dies on the spot; resolves when it has gone. */
  async kill(pidOf: () => number | undefined): Promise<void> {
    process.kill(pidOf() as number, 'SIGKILL')
    await becomes(10_000, async () => pidOf() === undefined)
  }
}
