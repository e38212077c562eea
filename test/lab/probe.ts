// A thousand packets a second along one path, and what came of each. Recovery is told as time and packets lost.
import { once } from 'node:events'
import type { Namespace } from './namespace.ts'

export interface ProbeResult {
  /** Without what was under way at the stop: ping(8) does not wait for that. */
  sent: number
  lost: number
  /** Longest time without an answer, ms. Up to a few ms is the machine's scheduling. */
  outageMs: number
}

export interface Probe {
  /** Ends it. */
  stop(): Promise<ProbeResult>
}

export const PROBE_PER_SECOND = 1_000
/** ICMP counts in 16 bits. */
const SEQUENCES = 65_536
/** Packets without an answer at the very end that may be under way: a quarter of a second of them. */
const UNDER_WAY = PROBE_PER_SECOND / 4

/** Resolves once the first answer is in. Rejects when there is none within 30 s. */
export async function startProbe(from: Namespace, to: string): Promise<Probe> {
  // -D: a time before each answer.
  const args = ['-n', '-D', '-i', String(1 / PROBE_PER_SECOND), to]
  const child = from.spawn('ping', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'exit')
  let text = ''
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (more: string) => {
    said += more
  })
  const begun = Promise.withResolvers<void>()
  const timer = setTimeout(() => begun.reject(new Error(`no answer from ${to} within 30 s ${said}`)), 30_000)
  child.stdout?.setEncoding('utf8').on('data', (more: string) => {
    text += more
    if (/icmp_seq/.test(more)) begun.resolve()
  })
  try {
    await begun.promise
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    clearTimeout(timer)
  }
  return {
    async stop() {
      child.kill('SIGINT')
      await ended
      return probeResult(text)
    },
  }
}

/** Of what `ping -D` printed. Pure. */
export function probeResult(text: string): ProbeResult {
  const answers = [...text.matchAll(/^\[([0-9.]+)\] .*icmp_seq=([0-9]+) .*time=/gm)].map(([, at, seq]) => ({
    atMs: Number(at) * 1000,
    seq: Number(seq),
  }))
  // Ping itself counts answers that come twice and sequences that wrap around.
  const [, sent] = /^([0-9]+) packets transmitted/m.exec(text) ?? []
  const seen = new Set<number>()
  let epoch = 0
  let before = 0
  for (const { seq } of answers) {
    if (before - seq > SEQUENCES / 2) epoch++
    seen.add(epoch * SEQUENCES + seq)
    before = seq
  }
  const gaps = answers.slice(1).map(({ atMs }, i) => atMs - (answers[i]?.atMs ?? atMs))
  const unanswered = Math.max(0, Number(sent) - (epoch * SEQUENCES + before))
  const settled = Number(sent) - (unanswered <= UNDER_WAY ? unanswered : 0)
  return { sent: settled, lost: settled - seen.size, outageMs: Math.max(0, ...gaps) }
}
