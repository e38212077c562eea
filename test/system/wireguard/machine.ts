// A machine with the real driver on it: a host of a lab network, and the driver's process inside.
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { WireGuardConfig, WireGuardDriver, WireGuardPeer } from '../../../agent/drivers/wireguard/port.ts'
import { runOk } from '../../../base/processes.ts'
import { generateX25519, toBase64 } from '../../../protocol/keys.ts'
import type { Namespace } from '../../lab/namespace.ts'

const PROCESS = path.join(import.meta.dirname, 'driver-process.ts')
export const NAME = 'ppn0'

export interface KeyText {
  privateKey: string
  publicKey: string
}

export function newKeys(): KeyText {
  const pair = generateX25519((n) => new Uint8Array(randomBytes(n)))
  return { privateKey: toBase64(pair.secretKey), publicKey: toBase64(pair.publicKey) }
}

export interface Machine extends KeyText {
  readonly namespace: Namespace
  /** In the mesh. */
  readonly address: string
  readonly driver: WireGuardDriver
  /** What the driver has run since the last question, `wg show` and the like left out: what can change something. */
  changes(): Promise<string[][]>
  /** Runs a program on the machine and returns what it printed. */
  run(program: string, ...args: string[]): Promise<string>
  /** The driver's process is killed and another one started; the tunnel is not asked. */
  restartDriver(): Promise<void>
  /** Its log since the beginning. */
  log(): string
  stop(): Promise<void>
}

const READS = /^(ip -json|wg show|nft -j list)/

/** `folder`: for the endpoint memory. */
export async function startMachine(namespace: Namespace, address: string, folder: string): Promise<Machine> {
  const keys = newKeys()
  const listeners = new Set<() => void>()
  let said = ''
  let asked = 0
  let child: ChildProcess
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()

  const start = () => {
    child = namespace.spawn(process.execPath, [PROCESS, folder], { stdio: ['pipe', 'pipe', 'pipe'] })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    child.once('exit', () => {
      for (const { reject } of waiting.values()) reject(new Error(`the driver's process ended: ${said}`))
      waiting.clear()
    })
    if (!child.stdout) throw new Error('no pipe')
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = JSON.parse(line) as { event?: string; id: number; result?: unknown; error?: string }
      if (message.event) {
        for (const listener of listeners) listener()
        return
      }
      const waiter = waiting.get(message.id)
      waiting.delete(message.id)
      if (message.error === undefined) waiter?.resolve(message.result)
      else waiter?.reject(new Error(message.error))
    })
  }
  const call = <T>(name: string, argument?: unknown): Promise<T> => {
    const id = ++asked
    return new Promise<T>((resolve, reject) => {
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      child.stdin?.write(`${JSON.stringify({ id, call: name, argument })}\n`)
    })
  }
  const end = async () => {
    const exited = once(child, 'exit')
    waiting.clear()
    child.kill('SIGKILL')
    await exited
  }
  start()
  return {
    ...keys,
    namespace,
    address,
    driver: {
      read: (name) => call('read', name),
      apply: (config) => call('apply', config),
      remove: (name) => call('remove', name),
      onChange: (listener) => {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
    },
    changes: async () => {
      const ran = await call<string[][]>('ran')
      return ran.filter((command) => !READS.test(command.join(' ')))
    },
    run: (program, ...args) => runOk(namespace.processes, program, args, { timeoutMs: 120_000 }),
    restartDriver: async () => {
      await end()
      start()
    },
    log: () => said,
    stop: end,
  }
}

/** The interface of a machine in a mesh with these peers. */
export function configOf(
  machine: Machine,
  peers: WireGuardPeer[],
  more: Partial<WireGuardConfig> = {},
): WireGuardConfig {
  return {
    name: NAME,
    privateKey: machine.privateKey,
    address: `${machine.address}/24`,
    listenPort: 51820,
    mtu: 1420,
    peers,
    ...more,
  }
}

export function peerOf(
  machine: Pick<Machine, 'publicKey' | 'address'>,
  more: Partial<WireGuardPeer> = {},
): WireGuardPeer {
  return { publicKey: machine.publicKey, allowedIPs: [`${machine.address}/32`], persistentKeepalive: 0, ...more }
}
