// `ppn agent`: the agent itself, and what is done on a node around it. Loads nothing of the authority.
import { stringify } from 'yaml'
import { systemRandom } from '../../base/random.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { ppnVersion } from '../version.ts'

export interface AgentOptions {
  stateDir: string
}

/** Runs the agent until it is asked to stop. */
export async function agentRun(io: Io, options: { config?: string }): Promise<ExitCode> {
  const { runAgent } = await import('../../agent/main.ts')
  const { systemProcesses } = await import('../../base/processes.ts')
  const env = { ...io.env }
  // QEMU and wireguard-go outlive us and shall not speak to systemd in our name.
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete process.env[name]
  await runAgent({
    configFile: options.config,
    version: ppnVersion(),
    clock: io.clock,
    random: systemRandom,
    processes: systemProcesses(),
    env,
    pid: process.pid,
    write: io.err,
    onHangup: io.onHangup,
    signal: io.signal,
  })
  return EXIT.ok
}

/** Makes the node's keys, once, and prints the identity that goes into its Node object. */
export async function agentInit(io: Io, options: AgentOptions & { output?: string }): Promise<ExitCode> {
  const { diskFiles } = await import('../../base/disk-files.ts')
  const { initAgentKeys, loadAgentKeys, publicHalves } = await import('../../agent/keys/agent-keys.ts')
  const files = diskFiles(options.stateDir)
  const present = await loadAgentKeys(files)
  const identity = publicHalves(present ?? (await initAgentKeys(files, systemRandom)))
  if (present) io.err('this node has keys already; these are they\n')
  io.out(options.output === 'json' ? `${JSON.stringify({ identity }, null, 2)}\n` : stringify({ identity }))
  return EXIT.ok
}

/** Verifies a bundle from a file and leaves it for the agent; the first one pins the authority. */
export async function agentImport(
  io: Io,
  file: string,
  options: AgentOptions & { authority?: string },
): Promise<ExitCode> {
  const { diskFiles } = await import('../../base/disk-files.ts')
  const { importBundle } = await import('../../agent/bundles/import.ts')
  const held = await importBundle(diskFiles(options.stateDir), await io.read(file), {
    ...(options.authority === undefined ? {} : { authorityFingerprint: options.authority }),
  })
  io.out(`bundle of term ${held.term}, revision ${held.revision} imported\n`)
  return EXIT.ok
}
