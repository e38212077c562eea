// A Debian machine as people have them, as a disk: made from packages by mmdebstrap and mke2fs, nothing mounted, kept
// outside the repository. It boots with systemd from QEMU's -kernel.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import path from 'node:path'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import { CHARACTER_DEVICE, type CpioEntry, cpio, FILE, FOLDER, LINK, PROGRAM } from '../../../hack/guest/cpio.ts'
import { modulesFor } from '../../../hack/guest/modules.ts'
import { type Package, unpackPackages, wantedPackages } from '../../../hack/guest/packages.ts'

export interface DebianMachine {
  kernel: string
  initrd: string
  /** Read only: run it with `snapshot=on`. */
  disk: string
}

/** What a node needs, as `ppn doctor` names it, on the smallest Debian with systemd. */
const BARE = ['systemd', 'systemd-sysv', 'udev', 'kmod', 'procps']
const NODE = ['dbus', 'iproute2', 'wireguard-tools', 'wireguard-go', 'nftables', 'qemu-system-x86', 'qemu-utils']
const SUITE = 'bookworm'
const DISK = '2500M'
const WITHIN_MS = 10 * 60_000
const processes = systemProcesses()

/** Lets the kernel find its disk, and gives over to systemd. */
const INIT = `#!/bin/busybox sh
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod /modules/$module.ko; done
while [ ! -b /dev/vda ]; do sleep 0.1; done
mount -t ext4 /dev/vda /root
mount --move /dev /root/dev
exec switch_root /root /sbin/init
`
const APPLETS = ['sh', 'mount', 'insmod', 'cat', 'sleep', 'switch_root']
const MODULES = ['virtio_pci', 'virtio_blk']

/** A root shell on the second serial port: a line is a command. */
const SHELL_UNIT = `[Unit]
Description=root shell for the test
After=systemd-tmpfiles-setup.service
DefaultDependencies=no
[Service]
ExecStart=/bin/bash --noprofile --norc
StandardInput=tty
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
ExecStartPre=/bin/stty -F /dev/ttyS1 -echo -icrnl -onlcr -opost
Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
Restart=always
KillMode=process
[Install]
WantedBy=multi-user.target
`
/** ppn and the test's files: the second disk. */
const FSTAB = '/dev/vdb /opt ext4 ro 0 0\n'

function cacheFolder(): string {
  return path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'ppn')
}

/**
 * Built once (two minutes), then kept. `bare` lacks everything that `ppn doctor` would ask for; `node` is the same
 * machine after apt has installed it.
 */
export async function debianMachines(): Promise<Record<'bare' | 'node', DebianMachine>> {
  const packages = await wantedPackages(processes)
  const own = await readFile(import.meta.filename)
  const key = createHash('sha256').update(JSON.stringify(packages)).update(own).digest('hex').slice(0, 16)
  const folder = path.join(cacheFolder(), `debian-${key}`)
  const machine = (disk: string): DebianMachine => ({
    kernel: path.join(folder, 'vmlinuz'),
    initrd: path.join(folder, 'initrd'),
    disk: path.join(folder, disk),
  })
  if (!existsSync(folder)) await build(folder, packages)
  return { bare: machine('bare'), node: machine('node') }
}

