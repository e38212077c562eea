import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { encodeCommand } from '../../../protocol/command/encode.ts'
import { OP } from '../../../protocol/command/ops.ts'
import { commandVerifier } from '../../../protocol/command/tag.ts'
import type { ReceiverFigures } from '../receiver-process.ts'
import type { Result } from '../table.ts'
import { pause } from '../wait.ts'

const SAMPLES = 7
const VERIFIED_PER_SAMPLE = 500_000
const DISTINCT = 1_024
const FLOOD_MS = 2_000
const SENDERS = 2
const PORT = 8090

/** Tags per second of processor time, in this process. */
function verify(): number[] {
  const context = {
    ...{ meshId: '1'.repeat(32), authorityId: '2'.repeat(32), nodeId: '3'.repeat(32), enrolmentId: '4'.repeat(32) },
    term: 1,
  }
  const key = new Uint8Array(32).fill(7)
  const packets = Array.from({ length: DISTINCT }, (_, sequence) =>
    encodeCommand({ op: OP.WEIGHT, target: 9, slot: 1, value: 100, sequence }, key, context),
  )
  const verifies = commandVerifier(key, context)
  const rate = () => {
    const before = process.cpuUsage()
    for (let i = 0; i < VERIFIED_PER_SAMPLE; i++)
      if (!verifies(packets[i % DISTINCT] as Uint8Array)) throw new Error('a good tag was refused')
    const { user, system } = process.cpuUsage(before)
    return VERIFIED_PER_SAMPLE / ((user + system) / 1e6)
  }
  rate()
  return Array.from({ length: SAMPLES }, rate)
}

const start = (file: string, args: string[]): ChildProcess =>
  fork(fileURLToPath(new URL(`../${file}`, import.meta.url)), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })

/** Packets per second of the receiving process's processor time, system calls included. */
async function discard(octet: number): Promise<{ perCpu: number[]; perWall: number[] }> {
  const [authority, node] = [`10.${octet}.0.1`, `10.${octet}.0.9`] as const
  const receiver = start('receiver-process.ts', [node, authority, String(PORT)])
  await once(receiver, 'message')
  const figures = async (): Promise<ReceiverFigures> => {
    const answer = once(receiver, 'message')
    receiver.send('figures')
    return (await answer)[0]
  }
  const senders = Array.from({ length: SENDERS }, () => start('flood-process.ts', [authority, node, String(PORT)]))
  const perCpu: number[] = []
  const perWall: number[] = []
  await pause(FLOOD_MS)
  for (let i = 0; i < SAMPLES; i++) {
    const before = await figures()
    await pause(FLOOD_MS)
    const after = await figures()
    const packets = after.discarded - before.discarded
    perCpu.push(packets / ((after.cpuMs - before.cpuMs) / 1000))
    perWall.push(packets / ((after.nowMs - before.nowMs) / 1000))
  }
  for (const child of [receiver, ...senders]) {
    child.disconnect()
    await once(child, 'exit')
  }
  return { perCpu, perWall }
}

export async function receive(octet: number): Promise<Result[]> {
  const verified = verify()
  const { perCpu, perWall } = await discard(octet)
  const rate = { unit: '/s', judged: 'median', better: 'more' } as const
  return [
    { ...rate, what: '7a. command verify, in process, a core', samples: verified, goal: 400_000 },
    {
      ...rate,
      what: "7b. discard of another's packet, from a socket, a core",
      samples: perCpu,
      goal: 300_000,
      notes: [
        `by the wall clock, beside ${SENDERS} senders on the same machine: ${perWall.map((n) => Math.round(n / 1000)).join(', ')} thousand a second`,
      ],
    },
  ]
}
