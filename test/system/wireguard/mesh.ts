// A small real mesh: a hub and spokes on one wire, configured as their agents would be by bundles of the controllers.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WireGuardConfig, WireGuardState } from '../../../agent/drivers/wireguard/port.ts'
import { tunnelConfig } from '../../../agent/tunnel/config.ts'
import { meshSpec } from '../../../api/v1alpha1/mesh.ts'
import { systemProcesses } from '../../../base/processes.ts'
import { bundleContent } from '../../../controllers/bundle/content.ts'
import type { BundleContent } from '../../../protocol/bundle/document.ts'
import { endMarked, newMark, sweepOrphans } from '../../lab/marks.ts'
import { buildNetwork, type LabNetwork } from '../../lab/network.ts'
import { parseTopology } from '../../lab/topology.ts'
import { authorityKeyFixture, poolFixture } from './fixtures.ts'
import { type Machine, NAME, startMachine } from './machine.ts'

export const HUB_NAME = 'hub.example'
export const HUB_ENDPOINT = `${HUB_NAME}:51820`

export interface MeshWish {
  /** Node name; default: the hub. */
  authority?: string
  hubEndpoint?: string
  isolated?: boolean
}

export interface RealMesh {
  network: LabNetwork
  machine(name: string): Machine
  machines: readonly Machine[]
  /** Its endpoint memory. */
  folderOf(name: string): string
  content(name: string, wish?: MeshWish): BundleContent
  config(name: string, wish?: MeshWish): WireGuardConfig
  /** Applies what the bundles say to every machine, and waits until every spoke reaches the hub. */
  join(wish?: MeshWish): Promise<void>
  close(): Promise<void>
}

/** The first name is the hub; the others are spokes. */
export async function realMesh(names: readonly string[]): Promise<RealMesh> {
  await sweepOrphans()
  const mark = newMark(true)
  const folder = await mkdtemp(path.join(tmpdir(), 'ppn-wg-'))
  const [hub = ''] = names
  const topology = parseTopology({
    segments: { wire: { cidr: '192.0.2.0/24', cidr6: '2001:db8::/64' } },
    hosts: Object.fromEntries(names.map((name) => [name, { segment: 'wire', names: name === hub ? [HUB_NAME] : [] }])),
  })
  const network = await buildNetwork({ processes: systemProcesses(), mark, topology })
  const started = names.map((name, i) => startMachine(network.host(name), `10.8.0.${i + 1}`, path.join(folder, name)))
  const machines = await Promise.all(started)
  const machine = (name: string) => machines[names.indexOf(name)] as Machine

  const content = (name: string, wish: MeshWish = {}): BundleContent => {
    const members = machines.map((m, i) => ({
      name: names[i] as string,
      nodeId: (i + 1).toString(16).padStart(32, '0') as BundleContent['peers'][number]['nodeId'],
      address: m.address,
      role: i === 0 ? ('hub' as const) : ('spoke' as const),
      ...(i === 0 && { endpoint: wish.hubEndpoint ?? HUB_ENDPOINT }),
      wireguardPublicKey: m.publicKey,
    }))
    const wanted = bundleContent({
      node: members[names.indexOf(name)] as (typeof members)[number],
      members,
      hubs: members.slice(0, 1),
      mesh: { name: 'default', spec: meshSpec.parse({}) },
      authorities: [authorityKeyFixture],
      authorityAddresses: [machine(wish.authority ?? hub).address],
      operatorKey: authorityKeyFixture.signingPublicKey,
      meshEpochMs: 0,
      pool: poolFixture,
      archives: [],
    })
    return { ...wanted, attempt: 0 }
  }
  const config = (name: string, wish: MeshWish = {}): WireGuardConfig =>
    tunnelConfig({
      content: content(name, wish),
      privateKey: machine(name).privateKey,
      isolated: wish.isolated ?? false,
    })
  return {
    network,
    machine,
    machines,
    folderOf: (name) => path.join(folder, name),
    content,
    config,
    async join(wish) {
      for (const name of names) await machine(name).driver.apply(config(name, wish))
      for (const name of names.slice(1)) await until(() => answers(machine(name), machine(hub).address))
    },
    async close() {
      await Promise.all(machines.map((m) => m.stop()))
      await endMarked(mark.id)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Does one ping come back? */
export async function answers(from: Machine, address: string): Promise<boolean> {
  const { exitCode } = await from.namespace.processes.run('ping', ['-n', '-c', '1', '-W', '1', address])
  return exitCode === 0
}

const PATIENCE_MS = 60_000

/** Waits until it holds; a slow machine is no failure. */
export async function until(check: () => Promise<boolean>, withinMs = PATIENCE_MS): Promise<void> {
  for (const deadline = Date.now() + withinMs; !(await check()); await sleep(50)) {
    if (Date.now() > deadline) throw new Error(`not so within ${withinMs} ms`)
  }
}

export async function stateOf(machine: Machine): Promise<WireGuardState> {
  const state = await machine.driver.read(NAME)
  if (!state) throw new Error(`${machine.address} has no ${NAME}`)
  return state
}

/** The content with another key for one of its peers. */
export function withKey(content: BundleContent, from: string, to: string): BundleContent {
  return { ...content, peers: content.peers.map((p) => (p.publicKey === from ? { ...p, publicKey: to } : p)) }
}
