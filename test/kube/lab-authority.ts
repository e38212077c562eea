// Replicas of the authority in the lab's namespaces: real mesh addresses, real WireGuard, and an API server that they
// reach although it is on this machine's own loopback. A path names the same Unix socket in every network namespace:
// one end of it forwards to the server, the other is the server's port in each of the namespaces.
import { openSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type AdminClient, connectAdmin } from '../../authority/admin/client.ts'
import type { LabNetwork } from '../lab/network.ts'
import { REPOSITORY } from '../lab/repository.ts'
import { NAMESPACE } from './reign.ts'

export interface LabReplica {
  readonly node: string
  readonly pid: number
  admin(): Promise<AdminClient | undefined>
  /** Admin of this replica when it leads and speaks, under which term. */
  serving(): Promise<{ admin: AdminClient; term: number } | undefined>
  /** This very process has read everything. */
  standsBy(): Promise<boolean>
  ended(): { code: number | null; signal: NodeJS.Signals | null } | undefined
  kill(signal: NodeJS.Signals): void
  words(): Promise<string>
  audit(): Promise<string>
}

/** Until the test's process ends or `close`. */
export async function relayTo(url: string, socket: string): Promise<{ close(): void }> {
  const { hostname, port } = new URL(url)
  const server = net.createServer((from) => pump(from, net.connect(Number(port), hostname)))
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return { close: () => server.close() }
}

const pump = (a: net.Socket, b: net.Socket) => {
  a.pipe(b).pipe(a)
  for (const one of [a, b]) one.on('error', () => [a, b].forEach((each) => void each.destroy()))
}

/** The server's port on the loopback of a namespace. It ends with the lab. */
export async function reachFrom(network: LabNetwork, host: string, url: string, socket: string): Promise<void> {
  const { port } = new URL(url)
  const program = `const net = require('net')
    net.createServer((a) => { const b = net.connect(${JSON.stringify(socket)}); a.pipe(b).pipe(a)
      for (const one of [a, b]) one.on('error', () => { a.destroy(); b.destroy() }) }).listen(${port}, '127.0.0.1')`
  network.host(host).spawn(process.execPath, ['-e', program], { stdio: 'ignore', detached: true }).unref()
}

export interface LabReplicasOptions {
  network: LabNetwork
  folder: string
  keys: string
  kubeconfig: string
}

/** One replica in the namespace of `node`, speaking from that node's mesh address. */
export async function startReplica(options: LabReplicasOptions, node: string): Promise<LabReplica> {
  const { network, folder, keys, kubeconfig } = options
  const own = join(folder, `authority-${node}`)
  await mkdir(own, { recursive: true })
  const [log, audit, state] = [join(own, 'log'), join(own, 'audit'), join(own, 'state')]
  const args = [join(REPOSITORY, 'cli/main.ts'), 'authority', '--cluster', '--node', node, '--identity', node]
  args.push('--kubeconfig', kubeconfig, '--namespace', NAMESPACE, '--keys', keys, '--state', state)
  args.push('--audit', audit, '--metrics-port', '0', '--pairing-address', '127.0.0.1')
  const out = openSync(log, 'a', 0o600)
  const child = network.host(node).spawn(process.execPath, args, { stdio: ['ignore', out, out], detached: true })
  let over: ReturnType<LabReplica['ended']>
  child.once('exit', (code, signal) => {
    over = { code, signal }
  })
  child.unref()
  /** A stopped process takes connections, and answers none. */
  let stopped = false
  const admin = async () => (over || stopped ? undefined : await connectAdmin(state).catch(() => undefined))
  return {
    ...{ node, pid: child.pid as number, admin },
    async serving() {
      const client = await admin()
      const health = await client?.health().catch(() => undefined)
      return client && health?.serving ? { admin: client, term: health.term } : undefined
    },
    async standsBy() {
      const client = await admin()
      return (await client?.version())?.pid === child.pid && (await client?.health())?.store.synced === true
    },
    ended: () => over,
    kill(signal) {
      stopped = signal === 'SIGSTOP'
      child.kill(signal)
    },
    words: () => readFile(log, 'utf8').catch(() => ''),
    audit: () => readFile(audit, 'utf8').catch(() => ''),
  }
}

/** Resolves with how long it took, ms. */
export async function soon(what: string, withinMs: number, happened: () => Promise<boolean>): Promise<number> {
  const begunMs = performance.now()
  while (!(await happened().catch(() => false))) {
    if (performance.now() - begunMs > withinMs) throw new Error(`within ${withinMs / 1000} s: ${what}`)
    await wait(20)
  }
  return performance.now() - begunMs
}
