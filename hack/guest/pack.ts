// A second disk for a guest: programs and files to run in it (`run` on its console).
import { cp, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Processes, runOk } from '../../base/processes.ts'

export interface Pack {
  /** Path in the guest -> file or folder here. A folder goes in with all that is in it. */
  files?: Record<string, string>
  /** Programs of this machine, put where they are here, with the libraries they need. */
  programs?: string[]
  sizeMiB: number
}

/** A disk of hundreds of MiB. */
const WITHIN_MS = 120_000
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`

/** Writes an ext4 disk to `disk`; the guest mounts it at /pack. Nothing is mounted here. */
export async function packDisk(processes: Processes, pack: Pack, disk: string): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ppn-pack-'))
  try {
    for (const place of ['proc', 'sys', 'dev', 'tmp', 'run']) await mkdir(path.join(folder, place))
    const add = async (inGuest: string, here: string) => {
      const to = path.join(folder, inGuest)
      await mkdir(path.dirname(to), { recursive: true })
      await cp(here, to, { recursive: true, dereference: true })
    }
    for (const [inGuest, here] of Object.entries(pack.files ?? {})) await add(inGuest, here)
    for (const program of pack.programs ?? [])
      for (const file of [program, ...(await librariesOf(processes, program))]) await add(file, await realpath(file))
    await rm(disk, { force: true })
    const options = ['-q', '-t', 'ext4', '-L', 'pack', '-E', 'root_owner=0:0', '-d', folder, disk]
    await runOk(processes, 'mke2fs', [...options, `${pack.sizeMiB}M`], { env: { PATH }, timeoutMs: WITHIN_MS })
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** What ldd(1) names; nothing for a static program. */
async function librariesOf(processes: Processes, program: string): Promise<string[]> {
  const { stdout } = await processes.run('ldd', [program])
  return [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, file]) => file as string)
}
