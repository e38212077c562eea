// A broker on the hub and a client of it on every member, as Debian has them.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inBatches } from '../network.ts'
import { becomes } from '../ready.ts'
import type { Crowd } from './crowd.ts'

export interface Subscribers {
  end(): Promise<void>
}

const PORTS = { nats: 4222, mqtt: 1883 } as const
const AT_ONCE = 8
/** Subscriptions have reached the broker by then. */
const SETTLE_MS = 2_000
const WITHIN_MS = 60_000

/** Debian packages: nats-server; mosquitto and mosquitto-clients. NATS has no client in Debian; its protocol is text. */
export async function subscribe(crowd: Crowd, broker: keyof typeof PORTS): Promise<Subscribers> {
  const { hub } = crowd
  const port = PORTS[broker]
  const conf = path.join(crowd.folder, 'mosquitto.conf')
  writeFileSync(conf, `listener ${port} ${hub.address}\nallow_anonymous true\nset_tcp_nodelay true\nuser root\n`)
  const servers: Record<typeof broker, [string, string[]]> = {
    nats: ['nats-server', ['-a', hub.address, '-p', String(port)]],
    mqtt: ['mosquitto', ['-c', conf]],
  }
  const clients: Record<typeof broker, [string, string[]]> = {
    nats: [
      'sh',
      [
        '-c',
        `{ printf 'CONNECT {"verbose":false}\\r\\nSUB t 1\\r\\n'; sleep 3600; } | busybox nc ${hub.address} ${port}`,
      ],
    ],
    mqtt: ['mosquitto_sub', ['-h', hub.address, '-p', String(port), '-t', 't', '-k', '600']],
  }
  const children: ChildProcess[] = []
  const server = hub.namespace.spawn(...servers[broker], { stdio: 'ignore' })
  children.push(server)
  await becomes(WITHIN_MS, async () => (await established(crowd, port, 'listening')) > 0)
  await inBatches(crowd.members, AT_ONCE, async ({ namespace }) => {
    // A group of its own: the pipe's processes end together.
    children.push(namespace.spawn(...clients[broker], { stdio: 'ignore', detached: true }))
  })
  await becomes(WITHIN_MS, async () => (await established(crowd, port, 'established')) >= crowd.members.length)
  await sleep(SETTLE_MS)
  return {
    async end() {
      for (const child of children) {
        const ended = once(child, 'exit')
        if (child.exitCode === null && child.signalCode === null) {
          process.kill(child === server ? (child.pid as number) : -(child.pid as number), 'SIGKILL')
          await ended
        }
      }
    },
  }
}

async function established({ hub }: Crowd, port: number, state: string): Promise<number> {
  const text = await hub.run('ss', '-Htn', 'state', state, 'sport', '=', `:${port}`)
  return text.split('\n').filter((line) => line !== '').length
}
