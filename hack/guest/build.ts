// Makes the guest's disks from Debian packages in a folder of its own. The same packages give the same bytes.
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { type Processes, runOk } from '../../base/processes.ts'
import { CHARACTER_DEVICE, type CpioEntry, cpio, FILE, FOLDER, LINK, PROGRAM } from './cpio.ts'
import { type DiskParts, writeDisk } from './disk.ts'
import { modulesFor } from './modules.ts'
import { type Package, unpackPackages } from './packages.ts'
import { commandLine, type GuestVariant, VARIANTS } from './variants.ts'

const HERE = import.meta.dirname
/** A machine without a balloon, power button or panic device loads their drivers in vain. */
const MODULES = ['virtio_pci', 'virtio_blk', 'virtio_balloon', 'button', 'evdev', 'pvpanic_pci', 'pvpanic_mmio']
const DATA_MIB = 32
/** Of the file system: fixed, so that two builds are equal. */
const DATA_UUID = '70706e00-6775-6573-7400-000000000001'

export type GuestImages = Record<GuestVariant, { file: string; sha256: string }>

/** Everything a build depends on, for the name under which it is kept. */
export async function inputsDigest(packages: readonly Package[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(packages))
  for (const name of (await readdir(HERE)).sort())
    if (!name.endsWith('.md') && !name.endsWith('.test.ts')) hash.update(await readFile(path.join(HERE, name)))
  return hash.digest('hex').slice(0, 16)
}

/** Writes a disk for each variant into `folder`. */
export async function buildGuest(
  processes: Processes,
  packages: readonly Package[],
  folder: string,
): Promise<GuestImages> {
  const work = path.join(folder, 'work')
  await mkdir(work, { recursive: true })
  const unpacked = await unpackPackages(processes, packages, path.join(work, 'packages'))
  const parts: Omit<DiskParts, 'commandLine'> = {
    loader: await assemble(processes, work),
    kernel: await readFile(await kernelIn(unpacked.kernel)),
    initrd: await firstFileSystem(unpacked),
    data: await dataPartition(processes, work),
  }
  const images = {} as GuestImages
  for (const variant of VARIANTS) {
    const file = path.join(folder, `${variant}.raw`)
    const handle = await open(file, 'w')
    await writeDisk(handle, { ...parts, commandLine: commandLine(variant) }).finally(() => handle.close())
    const sha256 = createHash('sha256')
      .update(await readFile(file))
      .digest('hex')
    images[variant] = { file, sha256 }
  }
  await rm(work, { recursive: true })
  return images
}

async function assemble(processes: Processes, work: string): Promise<Buffer> {
  const [object, binary] = [path.join(work, 'boot.o'), path.join(work, 'boot.bin')]
  await runOk(processes, 'as', ['--32', '-o', object, path.join(HERE, 'boot.S')])
  const link = ['-m', 'elf_i386', '--oformat', 'binary', '-Ttext', '0x7c00', '-e', '_start', '-o', binary, object]
  await runOk(processes, 'ld', link)
  return readFile(binary)
}

async function kernelIn(unpacked: string): Promise<string> {
  const boot = path.join(unpacked, 'boot')
  const name = (await readdir(boot)).find((entry) => entry.startsWith('vmlinuz-'))
  if (name === undefined) throw new Error('the kernel package holds no kernel')
  return path.join(boot, name)
}

/** Not compressed: reading it costs less than unpacking it under TCG. */
async function firstFileSystem(unpacked: Record<'kernel' | 'busybox', string>): Promise<Buffer> {
  const busybox = await readFile(path.join(unpacked.busybox, 'bin', 'busybox'))
  const modules = await modulesFor(path.join(unpacked.kernel, 'lib', 'modules'), MODULES)
  const init = await readFile(path.join(HERE, 'init'))
  const entries: CpioEntry[] = [
    ...['bin', 'dev', 'proc', 'sys', 'modules'].map((name) => ({ path: name, mode: FOLDER })),
    { path: 'dev/console', mode: CHARACTER_DEVICE, device: [5, 1] },
    { path: 'bin/busybox', mode: PROGRAM, content: busybox },
    ...applets(init.toString()).map((name) => ({ path: `bin/${name}`, mode: LINK, content: 'busybox' })),
    ...modules.map(({ name, bytes }) => ({ path: `modules/${name}.ko`, mode: FILE, content: bytes })),
    { path: 'modules/order', mode: FILE, content: modules.map(({ name }) => `${name}\n`).join('') },
    { path: 'init', mode: PROGRAM, content: init },
  ]
  return cpio(entries)
}

/** Beside those that `init` uses, some for `sh` commands and for a person at the console. */
const FOR_PEOPLE = [
  'ls',
  'ps',
  'top',
  'free',
  'dmesg',
  'kill',
  'md5sum',
  'sha256sum',
  'lsmod',
  'uname',
  'nproc',
  'head',
]

function applets(init: string): string[] {
  const used = ['awk', 'cat', 'chroot', 'cut', 'dd', 'insmod', 'mkdir', 'mount', 'mountpoint', 'poweroff', 'rmdir']
  const more = ['sh', 'sleep', 'stty', 'sync', 'taskset', 'timeout', 'truncate', 'umount']
  for (const name of [...used, ...more])
    if (!new RegExp(`\\b${name}\\b`).test(init)) throw new Error(`init does not use ${name}`)
  return [...used, ...more, ...FOR_PEOPLE]
}

/** Empty: a file put in here would bring the time of its copying along (mke2fs 1.47 takes the change time over). */
async function dataPartition(processes: Processes, work: string): Promise<Buffer> {
  const file = path.join(work, 'data.ext4')
  const options = ['-q', '-t', 'ext4', '-U', DATA_UUID, '-E', `hash_seed=${DATA_UUID},root_owner=0:0`, '-L', 'data']
  await runOk(processes, 'mke2fs', [...options, file, `${DATA_MIB}M`], {
    env: { E2FSPROGS_FAKE_TIME: '1', PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  })
  return readFile(file)
}
