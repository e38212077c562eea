// One word to a whole crowd, over and over: who heard it after how long, and who did not.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RosterEntry } from '../../../authority/roster.ts'
import { targetOf } from '../../../authority/roster.ts'
import type { EnrolmentId, NodeId } from '../../../protocol/ids.ts'
import type { Crowd } from './crowd.ts'
import { type Heard, startHearing } from './hearing.ts'

export type Teller = 'ppn' | 'copies' | 'nats' | 'mqtt'

export interface Told {
  /** From the word to its arrival, ms, one a member and round. */
  latencies: number[]
  /** To the last member of each round. */
  rounds: number[]
  /** Who did not hear which word: address and round. */
  lost: string[]
}

const PROGRAM = path.join(import.meta.dirname, 'teller-process.ts')
/** What carries the word to a member, and nothing else. */
const FILTERS: Record<Teller, string> = {
  ppn: 'udp dst port 8090',
  copies: 'udp dst port 8090',
  nats: 'tcp src port 4222',
  mqtt: 'tcp src port 1883',
}
/** Beyond the repetitions of a command, 300 ms after its first packet. */
const ROUND_MS = 500

export async function tellCrowd(crowd: Crowd, teller: Teller, rounds: number): Promise<Told> {
  const rosterFile = path.join(crowd.folder, 'roster.json')
  writeFileSync(rosterFile, JSON.stringify(rosterOf(crowd)))
  const child = crowd.hub.namespace.spawn(process.execPath, [PROGRAM, teller, rosterFile], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  if (!child.stdout) throw new Error('no pipe')
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`the teller "${teller}" ended`)
    return value
  }
  await line()
  const hearing = await startHearing(crowd, FILTERS[teller])
  const said: number[] = []
  for (let round = 0; round <= rounds; round++) {
    child.stdin?.write('now\n')
    const atMs = Number(await line())
    // The first word is not counted: keys are derived and code is compiled with it, as when an authority starts.
    if (round > 0) said.push(atMs)
    await sleep(ROUND_MS)
  }
  const heard = await hearing.stop()
  child.kill('SIGKILL')
  await ended
  return arrivals(said, heard)
}

/** A word is heard by a member when something arrives between it and the next word. Pure. */
export function arrivals(said: readonly number[], heard: ReadonlyMap<string, readonly Pick<Heard, 'atMs'>[]>): Told {
  const latencies: number[] = []
  const rounds: number[] = []
  const lost: string[] = []
  said.forEach((atMs, i) => {
    const nextMs = said[i + 1] ?? Number.POSITIVE_INFINITY
    let last = 0
    for (const [address, packets] of heard) {
      const first = packets.find((p) => p.atMs >= atMs && p.atMs < nextMs)
      if (!first) {
        lost.push(`${address} in round ${i + 1}`)
        continue
      }
      latencies.push(first.atMs - atMs)
      last = Math.max(last, first.atMs - atMs)
    }
    rounds.push(last)
  })
  return { latencies, rounds, lost }
}

function rosterOf({ members }: Crowd): RosterEntry[] {
  return members.map(({ name, address, publicKey }, i) => {
    const target = targetOf(address)
    if (target === undefined) throw new Error(`${address} is no mesh address`)
    const id = (i + 1).toString(16).padStart(32, '0')
    return {
      node: name,
      nodeId: id as NodeId,
      enrolmentId: id as EnrolmentId,
      address,
      target,
      commandPublicKey: publicKey,
      hub: false,
    }
  })
}
