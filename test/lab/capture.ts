// Packets of one link in a pcap file, by tcpdump(8), and what is in such a file.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Processes, runOk } from '../../base/processes.ts'
import type { Namespace } from './namespace.ts'

export interface Capture {
  readonly pid: number
  readonly file: string
  /** Resolves when everything seen is in the file. */
  stop(): Promise<void>
}

/** What passed just before the stop shall be in the file; on a busy machine tcpdump may wait for its turn. */
const SETTLE_MS = 300

/** Resolves once packets are being taken. */
export async function startCapture(where: Namespace, dev: string, file: string, filter = ''): Promise<Capture> {
  // -U and immediate mode: a packet is in the file as it passes, not a second later with its block; -Z root: the folder is ours alone.
  const args = [
    '-i',
    dev,
    '-n',
    '-U',
    '--immediate-mode',
    '-s',
    '0',
    '-Z',
    'root',
    '-w',
    file,
    ...(filter === '' ? [] : [filter]),
  ]
  const child = where.spawn('tcpdump', args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  const ended = once(child, 'exit')
  const said: string[] = []
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`tcpdump ended: ${said.join(' / ')}`)))
    if (child.stderr)
      createInterface({ input: child.stderr }).on('line', (line) => {
        said.push(line)
        if (/listening on/.test(line)) resolve()
      })
  })
  child.unref()
  return {
    pid: child.pid as number,
    file,
    async stop() {
      await sleep(SETTLE_MS)
      child.ref()
      child.kill('SIGINT')
      await ended
    },
  }
}

/** The packets of a file as `tcpdump -n` prints them, one a line; `filter` as in pcap-filter(7). */
export async function packetsIn(processes: Processes, file: string, filter = ''): Promise<string[]> {
  const args = ['-n', '-tt', '-r', file, ...(filter === '' ? [] : [filter])]
  const text = await runOk(processes, 'tcpdump', args, { timeoutMs: 60_000 })
  return text.split('\n').filter((line) => line !== '')
}
