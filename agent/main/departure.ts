// What `--leave` and `--purge` work with: the node's state folder, held, and its drivers.
import { mkdir, realpath } from 'node:fs/promises'
import type { Clock } from '../../base/clock.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { levelledLogger } from '../../base/log.ts'
import { systemProcesses } from '../../base/processes.ts'
import { linuxDrivers } from '../drivers/linux.ts'
import { hasHeld } from '../genesis/holding-code.ts'
import { removeWalls } from '../genesis/walls.ts'
import type { AgentConfig } from './config.ts'
import { holdStateFolder } from './hold.ts'
import type { Departure } from './leave.ts'

/** Throws AgentRuns while an agent has the folder. */
export async function openDeparture(
  config: AgentConfig,
  { clock, write }: { clock: Clock; write(line: string): void },
): Promise<Departure & { state: string; run: string; openWalls(): Promise<void>; close(): Promise<void> }> {
  await mkdir(config.state, { recursive: true, mode: 0o700 })
  const state = await realpath(config.state)
  const lock = await holdStateFolder(state)
  const { log } = levelledLogger({ ...config.log, level: 'warn', write })
  const files = diskFiles(state)
  const processes = systemProcesses()
  try {
    const { drivers, close } = await linuxDrivers({ config, state, files, processes, clock, log })
    return {
      ...{ files, drivers, clock, state, run: config.run },
      /** What a holding of this machine closed is open again. */
      openWalls: async () => {
        if (await hasHeld(files)) await removeWalls(processes)
      },
      async close() {
        close()
        await lock.release()
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}
