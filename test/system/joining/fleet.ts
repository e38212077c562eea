// A fleet on this machine's loopback whose authority and agents are processes of their own, started as people start
// them; only WireGuard and machines are simulated. Its mesh is 127.90.N.0/24, so that nobody needs root.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { endAll, type Result, type Running, run, start } from '../processes.ts'
import { environment, REPOSITORY } from '../workspace.ts'

export interface JoiningFleet {
  root: string
  fleet: string
  state: string
  /** Where machines call. */
  address: string
  env: NodeJS.ProcessEnv
  ppn(...args: string[]): Promise<Result>
  startPpn(...args: string[]): Running
  /** `ppn up`; resolves when the pairing port is open. */
  authority(): Promise<Running>
  /** Writes a document of the fleet's folder. */
  declare(name: string, document: object): void
  node(name: string, spec: object): void
  stateDir(node: string): string
  agent(node: string, last: number): Running
  close(): Promise<void>
}

export const HUB = 'relay'
const HUB_ENDPOINT = '127.0.0.1:51820'

export function joiningFleet(n: number): JoiningFleet {
  const root = mkdtempSync(join(tmpdir(), 'ppn-joining-'))
  const fleet = join(root, 'fleet')
  const state = join(root, 'authority')
  const port = 19_200 + n
  const mesh = (last: number) => `127.90.${n}.${last}`
  mkdirSync(fleet)
  const env = environment(root, { PPN_STATE: state })
  const options = { cwd: root, env }
  const main = join(REPOSITORY, 'cli', 'main.ts')
  const startPpn = (...args: string[]) => start(process.execPath, [main, ...args], options)
  const declare = (name: string, document: object) =>
    writeFileSync(join(fleet, `${name}.yaml`), stringify({ apiVersion: 'ppn.dev/v1alpha1', ...document }))
  const node = (name: string, spec: object) => declare(name, { kind: 'Node', metadata: { name }, spec })
  const stateDir = (name: string) => join(root, 'hosts', name)

  declare('mesh', {
    kind: 'Mesh',
    metadata: { name: 'default' },
    spec: { cidr: `127.90.${n}.0/24`, ports: { pairing: port } },
  })
  node(HUB, { role: 'hub', site: 'cloud', endpoint: HUB_ENDPOINT, address: mesh(1) })
  return {
    ...{ root, fleet, state, env, startPpn, declare, node, stateDir },
    address: `127.0.0.1:${port}`,
    ppn: (...args) => run(process.execPath, [main, ...args], options),
    async authority() {
      const where = ['--state', state, '--pairing-address', '127.0.0.1', '--metrics-port', '0']
      const up = startPpn('up', fleet, ...where, '--plain', '--log-level', 'info')
      await up.until(/machines may join here[\s\S]*metrics on/, { withinMs: 120_000 })
      return up
    },
    agent(name, last) {
      const simulated = 'simulated'
      const config = join(root, `${name}.yaml`)
      const settings = {
        state: stateDir(name),
        run: join(root, 'run', name),
        holding: { enabled: false },
        drivers: { wireguard: simulated, vm: simulated, cgroup: simulated, image: simulated },
        simulation: { address: mesh(last), endpoints: { [HUB_ENDPOINT]: mesh(1) }, behindNat: last !== 1 },
      }
      writeFileSync(config, stringify(settings))
      return startPpn('agent', '--config', config)
    },
    async close() {
      await endAll(root)
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** What `ppn join` shows, without terminal. */
export async function shownCode(join: Running): Promise<{ rendezvous: string; code: string }> {
  const text = await join.until(/code {12}.*\n/, { withinMs: 120_000 })
  const symbols = (name: string) => (new RegExp(`${name} +(.*)\n`).exec(text)?.[1] ?? '').replaceAll(' ', '')
  return { rendezvous: symbols('rendezvous'), code: symbols('code') }
}

/** `482913` of the digits it shows, once it does. */
export async function shownDigits(join: Running, withinMs = 120_000): Promise<string> {
  const text = await join.until(/digits {3}(\d{3}) (\d{3})\n/, { withinMs })
  const [, first, second] = [...text.matchAll(/digits {3}(\d{3}) (\d{3})\n/g)].at(-1) as RegExpExecArray
  return `${first}${second}`
}

/** Both people at their screens, doing what they are asked. Resolves when both commands have ended. */
export async function joinAndPair(
  fleet: JoiningFleet,
  name: string,
  options: { pair?: string[]; join?: string[] } = {},
): Promise<{ join: Running; pair: Running }> {
  const join = fleet.startPpn('join', fleet.address, '--state-dir', fleet.stateDir(name), ...(options.join ?? []))
  const { rendezvous, code } = await shownCode(join)
  const pair = fleet.startPpn('pair', '--node', name, ...(options.pair ?? []))
  await pair.until(/rendezvous the machine shows/, { withinMs: 120_000 })
  pair.write(`${rendezvous.toLowerCase()}\n`)
  await pair.until(/code it shows/)
  pair.write(`${code.toLowerCase().replace('-', ' ')}\n`)
  const digits = await shownDigits(join)
  await pair.until(/digits on its screen/, { withinMs: 120_000 })
  pair.write(`${digits}\n`)
  await pair.until(/digits here/, { withinMs: 120_000 })
  join.write('yes\n')
  await Promise.all([join.ended, pair.ended])
  return { join, pair }
}