/** Whole or not at all; somebody else may have been faster. */
async function build(folder: string, packages: readonly Package[]): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true })
  const work = await mkdtemp(path.join(tmpdir(), 'ppn-debian-'))
  const nearby = `${folder}.${process.pid}`
  try {
    const made = path.join(work, 'made')
    const settled = path.join(work, 'settled')
    await mkdir(made)
    const unpacked = await unpackPackages(processes, packages, path.join(work, 'packages'))
    await writeFile(path.join(made, 'initrd'), await firstFileSystem(unpacked))
    await settle(settled)
    const version = await addKernel(settled, unpacked.kernel, made)
    await install(path.join(work, 'root'), { settled, version, made })
    await runOk(processes, 'cp', ['-r', '--sparse=always', made, nearby], { timeoutMs: WITHIN_MS })
    await rename(nearby, folder).catch(() => rm(nearby, { recursive: true }))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** One run of mmdebstrap, both disks, nothing mounted: the hooks run beside the finished bare system, `$1`. */
async function install(root: string, from: { settled: string; version: string; made: string }): Promise<void> {
  const disk = (name: string) => `/sbin/mke2fs -q -t ext4 -d "$1" ${from.made}/${name} ${DISK}`
  const noServices = '"$1"/usr/sbin/policy-rc.d'
  const hooks = [
    `cp -a ${from.settled}/. "$1"/ && /sbin/depmod -b "$1" ${from.version}`,
    disk('bare'),
    // What is installed here shall not start on the machine that builds.
    `printf '#!/bin/sh\nexit 101\n' > ${noServices} && chmod 755 ${noServices}`,
    `DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get install -q -y --no-install-recommends ${NODE.join(' ')}`,
    `rm ${noServices} && chroot "$1" apt-get clean`,
    disk('node'),
  ]
  const without = ['doc', 'locale', 'man', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`)
  const given = [
    ...['--quiet', '--mode=root', '--skip=chroot/mount', '--variant=minbase', `--include=${BARE.join(',')}`],
    ...['--aptopt=Apt::Install-Recommends "false"', ...without],
    ...hooks.map((hook) => `--customize-hook=${hook}`),
  ]
  await runOk(processes, 'mmdebstrap', [...given, SUITE, root], { timeoutMs: WITHIN_MS })
}

/** The guest's own kernel with its modules, WireGuard and tun among them; resolves with its version. */
async function addKernel(root: string, unpacked: string, made: string): Promise<string> {
  const version = (await readdir(path.join(unpacked, 'lib', 'modules')))[0] as string
  await copyFile(path.join(unpacked, 'boot', `vmlinuz-${version}`), path.join(made, 'vmlinuz'))
  await mkdir(path.join(root, 'usr', 'lib'), { recursive: true })
  await runOk(processes, 'cp', ['-r', path.join(unpacked, 'lib', 'modules'), path.join(root, 'usr', 'lib')])
  return version
}

async function firstFileSystem(unpacked: Record<'kernel' | 'busybox', string>): Promise<Buffer> {
  const modules = await modulesFor(path.join(unpacked.kernel, 'lib', 'modules'), MODULES)
  const entries: CpioEntry[] = [
    ...['bin', 'dev', 'root', 'modules'].map((name) => ({ path: name, mode: FOLDER })),
    { path: 'dev/console', mode: CHARACTER_DEVICE, device: [5, 1] },
    { path: 'bin/busybox', mode: PROGRAM, content: await readFile(path.join(unpacked.busybox, 'bin', 'busybox')) },
    ...APPLETS.map((name) => ({ path: `bin/${name}`, mode: LINK, content: 'busybox' })),
    ...modules.map(({ name, bytes }) => ({ path: `modules/${name}.ko`, mode: FILE, content: bytes })),
    { path: 'modules/order', mode: FILE, content: modules.map(({ name }) => `${name}\n`).join('') },
    { path: 'init', mode: PROGRAM, content: INIT },
  ]
  return cpio(entries)
}

/** What an installer would have asked, as files to be laid over the system. */
async function settle(over: string): Promise<void> {
  const units = path.join(over, 'etc', 'systemd', 'system')
  await mkdir(path.join(units, 'multi-user.target.wants'), { recursive: true })
  await writeFile(path.join(units, 'test-shell.service'), SHELL_UNIT)
  await symlink('../test-shell.service', path.join(units, 'multi-user.target.wants', 'test-shell.service'))
  // A getty on the console would wait for a person; the machine's own journal is enough.
  for (const unit of ['serial-getty@ttyS0.service', 'getty@tty1.service'])
    await symlink('/dev/null', path.join(units, unit))
  await writeFile(path.join(over, 'etc', 'hostname'), 'node-1\n')
  await writeFile(path.join(over, 'etc', 'fstab'), FSTAB)
  const programs = path.join(over, 'usr', 'local', 'bin')
  await mkdir(programs, { recursive: true })
  await symlink('/opt/node/bin/node', path.join(programs, 'node'))
  await symlink('/opt/ppn/bin/ppn.mjs', path.join(programs, 'ppn'))
}
