// A Debian machine as people have them, as a disk: made from packages by mmdebstrap and mke2fs, nothing mounted, kept
// outside the repository. It boots with systemd from QEMU's -kernel.
import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import path from 'node:path'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import { CHARACTER_DEVICE, type CpioEntry, cpio, FILE, FOLDER, LINK, PROGRAM } from '../../../hack/guest/cpio.ts'
import { modulesFor } from '../../../hack/guest/modules.ts'
import { unpackPackages, wantedPackages } from '../../../hack/guest/packages.ts'

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

/** `bare` lacks everything that `ppn doctor` would ask for. Built once (about two minutes), then kept. */
export async function debianMachine(kind: 'bare' | 'node' = 'node'): Promise<DebianMachine> {
  const packages = await wantedPackages(processes)
  const own = await readFile(import.meta.filename)
  const key = createHash('sha256').update(JSON.stringify(packages)).update(own).digest('hex').slice(0, 16)
  const folder = path.join(cacheFolder(), `debian-${kind}-${key}`)
  const machine = {
    kernel: path.join(folder, 'vmlinuz'),
    initrd: path.join(folder, 'initrd'),
    disk: path.join(folder, 'disk'),
  }
  if ((await readdir(folder).catch(() => [])).length > 0) return machine
  await mkdir(cacheFolder(), { recursive: true })
  const work = await mkdtemp(path.join(tmpdir(), 'ppn-debian-'))
  try {
    const made = path.join(work, 'made')
    const root = path.join(work, 'root')
    await mkdir(made)
    const unpacked = await unpackPackages(processes, packages, path.join(work, 'packages'))
    await install(root, kind)
    await addKernel(root, unpacked.kernel, made)
    await writeFile(path.join(made, 'initrd'), await firstFileSystem(unpacked))
    await settle(root)
    await runOk(processes, '/sbin/mke2fs', ['-q', '-t', 'ext4', '-d', root, path.join(made, 'disk'), DISK], {
      timeoutMs: WITHIN_MS,
    })
    // Whole or not at all; somebody else may have been faster.
    await runOk(processes, 'cp', ['-r', '--sparse=always', made, `${folder}.${process.pid}`], { timeoutMs: WITHIN_MS })
    await rename(`${folder}.${process.pid}`, folder).catch(() => rm(`${folder}.${process.pid}`, { recursive: true }))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return machine
}

async function install(root: string, kind: 'bare' | 'node'): Promise<void> {
  const include = [...BARE, ...(kind === 'node' ? NODE : [])].join(',')
  const without = ['doc', 'locale', 'man', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`)
  await runOk(
    processes,
    'mmdebstrap',
    [
      '--quiet',
      '--variant=minbase',
      `--include=${include}`,
      '--aptopt=Apt::Install-Recommends "false"',
      ...without,
      SUITE,
      root,
    ],
    { timeoutMs: WITHIN_MS },
  )
}

/** The guest's own kernel with its modules, WireGuard and tun among them. */
async function addKernel(root: string, unpacked: string, made: string): Promise<void> {
  const version = (await readdir(path.join(unpacked, 'lib', 'modules')))[0] as string
  await copyFile(path.join(unpacked, 'boot', `vmlinuz-${version}`), path.join(made, 'vmlinuz'))
  await runOk(processes, 'cp', ['-r', path.join(unpacked, 'lib', 'modules'), path.join(root, 'usr', 'lib')])
  await runOk(processes, '/sbin/depmod', ['-b', root, version], { timeoutMs: WITHIN_MS })
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

/** What an installer would have asked. */
async function settle(root: string): Promise<void> {
  const units = path.join(root, 'etc', 'systemd', 'system')
  await writeFile(path.join(units, 'test-shell.service'), SHELL_UNIT)
  await mkdir(path.join(units, 'multi-user.target.wants'), { recursive: true })
  await symlink('../test-shell.service', path.join(units, 'multi-user.target.wants', 'test-shell.service'))
  // A getty on the console would wait for a person; the machine's own journal is enough.
  for (const unit of ['serial-getty@ttyS0.service', 'getty@tty1.service'])
    await symlink('/dev/null', path.join(units, unit))
  await writeFile(path.join(root, 'etc', 'hostname'), 'node-1\n')
  await writeFile(path.join(root, 'etc', 'fstab'), FSTAB)
  await symlink('/opt/node/bin/node', path.join(root, 'usr', 'local', 'bin', 'node'))
  await symlink('/opt/ppn/bin/ppn.mjs', path.join(root, 'usr', 'local', 'bin', 'ppn'))
}
