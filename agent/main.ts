// The agent as the process that runs on a node: configuration, lock, drivers, systemd. Ending it leaves tunnels and
// VMs as they are.
import { mkdir, realpath } from 'node:fs/promises'
import type { Clock } from '../base/clock.ts'
import { diskFiles } from '../base/disk-files.ts'
import { levelledLogger } from '../base/log.ts'
import type { Processes } from '../base/processes.ts'
import type { RandomBytes } from '../base/random.ts'
import { keepWatchdog, serviceManager } from '../base/service-manager.ts'
import { type Agent, startAgent } from './agent.ts'
import { linuxDrivers } from './drivers/linux.ts'
import { loadAgentConfig, readConfigFile } from './main/config-file.ts'
import { holdStateFolder } from './main/hold.ts'
import { watchConfig } from './main/reload.ts'
import { statusLine } from './main/status.ts'

export interface AgentProcessOptions {
  /** Default /etc/ppn/agent.yaml, which may be missing; one that is named must be there. */
  configFile?: string
  version: string
  clock: Clock
  random: RandomBytes
  processes: Processes
  /** Of this process, for what systemd put there. */
  env: Readonly<Record<string, string | undefined>>
  pid: number
  /** Where log lines go. */
  write(line: string): void
  /** To a person who sits at this agent; absent: nobody does. */
  tell?(text: string): void
  /** Calls the listener at every SIGHUP. */
  onHangup(listener: () => void): void
  /** Ends the agent in good order. */
  signal: AbortSignal
}

/** A switch of bundles runs a few programs, each ended after 10 s at the latest. */
const BEAT_LIMIT_MS = 60_000
/** What systemd shows is looked at this often. */
const STATUS_EVERY_MS = 10_000

/**
 * Runs until the signal aborts. Throws SettingsInvalid, ConfigMissing, AgentRuns, and what the agent's own start
 * throws: keys or pins that cannot be read are never made up.
 */
export async function runAgent(options: AgentProcessOptions): Promise<void> {
  const { clock, random, processes, signal } = options
  const config = await loadAgentConfig(options.configFile)
  const { log, setLevel } = levelledLogger({ ...config.log, write: options.write })
  await mkdir(config.state, { recursive: true, mode: 0o700 })
  const state = await realpath(config.state)
  const lock = await holdStateFolder(state)
  const ending = new AbortController()
  const files = diskFiles(state)
  try {
    const { drivers, transport, simulated, close } = await linuxDrivers({ config, state, files, processes, clock, log })
    if (simulated.length > 0) log.warn({ simulated }, 'SIMULATED PARTS: these touch nothing of this machine')
    const manager = serviceManager({ processes, log, env: options.env, pid: options.pid })
    const agent = await startAgent({ files, transport, clock, random, log, drivers, version: options.version })
    log.info({ version: options.version, state, boot: agent.bootId, ...agent.identity }, 'the agent is up')

    const read = () => readConfigFile(options.configFile)
    const settings = watchConfig({ read, before: config, clock, log, setLevel }, ending.signal)
    options.onHangup(() => void settings.look())
    const status = () => `${statusLine(agent.report())}${simulated.length > 0 ? `; simulated: ${simulated}` : ''}`
    await manager.ready(status())
    if (config.holding.enabled && config.drivers.wireguard === 'real') {
      const { holdUntilEnrolled } = await import('./main/genesis.ts')
      const holding = { config: config.holding, agent, files, processes, clock, random, log, version: options.version }
      holdUntilEnrolled({ ...holding, ...(options.tell && { tell: options.tell }) }, ending.signal).catch((error) => {
        if (!ending.signal.aborted) log.error({ err: (error as Error).message }, 'this machine does not hold')
      })
    }
    keepWatchdog({ manager, clock, log, alive: async () => comesRound(agent) }, ending.signal)
    await tellStatus({ status, tell: manager.status, clock, signal })

    log.info({}, 'the agent stops; tunnels and VMs go on')
    await manager.stopping()
    await agent.stop()
    close()
  } finally {
    ending.abort(new Error('the agent stops'))
    await lock.release()
  }
}

/** The loop runs, and the agent's state can be put into words. */
function comesRound(agent: Agent): boolean {
  agent.report()
  return agent.beatAgeMs() < BEAT_LIMIT_MS
}

/** Resolves when the signal aborts. */
async function tellStatus(options: {
  status(): string
  tell(text: string): Promise<void>
  clock: Clock
  signal: AbortSignal
}): Promise<void> {
  let told = options.status()
  while (!options.signal.aborted) {
    await options.clock.sleep(STATUS_EVERY_MS, options.signal).catch(() => {})
    const now = options.status()
    if (now !== told && !options.signal.aborted) await options.tell(now)
    told = now
  }
}
