// Where the commands of all contestants go, and when each came.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { monotonicMs } from '../monotonic.ts'
import { toldBy } from './command.ts'

/** Ten thousand datagrams, should nobody read for a moment. The kernel may give less. */
const BUFFER_BYTES = 4 * 1024 * 1024

export interface Receiver {
  readonly address: string
  /** monotonicMs at which the command for this generation came. Rejects when it does not in time. */
  at(number: number, generation: number, withinMs: number): Promise<number>
  /** Commands that came again for a generation that had come already. */
  repeats(): number
  close(): void
}

export async function startReceiver(): Promise<Receiver> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES })
  const came = new Map<string, number>()
  const waiting = new Map<string, (ms: number) => void>()
  let repeats = 0
  socket.on('message', (bytes) => {
    const now = monotonicMs()
    const { number, generation } = toldBy(bytes)
    const key = `${number}/${generation}`
    if (came.has(key)) {
      repeats++
      return
    }
    came.set(key, now)
    waiting.get(key)?.(now)
    waiting.delete(key)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${(socket.address() as AddressInfo).port}`,
    at(number, generation, withinMs) {
      const key = `${number}/${generation}`
      const ms = came.get(key)
      if (ms !== undefined) return Promise.resolve(ms)
      return new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no command ${key} within ${withinMs / 1000} s`)), withinMs)
        waiting.set(key, (now) => {
          clearTimeout(late)
          resolve(now)
        })
      })
    },
    repeats: () => repeats,
    close: () => socket.close(),
  }
}
