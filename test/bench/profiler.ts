// CPU profiles of the process it runs in, one after the other.
import { writeFile } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import path from 'node:path'

export interface Profiler {
  /** Writes what was sampled since the last one to `name`-PID.cpuprofile, and goes on. */
  write(name: string): Promise<void>
}

/** Begins at once; without a folder there is no profile. */
export async function profiler(folder: string | undefined): Promise<Profiler> {
  if (folder === undefined) return { async write() {} }
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  return {
    async write(name) {
      const { profile } = await session.post('Profiler.stop')
      await session.post('Profiler.start')
      await writeFile(path.join(folder, `${name}-${process.pid}.cpuprofile`), JSON.stringify(profile))
    },
  }
}
