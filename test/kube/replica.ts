// `ppn authority --cluster` as a process, as a pod runs it: killed, stopped for a while, cut off; started again by itself,
// if wanted, as kubelet does it.
import { glob, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connectAdmin } from '../../authority/admin/client.ts'
import { newKeyFile } from '../../authority/keys/new-keys.ts'
import { systemClock } from '../../base/clock.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { systemRandom } from '../../base/random.ts'
import { type Child, startChild } from '../../hack/kube/child.ts'
import { generateEd25519 } from '../../protocol/keys.ts'
import type { Enroller } from './machines.ts'
import { NAMESPACE } from './reign.ts'

const PPN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const RESTART_AFTER_MS = 1_000

export interface ReplicaOptions {
  /** In the Lease: a container that is started again in its pod is who it was. */
  name: string
  kubeconfig: string
  /** The authority node that it runs on. */
  node?: string
  /** Started again whenever it ends by itself. */
  keepUp?: boolean
}

export interface Replica {
  readonly name: string
  readonly process: Child
  /** Folder of its admin socket. */
  readonly state: string
  /** How often it ended by itself and was started again. */
  readonly restarts: number
  /** Of its standard output and error. */
  words(): Promise<string>
  /** Lines of its audit. */
  audit(): Promise<Record<string, unknown>[]>
  /** Its admin socket, while it leads. */
  leader(): Promise<Enroller | undefined>
  /** From now on it is not started again. */
  leaveIt(): void
  stop(signal?: NodeJS.Signals): Promise<void>
}

export interface Replicas {
  start(options: ReplicaOptions): Promise<Replica>
  /** Whichever of them leads. */
  leader(): Promise<Enroller | undefined>
  /** Ends them all. */
  stop(): Promise<void>
}

const hubNamed = (name: string) => `apiVersion: ppn.dev/v1alpha1
kind: Node
metadata:
  name: ${name}
spec:
  role: hub
  site: cloud
  endpoint: ${name}.office.example:51820
`

/** `examples/office` on a network of loopback that no other test of this machine has; its Mesh may name authority nodes, hubs that are not in it among them. */
export async function officeElsewhere(authorityNodes: readonly string[] = []): Promise<string> {
  const [a = 0, b = 0] = systemRandom(2)
  const texts: string[] = []
  for await (const file of glob('examples/office/**/*.yaml')) texts.push(await readFile(file, 'utf8'))
  const mesh = authorityNodes.length > 0 ? `  authorityNodes: [${authorityNodes.join(', ')}]\n` : ''
  const all = texts.join('\n---\n').replace(/^ {2}cidr:/m, `${mesh}  cidr:`)
  const more = authorityNodes.filter((name) => !all.includes(`name: ${name}\n`)).map(hubNamed)
  return [all, ...more].join('\n---\n').replaceAll('10.8.0.', `10.${64 + (a % 64)}.${b}.`)
}

/** Of one fleet: they share its keys. */
export async function replicasOf(): Promise<Replicas> {
  const folder = await mkdtemp(join(tmpdir(), 'ppn-replicas-'))
  const keys = join(folder, 'keys')
  await mkdir(keys, { mode: 0o700 })
  const operator = generateEd25519(systemRandom)
  await diskFiles(keys).write(
    'authority',
    await newKeyFile({ random: systemRandom, clock: systemClock() }, operator.publicKey),
  )
  const all: Replica[] = []

  const start = async ({ name, kubeconfig, node, keepUp = false }: ReplicaOptions): Promise<Replica> => {
    const own = join(folder, name)
    await mkdir(own, { recursive: true })
    const [log, audit] = [join(own, 'log'), join(own, 'audit')]
    const args = ['authority', '--cluster', '--loopback', '--kubeconfig', kubeconfig, '--namespace', NAMESPACE]
    args.push(
      '--identity',
      name,
      '--keys',
      keys,
      '--state',
      join(own, 'state'),
      '--audit',
      audit,
      '--metrics-port',
      '0',
    )
    if (node !== undefined) args.push('--node', node)
    const run = () => startChild(process.execPath, [PPN, ...args], log)
    let child = run()
    let restarts = 0
    let stopped = !keepUp
    if (keepUp)
      void (async () => {
        while (!stopped) {
          await wait(50)
          if (!child.ended() || stopped) continue
          await wait(RESTART_AFTER_MS)
          if (stopped) return
          child = run()
          restarts++
        }
      })()
    const replica: Replica = {
      name,
      state: join(own, 'state'),
      get process() {
        return child
      },
      get restarts() {
        return restarts
      },
      words: () => child.lastWords(),
      async audit() {
        const text = new TextDecoder().decode((await diskFiles(own).read('audit')) ?? new Uint8Array())
        return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]))
      },
      async leader() {
        if (child.ended()) return undefined
        const admin = await connectAdmin(join(own, 'state')).catch(() => undefined)
        const health = await admin?.health().catch(() => undefined)
        // One that leads serves once its own node is enrolled, which is what it is asked for first.
        return health === undefined || health.servingReason?.startsWith('standing by') ? undefined : admin
      },
      leaveIt() {
        stopped = true
      },
      async stop(signal) {
        stopped = true
        child.thaw()
        await child.stop(signal)
      },
    }
    all.push(replica)
    return replica
  }
  return {
    start,
    async leader() {
      const found = await Promise.all(all.map((replica) => replica.leader()))
      return found.find((admin) => admin !== undefined)
    },
    async stop() {
      await Promise.all(all.map((replica) => replica.stop()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}
