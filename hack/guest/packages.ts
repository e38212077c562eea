// The Debian packages a guest is made of. apt checks their signatures; they are unpacked, never installed.
import { mkdir, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { type Processes, runOk } from '../../base/processes.ts'

export interface Package {
  /** Name of the file apt makes. */
  file: string
  name: string
  /** `SHA256:...`: what decides whether a guest made earlier is this one. */
  digest: string
}

/** The newest cloud kernel is small and has what a guest needs built in or as a module. */
const KERNEL = 'linux-image-cloud-amd64'
const BUSYBOX = 'busybox-static'
/** apt reading its lists on a busy machine. */
const APT_MS = 2 * 60_000
/** 30 MB on a slow day. */
const DOWNLOAD_MS = 10 * 60_000

/** What apt would give for the guest today. As root the package lists are fetched first where there are none. */
export async function wantedPackages(processes: Processes): Promise<Package[]> {
  const known = await processes.run('apt-cache', ['show', '--no-all-versions', KERNEL], { timeoutMs: APT_MS })
  if (known.exitCode !== 0 && process.getuid?.() === 0)
    await runOk(processes, 'apt-get', ['update', '-q'], { timeoutMs: DOWNLOAD_MS })
  const depends = await runOk(processes, 'apt-cache', ['depends', KERNEL], { timeoutMs: APT_MS })
  const kernel = /Depends: (linux-image-\S+)/.exec(depends)?.[1]
  if (kernel === undefined) throw new Error(`apt names no kernel for ${KERNEL}; run apt-get update`)
  const lines = await runOk(processes, 'apt-get', ['download', '--print-uris', '-q', kernel, BUSYBOX], {
    timeoutMs: APT_MS,
  })
  return [...lines.matchAll(/^'\S+' (\S+) \d+ (\S+)$/gm)].map(([, file, digest]) => ({
    file: file as string,
    name: (file as string).split('_')[0] as string,
    digest: digest as string,
  }))
}

/** Downloads and unpacks each into `<folder>/<name>`. */
export async function unpackPackages(
  processes: Processes,
  packages: readonly Package[],
  folder: string,
): Promise<Record<'kernel' | 'busybox', string>> {
  const folders = new Map<string, string>()
  await mkdir(folder, { recursive: true })
  for (const { name, file } of packages) {
    const to = path.join(folder, name)
    await runOk(processes, 'apt-get', ['download', '-q', name], { cwd: folder, timeoutMs: DOWNLOAD_MS })
    const deb = (await readdir(folder)).find(
      (entry) => entry === file || decodeURIComponent(entry) === decodeURIComponent(file),
    )
    if (deb === undefined) throw new Error(`apt downloaded no ${file}`)
    await runOk(processes, 'dpkg-deb', ['-x', deb, to], { cwd: folder, timeoutMs: DOWNLOAD_MS })
    await rm(path.join(folder, deb))
    folders.set(name, to)
  }
  const kernel = [...folders].find(([name]) => name.startsWith('linux-image'))?.[1]
  const busybox = folders.get(BUSYBOX)
  if (!kernel || !busybox) throw new Error('apt gave neither kernel nor busybox')
  return { kernel, busybox }
}
