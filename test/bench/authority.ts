// An authority process as the benchmark holds it.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Counts } from './probe.ts'

export interface AuthoritySettings {
  fleet: string
  state: string
  logLevel?: string
  /** Folder that CPU profiles are written to. */
  profiles?: string
}

export interface Question {
  id: number
  ask: 'figures' | 'reset' | 'ready' | 'reconciled' | 'applied' | 'profile' | 'why' | 'stop'
  above?: number
  /** Of a profile's file. */
  name?: string
}

export interface Figures {
  nowMs: number
  /** Processor time of the authority process so far. */
  cpuMs: number
  rssMiB: number
  heapMiB: number
  revision: number
  counts: Counts
  notReady: number
  /** The process began to read its state. */
  startedMs: number
  /** The listening before the first packet was over. */
  openMs?: number
}

export interface BenchAuthority {
  pid: number
  figures(): Promise<Figures>
  reset(): Promise<void>
  /** monotonicMs at which every object was Ready and every node fresh. */
  ready(withinMs?: number): Promise<number>
  /** monotonicMs at which every object had been reconciled. */
  reconciled(): Promise<number>
  /** monotonicMs at which telemetry had shown every node at a revision above this one. */
  applied(above: number): Promise<number>
  /** Writes the CPU profile since the process began or since the last one, if profiles are wanted. */
  profile(name: string): Promise<void>
  stop(): Promise<void>
  /** As a power cut would. */
  kill(): Promise<void>
}

const ENTRY = fileURLToPath(new URL('authority-process.ts', import.meta.url))

/** Resolves when the authority has read its folder. PPN_BENCH_CPU_PROF=DIR: CPU profiles are written there. */
export async function startBenchAuthority(settings: AuthoritySettings): Promise<BenchAuthority> {
  const child: ChildProcess = fork(ENTRY, [JSON.stringify({ profiles: process.env.PPN_BENCH_CPU_PROF, ...settings })], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>()
  let next = 0
  const expect = <T>(id: number) =>
    new Promise<T>((resolve, reject) => waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject }))
  child.on('message', ({ id, answer }: { id: number; answer: unknown }) => {
    waiting.get(id)?.resolve(answer)
    waiting.delete(id)
  })
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the authority ended with ${code}`))
  })
  const ask = async <T>(what: Question['ask'], more: Omit<Question, 'id' | 'ask'> = {}): Promise<T> => {
    const id = ++next
    const answer = expect<T>(id)
    child.send({ id, ask: what, ...more } satisfies Question, (error) => {
      if (error) waiting.get(id)?.reject(error)
    })
    return await answer
  }
  const gone = once(child, 'exit')
  await expect(0)
  return {
    pid: child.pid as number,
    figures: () => ask('figures'),
    reset: () => ask('reset'),
    async ready(withinMs = 120_000) {
      const asked = ask<number>('ready')
      const timer = setTimeout(async () => {
        process.stderr.write(`not Ready: ${JSON.stringify(await ask('why'), null, 2)}\n`)
        child.kill('SIGKILL')
      }, withinMs)
      try {
        return await asked
      } finally {
        clearTimeout(timer)
      }
    },
    reconciled: () => ask('reconciled'),
    applied: (above) => ask('applied', { above }),
    profile: (name) => ask('profile', { name }),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      await ask('stop').catch(() => {})
      await gone
    },
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
  }
}
