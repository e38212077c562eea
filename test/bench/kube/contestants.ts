// Who takes part, and how each is started.
import { join } from 'node:path'
import type { Built } from './programs.ts'

export interface Places {
  kubeconfig: string
  /** host:port of the receiver. */
  receiver: string
  /** Folder for whoever keeps something between two starts. */
  state: string
}

export interface Contestant {
  name: string
  what: string
  /** The User-Agent of its requests begins with this. */
  agent: string
  /** What has to be built first. */
  needs?: Built
  /** `built`: path of that. */
  command(places: Places, built: string): { program: string; args: string[]; env?: Record<string, string> }
}

/** As the image starts Node: young objects have less room before they are collected. */
const NODE_FLAGS = ['--max-semi-space-size=2']
const controllerRuntime = (...more: string[]): Pick<Contestant, 'agent' | 'needs' | 'command'> => ({
  agent: 'bench-controller-runtime',
  needs: 'controller-runtime',
  command: ({ kubeconfig, receiver }, program) => ({
    program,
    args: ['-kubeconfig', kubeconfig, '-receiver', receiver, ...more],
  }),
})

export const CONTESTANTS: readonly Contestant[] = [
  {
    name: 'ppn',
    what: "ppn's store and runtime",
    agent: 'bench-ppn',
    needs: 'ppn',
    command: ({ kubeconfig, receiver }, folder) => ({
      program: process.execPath,
      args: [...NODE_FLAGS, join(folder, 'ppn-process.js'), kubeconfig, receiver],
    }),
  },
  { name: 'controller-runtime', what: 'controller-runtime as it comes', ...controllerRuntime() },
  {
    name: 'controller-runtime-tuned',
    what: 'controller-runtime, 4 workers, no managed fields kept',
    ...controllerRuntime('-workers', '4', '-strip'),
  },
  {
    name: 'fluent-client',
    what: 'kubernetes-fluent-client, 4 workers',
    agent: 'kubernetes-fluent-client',
    needs: 'fluent-client',
    command: ({ kubeconfig, receiver }, program) => ({
      program: process.execPath,
      args: [program, receiver],
      env: { KUBECONFIG: kubeconfig },
    }),
  },
]

/** Does far more than the others, and so has a table of its own. */
export const AUTHORITY: Contestant = {
  name: 'authority',
  what: 'the whole authority, no agents',
  agent: 'bench-authority',
  needs: 'ppn',
  command: ({ kubeconfig, state }, folder) => ({
    program: process.execPath,
    args: [...NODE_FLAGS, join(folder, 'authority-process.js'), kubeconfig, state],
  }),
}
