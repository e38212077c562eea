// What something costs those who are sending meanwhile: packets lost, and the longest time nothing came back.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Machine } from './machine.ts'

export interface Probe {
  sent: number
  lost: number
  /** Between two answers, milliseconds; infinite when there are none. Also a machine that had no time makes one. */
  longestGapMs: number
  /** Longest gap in which something was lost; 0: nothing was. */
  outageMs: number
}

/** While `work` is done, which begins when the first answers are there. */
export async function probeDuring(
  machine: Machine,
  address: string,
  { perSecond, seconds }: { perSecond: number; seconds: number },
  work: () => Promise<unknown>,
): Promise<Probe> {
  const running = probe(machine, address, perSecond, seconds)
  running.catch(() => {})
  await sleep(500)
  await work()
  return running
}

/** ping(8) from `machine` to `address`, so many packets a second. */
export async function probe(machine: Machine, address: string, perSecond: number, seconds: number): Promise<Probe> {
  const count = perSecond * seconds
  const args = ['-n', '-D', '-i', String(1 / perSecond), '-c', String(count), '-W', '2', address]
  // ping(8) ends with 1 when nothing came back, which is an answer as well.
  const { stdout } = await machine.namespace.processes.run('ping', args, { timeoutMs: (seconds + 60) * 1000 })
  return parse(stdout)
}

function parse(text: string): Probe {
  const found = text.matchAll(/^\[(\d+\.\d+)\] \d+ bytes .*icmp_seq=(\d+) (?!.*DUP)/gm)
  const answers = [...found].map(([, at, seq]) => ({ atMs: Number(at) * 1000, seq: Number(seq) }))
  const sent = Number(/(\d+) packets transmitted/.exec(text)?.[1] ?? 0)
  const gaps = answers.slice(1).map((answer, i) => {
    const before = answers[i] as (typeof answers)[number]
    return { ms: answer.atMs - before.atMs, lost: answer.seq - before.seq > 1 }
  })
  const longest = (of: typeof gaps) => Math.round(Math.max(0, ...of.map(({ ms }) => ms)))
  return {
    sent,
    lost: sent - answers.length,
    longestGapMs: answers.length < 2 ? Number.POSITIVE_INFINITY : longest(gaps),
    outageMs: answers.length < 2 ? Number.POSITIVE_INFINITY : longest(gaps.filter(({ lost }) => lost)),
  }
}
