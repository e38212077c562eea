// Before the system suites: the Debian packages that real nodes need. Installed by root; named to everybody else.
import { runOk, systemProcesses } from '../../base/processes.ts'

/** Program to look for -> Debian package. */
const NEEDED: Record<string, string> = {
  wg: 'wireguard-tools',
  'wireguard-go': 'wireguard-go',
  ip: 'iproute2',
  nft: 'nftables',
  ping: 'iputils-ping',
  tcpdump: 'tcpdump',
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  busybox: 'busybox-static',
  mke2fs: 'e2fsprogs',
  as: 'binutils',
  openssl: 'openssl',
  depmod: 'kmod',
  mmdebstrap: 'mmdebstrap',
}

const APT = ['-y', '-q', '--no-install-recommends']
/** A package list and a few hundred MiB on a slow day. */
const WITHIN_MS = 15 * 60_000

/** vitest's globalSetup. Throws with the one command when a package is missing and we may not install it. */
export default async function installPackages(): Promise<void> {
  const processes = systemProcesses()
  const missing: string[] = []
  for (const [program, debian] of Object.entries(NEEDED)) {
    const { exitCode } = await processes.run('/bin/sh', ['-c', 'command -v "$0"', program], {
      env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
    })
    if (exitCode !== 0) missing.push(debian)
  }
  if (missing.length === 0) return
  const command = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (process.getuid?.() !== 0) throw new Error(`the system suites need Debian packages; as root: ${command}`)
  process.stderr.write(`installing ${missing.join(' ')}\n`)
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  await runOk(processes, 'apt-get', ['update', '-q'], { timeoutMs: WITHIN_MS, env })
  await runOk(processes, 'apt-get', ['install', ...APT, ...missing], { timeoutMs: WITHIN_MS, env })
}
