// Starts and kills a process that holds the VM driver (holder.ts).
import { fileURLToPath } from 'node:url'
import { type Running, start } from '../processes.ts'
import type { VmHost } from './host.ts'

export interface AgentProcess {
  call<T>(name: 'start' | 'list' | 'stop' | 'pidOf' | 'pause', ...args: unknown[]): Promise<T>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

/** `within`: a program and its arguments that run ours, e.g. in another namespace. */
export function agentProcess({ stateFolder, runFolder }: VmHost, within: readonly string[] = []): AgentProcess {
  const holder = fileURLToPath(new URL('holder.ts', import.meta.url))
  const [file = '', ...args] = [...within, process.execPath, holder, stateFolder, runFolder]
  const running: Running = start(file, args, { cwd: '/', env: process.env })
  let read = 0
  return {
    async call<T>(name: string, ...given: unknown[]) {
      running.write(`${JSON.stringify({ call: name, args: given })}\n`)
      const text = await running.until(/\n/, { from: read, withinMs: 120_000 })
      read += text.indexOf('\n') + 1
      const answer = JSON.parse(text.slice(0, text.indexOf('\n'))) as { returned?: T; failed?: string }
      if (answer.failed !== undefined) throw new Error(answer.failed)
      return answer.returned as T
    },
    async kill() {
      running.kill('SIGKILL')
      await running.ended
    },
  }
}
