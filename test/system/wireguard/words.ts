// One datagram or connection from one machine to another, and who is heard to say it; and what passes an interface.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Machine } from './machine.ts'

const LISTEN = {
  udp: `const s = require('dgram').createSocket('udp4')
    s.on('message', (_, from) => { console.log(from.address); process.exit() })
    s.bind(+process.argv[2], process.argv[1], () => console.log('ready'))`,
  tcp: `const s = require('net').createServer((c) => { console.log(c.remoteAddress); process.exit() })
    s.listen(+process.argv[2], process.argv[1], () => console.log('ready'))`,
} as const

const SAY = {
  udp: `const s = require('dgram').createSocket('udp4')
    const send = () => s.send('x'.repeat(16), +process.argv[2], process.argv[1], () => {})
    for (const t of [0, 100, 300]) setTimeout(send, t)
    setTimeout(() => process.exit(), 400)`,
  tcp: `const c = require('net').connect(+process.argv[2], process.argv[1])
    c.on('connect', () => process.exit()).on('error', () => process.exit())
    setTimeout(() => process.exit(), 1500)`,
} as const

/** Longer than a connection attempt waits before it is tried again. */
const SILENCE_MS = 2_000

/** Says a word to `address`; whether anybody hears it is not known here. */
export async function say(from: Machine, kind: 'udp' | 'tcp', address: string, port: number): Promise<void> {
  await from.run(process.execPath, '-e', SAY[kind], address, String(port))
}

/** The address from which `address`:`port` on `machine` hears something of what `during` says; undefined: silence. */
export async function heardAt(
  machine: Machine,
  kind: 'udp' | 'tcp',
  address: string,
  port: number,
  during: () => Promise<void>,
): Promise<string | undefined> {
  const child = machine.namespace.spawn(process.execPath, ['-e', LISTEN[kind], address, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (!child.stdout) throw new Error('no pipe')
  const lines = createInterface({ input: child.stdout })
  const heard: string[] = []
  lines.on('line', (line) => heard.push(line))
  const ended = once(child, 'exit')
  await once(lines, 'line')
  await during()
  await Promise.race([ended, sleep(SILENCE_MS)])
  child.kill('SIGKILL')
  await ended
  return heard[1]
}

/** Packets that pass an interface of a machine until stopped, as tcpdump(8) prints them. */
export async function listening(machine: Machine, dev: string, filter: string): Promise<{ stop(): Promise<string[]> }> {
  const child = machine.namespace.spawn('tcpdump', ['-i', dev, '-n', '-l', '--immediate-mode', '-Z', 'root', filter], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (!child.stdout || !child.stderr) throw new Error('no pipe')
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => line !== '' && lines.push(line))
  const said = createInterface({ input: child.stderr })
  for await (const line of said) if (/listening on/.test(line)) break
  child.stderr.resume()
  return {
    async stop() {
      await sleep(500)
      const closed = once(child, 'close')
      child.kill('SIGINT')
      await closed
      return lines
    },
  }
}
